package dev.graft.kernels;

import dev.graft.kernels.driver.CudaException;
import dev.graft.kernels.memory.OutOfDeviceMemory;
import dev.graft.kernels.ops.ConvChoice;
import dev.graft.kernels.ops.CudaAttention;
import dev.graft.kernels.ops.CudaConv;
import dev.graft.kernels.ops.CudaCreate;
import dev.graft.kernels.ops.CudaElementwise;
import dev.graft.kernels.ops.CudaIndex;
import dev.graft.kernels.ops.CudaLayout;
import dev.graft.kernels.ops.CudaLoss;
import dev.graft.kernels.ops.CudaMatMul;
import dev.graft.kernels.ops.CudaNorm;
import dev.graft.kernels.ops.CudaPool;
import dev.graft.kernels.ops.CudaReduce;
import dev.graft.kernels.ops.CudaResize;
import dev.graft.kernels.ops.CudaUpdate;
import dev.graft.tensor.Context;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.MemoryReport;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Storage;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.backend.Backend;
import dev.graft.tensor.backend.Mark;
import dev.graft.tensor.backend.StepGraph;
import dev.graft.tensor.op.AttentionOp;
import dev.graft.tensor.op.Change;
import dev.graft.tensor.op.ConvOp;
import dev.graft.tensor.op.CreateOp;
import dev.graft.tensor.op.ElementwiseOp;
import dev.graft.tensor.op.FusedOp;
import dev.graft.tensor.op.IndexOp;
import dev.graft.tensor.op.LayoutOp;
import dev.graft.tensor.op.LossOp;
import dev.graft.tensor.op.MatMul;
import dev.graft.tensor.op.NormOp;
import dev.graft.tensor.op.Op;
import dev.graft.tensor.op.PoolOp;
import dev.graft.tensor.op.PrimitiveOp;
import dev.graft.tensor.op.ReduceOp;
import dev.graft.tensor.op.ResizeOp;
import dev.graft.tensor.op.StoredLinearOp;
import dev.graft.tensor.op.Update;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;

/**
 * Runs ops on an NVIDIA GPU. There is one class per op family in {@code ops}; each says whether it computed an op, and what
 * none does (rare types of rare ops) runs on the host.
 *
 * <p>Ops only queue work: an error of a kernel shows at the next read. Property {@code graft.cuda.sync=true} waits after
 * every op, so that the failing one is named with its module path and shapes.
 */
public final class CudaBackend implements Backend {
    private static final boolean SYNC = Boolean.getBoolean("graft.cuda.sync");

    private final CudaDevice device;
    private final HostFallback fallback = new HostFallback();
    private final CudaUpdate updates;
    private final CudaAttention attention;
    private final CudaMatMul products;
    private final CudaConv convolutions;
    private final CudaReduce reductions;
    private final CudaLoss losses;
    private final CudaElementwise elementwise;
    private final CudaLayout layouts;
    private final CudaCreate creations;
    private final CudaNorm norms;
    private final CudaIndex index;
    private final CudaPool pools;
    private final CudaResize sizes;

    CudaBackend(CudaDevice device) {
        this.device = device;
        updates = new CudaUpdate(device);
        attention = new CudaAttention(device);
        products = new CudaMatMul(device);
        convolutions = new CudaConv(device);
        reductions = new CudaReduce(device);
        losses = new CudaLoss(device);
        elementwise = new CudaElementwise(device);
        layouts = new CudaLayout(device);
        creations = new CudaCreate(device);
        norms = new CudaNorm(device);
        index = new CudaIndex(device);
        pools = new CudaPool(device, reductions, index);
        sizes = new CudaResize(device);
    }

    @Override
    public String name() {
        return "cuda (" + device.name() + ")";
    }

    @Override
    public Device device() {
        return device.device();
    }

    /** The device behind this backend, for checks and benchmarks. */
    public CudaDevice cuda() {
        return device;
    }

