package dev.graft.kernels.ops;

import dev.graft.kernels.CudaDevice;
import dev.graft.kernels.CudaStorage;
import dev.graft.kernels.Pending;
import dev.graft.kernels.compile.Kernel;
import dev.graft.kernels.compile.KernelSource;
import dev.graft.kernels.driver.CudaException;
import dev.graft.kernels.memory.Block;
import dev.graft.kernels.ops.ElementProgram.Step;
import dev.graft.tensor.DType;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.BinaryFn;
import dev.graft.tensor.op.ElementwiseOp;
import dev.graft.tensor.op.UnaryFn;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Elementwise ops by generated kernels: {@link ElementProgram} says what is computed, {@link ElementText} writes it down,
 * {@link ElementLaunch} binds tensors to it. Every dtype and every way of broadcasting has its kernel; 16-bit floats are
 * computed in float32, integers in 64 bits.
 *
 * <p>Ops are not launched one by one but put off as an {@link ElementChain} while they continue it, and launched as one
 * kernel before anything else happens on the device; {@code graft.cuda.fuse=false} launches each at once. What nobody holds
 * any more by then is not computed at all: a benchmark has to keep its results open until it synchronizes.
 */
public final class CudaElementwise implements Pending {

    /** Whether all functions of a kind and type are compiled together: for compilers that start slowly. */
    private static final boolean FAMILIES = Boolean.getBoolean("graft.cuda.families");

    /** Whether ops are put off so that several become one kernel. */
    private static final boolean FUSE = !"false".equals(System.getProperty("graft.cuda.fuse"))
            && !Boolean.getBoolean("graft.cuda.sync");

    private final CudaDevice device;
    private final ElementChain chain = new ElementChain();
    private final Map<ElementProgram, Kernel> kernels = new HashMap<>();

    public CudaElementwise(CudaDevice device) {
        this.device = device;
        device.pending(this);
    }

    /** False when this is not for a kernel: more than 8 axes after joining what can be joined. */
    public boolean run(ElementwiseOp op, Tensor[] in, Tensor[] out) {
        if (!fits(op, in[0])) {
            return false;
        }
        boolean taken = chain.append(op, in, out[0]);
        if (!taken) {
            flush();
            taken = chain.append(op, in, out[0]);
        }
        if (!FUSE) {
            flush();
        }
        return taken;
    }

    @Override
    public void flush() {
        if (chain.isEmpty()) {
            return;
        }
        try {
            ElementLaunch launch = chain.launch();
            if (launch != null) {
                launch.run(device, kernel(launch.program()));
            }
        } catch (GraftException e) {
            String what = chain + ": " + e.getMessage();
            try {
                discard();
            } catch (CudaException more) {         // a broken device answers everything with errors
                e.addSuppressed(more);
            }
            throw e instanceof CudaException c ? new CudaException(what, c.code()) : new GraftException(what, e);
        }
        discard();
    }

    @Override
    public void discard() {
        chain.clear().forEach(device::release);
    }

    @Override
    public boolean keeps(CudaStorage storage, Block block) {
        return chain.keeps(storage, block);
    }

    /** Throws what can be seen to fail before any kernel runs; false for numbers beyond 64 bits. */
    private static boolean fits(ElementwiseOp op, Tensor x) {
        if (!(op instanceof ElementwiseOp.BinaryScalar b) || x.dtype().isFloat()) {
            return true;
        }
        if (b.fn() == BinaryFn.DIV && b.value() == 0) {
            throw new GraftException("integer division by zero");
        }
        if (b.fn() == BinaryFn.POW && b.value() < 0) {
            throw new GraftException("an integer to the negative power " + (long) b.value()
                    + " is no integer: cast to float32 first");
        }
        return Math.abs(b.value()) < 0x1p63;
    }

    private Kernel kernel(ElementProgram program) {
        return kernels.computeIfAbsent(program, p -> device.kernel(source(p), p.name()));
    }

    private static KernelSource source(ElementProgram program) {
        boolean family = FAMILIES && program.steps().size() == 1;
        List<ElementProgram> all = family ? family(program) : List.of(program);
        StringBuilder text = new StringBuilder(KernelSource.file("elementwise.cuh")).append(ElementText.functions(all));
        for (ElementProgram p : all) {
            text.append(ElementText.of(p, p.name()));
        }
        KernelSource source = KernelSource.generated(program.name(), text.toString());
        if (family) {
            Step s = program.steps().getFirst();
            source = KernelSource.generated(s.op().getClass().getSimpleName() + " on " + s.from(), text.toString());
        }
        return program.lowPrecision() ? source.define("FAST_MATH", 1) : source;
    }

    private static List<ElementProgram> family(ElementProgram program) {
        Step s = program.steps().getFirst();
        return siblings(s).stream().map(op -> new ElementProgram(program.inputs(), List.of(new Step(op, s.args(), s.from(),
                op instanceof ElementwiseOp.Cast c ? c.to() : s.type())), program.outputs()))
                .filter(p -> p.lowPrecision() == program.lowPrecision()).toList();
    }

    /** The ops whose kernels are compiled together with that of {@code s}. */
    private static Set<ElementwiseOp> siblings(Step s) {
        Set<ElementwiseOp> all = new LinkedHashSet<>();
        switch (s.op()) {
            case ElementwiseOp.Unary u -> {
                for (UnaryFn f : UnaryFn.values()) {
                    if (s.from().isFloat() || f == UnaryFn.NEG || f == UnaryFn.ABS || f == UnaryFn.SIGN
                            || f == UnaryFn.SQUARE) {
                        all.add(new ElementwiseOp.Unary(f, 0));
                    }
                }
            }
            case ElementwiseOp.UnaryBackward u -> {
                for (UnaryFn f : UnaryFn.values()) {
                    all.add(new ElementwiseOp.UnaryBackward(f, 0));
                }
            }
            case ElementwiseOp.Binary b -> {
                for (BinaryFn f : BinaryFn.values()) {
                    if (f.isPredicate() == b.fn().isPredicate() && (!f.isLogical() || s.from() == DType.BOOL)) {
                        all.add(new ElementwiseOp.Binary(f));
                    }
                }
            }
            case ElementwiseOp.BinaryScalar b -> {
                for (BinaryFn f : BinaryFn.values()) {
                    if (f.isPredicate() == b.fn().isPredicate() && (!f.isLogical() || s.from() == DType.BOOL)) {
                        all.add(new ElementwiseOp.BinaryScalar(f, b.value() == 0.5 ? 0.5 : 1));
                    }
                }
                if (s.from().isFloat() && !b.fn().isPredicate()) {
                    for (double power : ElementProgram.PRODUCTS) {
                        all.add(new ElementwiseOp.BinaryScalar(BinaryFn.POW, power));
                    }
                }
            }
            case ElementwiseOp.Where w -> all.add(w);
            case ElementwiseOp.Cast c -> {
                for (DType to : DType.values()) {
                    all.add(new ElementwiseOp.Cast(to));
                }
            }
            case ElementwiseOp.Dropout d -> all.add(d);
        }
        return all;
    }
}
