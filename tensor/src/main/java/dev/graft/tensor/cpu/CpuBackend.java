package dev.graft.tensor.cpu;

import dev.graft.tensor.Tensor;
import dev.graft.tensor.backend.HostBackend;
import dev.graft.tensor.op.AttentionOp;
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
import dev.graft.tensor.reference.ReferenceBackend;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The fast backend: float32 on all cores, with the Vector API where the JVM has it. There is one class per op family;
 * each says whether it computed an op, and what it leaves (other dtypes, rare cases) the reference backend computes.
 */
public final class CpuBackend extends HostBackend {
    private final ReferenceBackend reference = new ReferenceBackend();
    private final boolean simd;
    private final CpuProducts products;
    private final StoredLinear stored;
    private final CpuElementwise elementwise;
    private final CpuCreate create;
    private final CpuReduce reduce;
    private final CpuNorm norm;
    private final CpuLoss loss;
    private final CpuAttention attention;
    private final CpuPool pool;
    private final CpuIndex index;
    private final CpuUpdate update;
    private final AtomicLong fallbacks = new AtomicLong();

    public CpuBackend() {
        this(ElementLoops.best(), RowLoops.best(), CpuFeatures.kernels());
    }

    /** As on a JVM without the Vector API. */
    public static CpuBackend plain() {
        return new CpuBackend(new PlainElementLoops(), new PlainRowLoops(), new PlainKernels());
    }

    private CpuBackend(ElementLoops elements, RowLoops rows, MicroKernels kernels) {
        simd = !(elements instanceof PlainElementLoops);
        products = new CpuProducts(kernels);
        stored = new StoredLinear(kernels);
        elementwise = new CpuElementwise(new Elementwise(elements));
        create = new CpuCreate(elements);
        reduce = new CpuReduce(new Reduction(rows), new Softmax(rows));
        norm = new CpuNorm(new BatchNorm(rows, elements), new LayerNorm(rows), new GroupNorm(rows));
        loss = new CpuLoss(new CrossEntropy(rows));
        attention = new CpuAttention(new TiledAttention(kernels, rows));
        pool = new CpuPool(new Pooling(elements, simd), new Reduction(rows));
        index = new CpuIndex(new Gather(elements));
        update = new CpuUpdate(elements);
    }

    @Override
    public String name() {
        return simd ? "cpu-simd" : "cpu-plain";
    }

    /** How many ops and updates the reference backend has computed for want of a kernel here, for checks and benchmarks. */
    public long fallbacks() {
        return fallbacks.get();
    }

    @Override
    public void run(Op op, Tensor[] in, Tensor[] out) {
        boolean empty = true;
        for (Tensor t : out) {
            empty &= t.size() == 0;
        }
        if (empty) {
            return;
        }
        switch (op) {
            case PrimitiveOp p -> {
                if (!primitive(p, in, out)) {
                    fallbacks.incrementAndGet();
                    reference.run(op, in, out);
                }
            }
            case FusedOp.SumOfSquares s when F32.all(in) -> reduce.sumOfSquares(in[0], out[0]);
            case FusedOp f -> products.fused(f, in, out);
        }
    }

    private boolean primitive(PrimitiveOp op, Tensor[] in, Tensor[] out) {
        return switch (op) {
            case ElementwiseOp e -> elementwise.run(e, in, out[0]);
            case ReduceOp r -> reduce.run(r, in, out[0]);
            case LayoutOp l -> CpuLayout.run(l, in, out[0]);
            case IndexOp i -> index.run(i, in, out[0]);
            case MatMul m -> products.matmul(m, in[0], in[1], out[0]);
            case StoredLinearOp s -> stored.run(s, in, out[0]);
            case ConvOp c -> products.conv(c, in[0], in[1], out[0]);
            case PoolOp p -> pool.run(p, in, out);
            case NormOp n -> norm.run(n, in, out);
            case LossOp l -> loss.run(l, in, out);
            case AttentionOp a -> attention.run(a, in, out);
            case ResizeOp r -> pool.resize(r, in[0], out[0]);
            case CreateOp c -> create.run(c, out[0]);
        };
    }

    @Override
    public boolean supports(FusedOp op) {
        return true;
    }

    @Override
    public boolean runsWhole(FusedOp op, Tensor[] in) {
        return CpuProducts.runsWhole(op, in);
    }

    @Override
    public void update(Update op, Tensor target, Tensor[] in) {
        if (target.size() > 0 && !update.run(op, target, in, 1, Float.POSITIVE_INFINITY)) {
            fallbacks.incrementAndGet();
            reference.update(op, target, in);
        }
    }

    @Override
    protected void update(Update op, Tensor target, Tensor[] in, double scale, double limit) {
        if (!CpuUpdate.takesFactorAndLimit(op) || !update.run(op, target, in, (float) scale, (float) limit)) {
            super.update(op, target, in, scale, limit);
        }
    }
}