    /** Ops that ran on the host for want of a kernel, with their counts. */
    public Map<String, Integer> fallbacks() {
        return Map.copyOf(fallback.calls());
    }

    /** How each convolution that has run is computed. */
    public List<ConvChoice> convolutionChoices() {
        return device.locked(convolutions::choices);
    }

    // ------------------------------------------------------------------ ops

    @Override
    public void run(Op op, Tensor[] in, Tensor[] out) {
        boolean empty = true;
        for (Tensor t : out) {
            empty &= t.size() == 0;
        }
        if (empty) {
            return;
        }
        device.locked(() -> {
            if (!(op instanceof ElementwiseOp)) {
                device.flush();
            }
            boolean done = switch (op) {
                case PrimitiveOp p -> primitive(p, in, out);
                case FusedOp f -> fused(f, in, out);
            };
            if (!done) {
                fallback.run(op, in, out);
            }
            if (SYNC && !device.capturing()) {
                settle(op, in);
            }
        });
    }

    private boolean primitive(PrimitiveOp op, Tensor[] in, Tensor[] out) {
        return switch (op) {
            case ElementwiseOp e -> elementwise.run(e, in, out);
            case ReduceOp r -> reductions.run(r, in, out);
            case LayoutOp l -> layouts.run(l, in, out);
            case IndexOp i -> index.run(i, in, out);
            case MatMul m -> products.run(m, in, out);
            case StoredLinearOp s -> composed(s, in, out[0]);
            case ConvOp c -> convolutions.run(c, in, out);
            case PoolOp p -> pools.run(p, in, out);
            case NormOp n -> norms.run(n, in, out);
            case LossOp l -> losses.run(l, in, out);
            case AttentionOp a -> attention.run(a, in, out);
            case ResizeOp r -> sizes.run(r, in, out);
            case CreateOp c -> creations.run(c, in, out);
        };
    }

    /** The weight is widened in device memory for the time of the call; x in the weight's own type needs no widening. */
    private static boolean composed(StoredLinearOp op, Tensor[] in, Tensor out) {
        Context.current().withoutInterceptors().run(() -> {
            try (Scope s = Scope.open(op.name())) {
                Dispatcher.update(new Update.Assign(), out, op.compose(in));
            }
        });
        return true;
    }

    private boolean fused(FusedOp op, Tensor[] in, Tensor[] out) {
        return switch (op) {
            case FusedOp.ConvBiasActivation c -> convolutions.run(c, in, out);
            case FusedOp.LinearBiasActivation l -> products.run(l, in, out);
            case FusedOp.InvertedResidual r -> false; // composed, see supports
            case FusedOp.SumOfSquares s -> false;
            case FusedOp.Projections p -> false;
            case FusedOp.ProjectionsBackward p -> false;
        };
    }

    @Override
    public boolean supports(FusedOp op) {
        return switch (op) {
            case FusedOp.ConvBiasActivation c -> c.activation().clamps();
            case FusedOp.LinearBiasActivation l -> l.activation().clamps();
            case FusedOp.InvertedResidual r -> false;
            case FusedOp.SumOfSquares s -> false;
            case FusedOp.Projections q -> false;
            case FusedOp.ProjectionsBackward q -> false;
        };
    }

    /** Waits for {@code op} and blames it by name. */
    private void settle(Op op, Tensor[] in) {
        try {
            device.synchronize();
        } catch (CudaException e) {
            StringBuilder shapes = new StringBuilder();
            for (Tensor t : in) {
                shapes.append(shapes.isEmpty() ? "" : ", ").append(t.spec());
            }
            String path = Context.current().path();
            throw new CudaException(op.name() + (path.isEmpty() ? "" : " in " + path) + " on " + shapes + " failed on "
                    + device() + ": " + e.getMessage(), e.code());
        }
    }

    // ------------------------------------------------------------------ updates

