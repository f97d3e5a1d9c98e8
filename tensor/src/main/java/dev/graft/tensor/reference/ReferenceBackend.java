package dev.graft.tensor.reference;

import dev.graft.tensor.GraftException;
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

/**
 * The naive backend: plain loops in double precision for every dtype (in long for integers), rounded once at the end. It
 * is the definition of every op and the oracle of every fast kernel. One class per op family.
 */
public final class ReferenceBackend extends HostBackend {
    @Override
    public String name() {
        return "cpu-reference";
    }

    @Override
    public void run(Op op, Tensor[] in, Tensor[] out) {
        switch (op) {
            case PrimitiveOp p -> primitive(p, in, out);
            case FusedOp f -> throw new GraftException(f.name() + ": the reference backend runs primitives only");
        }
    }

    private static void primitive(PrimitiveOp op, Tensor[] in, Tensor[] out) {
        switch (op) {
            case ElementwiseOp e -> ReferenceElementwise.run(e, in, out[0]);
            case ReduceOp r -> ReferenceReduce.run(r, in, out[0]);
            case LayoutOp l -> ReferenceLayout.run(l, in, out[0]);
            case IndexOp i -> ReferenceIndex.run(i, in, out[0]);
            case MatMul m -> ReferenceMatMul.run(m, in[0], in[1], out[0]);
            case StoredLinearOp s -> ReferenceStoredLinear.run(s, in, out[0]);
            case ConvOp c -> ReferenceConv.run(c, in[0], in[1], out[0]);
            case PoolOp p -> ReferencePool.run(p, in, out);
            case NormOp n -> ReferenceNorm.run(n, in, out);
            case LossOp l -> ReferenceLoss.run(l, in, out);
            case AttentionOp a -> ReferenceAttention.run(a, in, out);
            case ResizeOp r -> ReferenceResize.run(r, in[0], out[0]);
            case CreateOp c -> ReferenceCreate.run(c, out[0]);
        }
    }

    @Override
    public void update(Update update, Tensor target, Tensor[] in) {
        ReferenceUpdate.run(update, target, in);
    }
}
