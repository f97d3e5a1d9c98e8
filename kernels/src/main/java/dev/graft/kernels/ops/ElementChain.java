package dev.graft.kernels.ops;

import dev.graft.kernels.CudaStorage;
import dev.graft.kernels.memory.Block;
import dev.graft.kernels.ops.ElementProgram.Input;
import dev.graft.kernels.ops.ElementProgram.Step;
import dev.graft.tensor.Context;
import dev.graft.tensor.DType;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.ElementwiseOp;
import java.util.ArrayList;
import java.util.List;

/**
 * Elementwise ops on one shape that wait to be launched as one kernel, each of which reads what another one computes or
 * reads too. Values go from op to op in registers; only those whose tensors are still open when the chain ends are stored.
 * Between ops of one kernel float16 and bfloat16 values keep float32's digits, except behind casts.
 */
final class ElementChain {
    private static final int MAX_STEPS = 8;
    private static final int MAX_INPUTS = 8;
    /** Each takes five arguments of the kernel, of which there are few. */
    private static final int MAX_DROPOUTS = 2;

    private final List<Source> sources = new ArrayList<>();
    private final List<Link> links = new ArrayList<>();
    private final List<Block> kept = new ArrayList<>();
    private Shape shape;

    /** A tensor that is read. */
    private record Source(CudaStorage storage, long address, Shape shape, DType type) {
        boolean is(Tensor x) {
            return storage == x.storage() && address == CudaStorage.address(x) && shape.equals(x.shape());
        }
    }

    /** An op of the chain with its output. */
    private static final class Link {
        final ElementwiseOp op;
        final Step step;
        final CudaStorage storage;
        final long address;
        final String path = Context.current().path();
        boolean closed;

        Link(ElementwiseOp op, Step step, Tensor y) {
            this.op = op;
            this.step = step;
            storage = (CudaStorage) y.storage();
            address = CudaStorage.address(y);
        }
    }

    boolean isEmpty() {
        return links.isEmpty();
    }

    /** Adds an op, or answers false when it does not continue this chain. */
    boolean append(ElementwiseOp op, Tensor[] in, Tensor y) {
        if (!links.isEmpty() && (links.size() == MAX_STEPS || !y.shape().equals(shape))) {
            return false;
        }
        List<Source> more = new ArrayList<>();
        List<Integer> args = new ArrayList<>();
        boolean continues = links.isEmpty();
        for (Tensor x : in) {
            int link = link(x);
            if (link >= 0) {
                if (!x.shape().equals(shape)) {
                    return false;                  // a view of a result: it has to be stored first
                }
                args.add(-1 - link);
                continues = true;
                continue;
            }
            int source = find(sources, x);
            continues |= source >= 0;
            if (source < 0) {
                source = find(more, x);
                if (source < 0) {
                    source = more.size();
                    more.add(new Source((CudaStorage) x.storage(), CudaStorage.address(x), x.shape(), x.dtype()));
                }
                source += sources.size();
            }
            args.add(source);
        }
        if (!continues || sources.size() + more.size() > MAX_INPUTS || !joins(y.shape(), more)
                || op instanceof ElementwiseOp.Dropout && dropouts() == MAX_DROPOUTS) {
            return false;
        }
        shape = y.shape();
        sources.addAll(more);
        DType from = in[in.length - 1].dtype();
        links.add(new Link(op, new Step(ElementProgram.shape(op, from), args, from, y.dtype()), y));
        return true;
    }

    /** The op that computes the storage of {@code x}, or -1. */
    private int link(Tensor x) {
        for (int i = 0; i < links.size(); i++) {
            if (links.get(i).storage == x.storage()) {
                return i;
            }
        }
        return -1;
    }

    private long dropouts() {
        return links.stream().filter(l -> l.op instanceof ElementwiseOp.Dropout).count();
    }

    private static int find(List<Source> all, Tensor x) {
        for (int i = 0; i < all.size(); i++) {
            if (all.get(i).is(x)) {
                return i;
            }
        }
        return -1;
    }

    /** Whether the broadcast inputs can be walked with few enough axes. */
    private boolean joins(Shape out, List<Source> more) {
        List<Shape> repeated = new ArrayList<>();
        for (List<Source> l : List.of(sources, more)) {
            for (Source s : l) {
                if (s.shape().size() != out.size()) {
                    repeated.add(s.shape());
                }
            }
        }
        return repeated.isEmpty() || BroadcastAxes.of(out, repeated).rank() <= ElementLaunch.MAX_AXES;
    }

    /** See {@link dev.graft.kernels.Pending#keeps}. */
    boolean keeps(CudaStorage storage, Block block) {
        for (Link l : links) {
            if (l.storage == storage) {
                l.closed = true;
                return false;                      // it will neither be written nor read
            }
        }
        for (Source s : sources) {
            if (s.storage() == storage) {
                kept.add(block);
                return true;
            }
        }
        return false;
    }

    /** What is left to be computed, or null when nothing is wanted any more. */
    ElementLaunch launch() {
        boolean[] step = new boolean[links.size()];
        boolean[] source = new boolean[sources.size()];
        for (int j = step.length - 1; j >= 0; j--) {
            step[j] |= !links.get(j).closed;
            for (int a : step[j] ? links.get(j).step.args() : List.<Integer>of()) {
                if (a >= 0) {
                    source[a] = true;
                } else {
                    step[-1 - a] = true;
                }
            }
        }
        List<Input> inputs = new ArrayList<>();
        List<ElementLaunch.Operand> operands = new ArrayList<>();
        int[] newSource = new int[source.length];
        for (int i = 0; i < source.length; i++) {
            newSource[i] = inputs.size();
            if (source[i]) {
                Source s = sources.get(i);
                inputs.add(new Input(s.type(), s.shape().size() != shape.size()));
                operands.add(new ElementLaunch.Operand(s.address(), s.shape()));
            }
        }
        List<Step> steps = new ArrayList<>();
        List<ElementwiseOp> ops = new ArrayList<>();
        List<Integer> outputs = new ArrayList<>();
        List<Long> addresses = new ArrayList<>();
        int[] newStep = new int[step.length];
        for (int j = 0; j < step.length; j++) {
            if (!step[j]) {
                continue;
            }
            newStep[j] = steps.size();
            Link l = links.get(j);
            if (!l.closed) {
                outputs.add(steps.size());
                addresses.add(l.address);
            }
            List<Integer> args = l.step.args().stream().map(a -> a >= 0 ? newSource[a] : -1 - newStep[-1 - a]).toList();
            steps.add(new Step(l.step.op(), args, l.step.from(), l.step.type()));
            ops.add(l.op);
        }
        return steps.isEmpty() ? null
                : new ElementLaunch(new ElementProgram(inputs, steps, outputs), ops, shape, operands, addresses);
    }

    /** The ops with the modules they belong to. */
    @Override
    public String toString() {
        StringBuilder s = new StringBuilder();
        for (Link l : links) {
            s.append(s.isEmpty() ? "" : ", ").append(l.op.name()).append(l.path.isEmpty() ? "" : " in " + l.path);
        }
        return s.append(" on ").append(shape).toString();
    }

    /** Empties the chain; the blocks it kept, which can now be given back. */
    List<Block> clear() {
        List<Block> blocks = List.copyOf(kept);
        links.clear();
        sources.clear();
        kept.clear();
        return blocks;
    }
}