    @Override
    public void update(Update update, Tensor target, Tensor[] in) {
        if (target.size() == 0) {
            return;
        }
        device.locked(() -> {
            device.flush();
            if (!updates.run(update, target, in)) {
                fallback.update(update, target, in);
            }
        });
    }

    @Override
    public void updateAll(List<Change> changes, Tensor scale, double limit) {
        device.locked(() -> {
            device.flush();
            if (!updates.runAll(changes, scale, limit)) {
                one(changes, scale, limit);
            }
        });
    }

    /** For types that the kernel does not have: one by one, gradients scaled and clipped before. */
    private void one(List<Change> changes, Tensor scale, double limit) {
        double by = scale == null ? 1 : scale.toDoubles()[0];
        for (Change c : Double.isFinite(by) ? changes : List.<Change>of()) {
            try (Scope s = Scope.open("update")) {
                Tensor[] in = c.in().clone();
                in[0] = Change.clipped(in[0], by, limit);
                update(c.update(), c.target(), in);
            }
        }
    }

    // ------------------------------------------------------------------ memory

    @Override
    public Storage allocate(DType dtype, long count, String label) {
        return allocate(dtype, count, label, false);
    }

    @Override
    public Storage allocateUpload(DType dtype, long count, String label) {
        return allocate(dtype, count, label, true);
    }

    private Storage allocate(DType dtype, long count, String label, boolean upload) {
        try {
            return device.locked(() -> device.allocate(dtype, count, label, upload));
        } catch (OutOfDeviceMemory e) {
            device.locked(device::flush);          // memory that is only read by work put off
            collectUnclosed();                     // without the lock, which the collector's cleaners take
            return device.locked(() -> device.allocate(dtype, count, label, upload));
        }
    }

    private static void collectUnclosed() {
        System.gc();
        try {
            Thread.sleep(100);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void read(Tensor source, Object array) {
        long bytes = source.size() * source.dtype().bytes();
        if (bytes > 0) {
            device.locked(() -> device.read(CudaStorage.address(source), segment(array).asSlice(0, bytes)));
        }
    }

    @Override
    public void write(Object array, int at, Tensor target) {
        int size = target.dtype().bytes();
        if (target.size() > 0) {
            device.locked(() -> device.write(segment(array).asSlice((long) at * size, target.size() * size),
                    (CudaStorage) target.storage(), target.offset() * size));
        }
    }

    private static MemorySegment segment(Object array) {
        return switch (array) {
            case float[] a -> MemorySegment.ofArray(a);
            case double[] a -> MemorySegment.ofArray(a);
            case short[] a -> MemorySegment.ofArray(a);
            case int[] a -> MemorySegment.ofArray(a);
            case long[] a -> MemorySegment.ofArray(a);
            case byte[] a -> MemorySegment.ofArray(a);
            default -> throw new IllegalArgumentException("no carrier of a dtype: " + array.getClass());
        };
    }

    @Override
    public MemoryReport memory() {
        synchronized (device) {
            return device.memory();
        }
    }

    @Override
    public void limit(long bytes) {
        synchronized (device) {
            device.allocator().limit(bytes);
        }
    }

    @Override
    public void trim() {
        device.locked(() -> device.allocator().trim());
    }

    @Override
    public void resetPeak() {
        synchronized (device) {
            device.allocator().resetPeak();
        }
    }

    // ------------------------------------------------------------------ order and time

    /** Launches elementwise ops that were put off to become one kernel; whatever else the device does comes after them. */
    public void flush() {
        device.locked(device::flush);
    }

    @Override
    public void synchronize() {
        device.locked(device::synchronize);
    }

    @Override
    public Mark mark() {
        return device.locked(() -> new CudaMark(device));
    }

    @Override
    public boolean captures() {
        return !SYNC;
    }

    @Override
    public StepGraph capture(Runnable step) {
        return device.locked(() -> CudaGraph.record(device, step));
    }
}
