package dev.graft.benchmarks;

import dev.graft.tensor.TensorSpec;
import dev.graft.tensor.op.AttentionOp;
import dev.graft.tensor.op.ConvOp;
import dev.graft.tensor.op.FusedOp;
import dev.graft.tensor.op.IndexOp;
import dev.graft.tensor.op.LayoutOp;
import dev.graft.tensor.op.MatMul;
import dev.graft.tensor.op.Op;
import dev.graft.tensor.op.PoolOp;
import dev.graft.tensor.op.StoredLinearOp;
import dev.graft.tensor.op.Update;

/** The {@link Cost} of any op or update, from what its inputs and outputs are. */
final class OpCost {
    private OpCost() {}

    /** Operations of products, convolutions and attention only; of other ops they are 0. */
    static Cost of(Op op, TensorSpec[] in) {
        TensorSpec[] out = op.infer(in);
        return new Cost(flops(op, in, out), bytes(op, in, out));
    }

    /** Of tensors like {@code target}: the first input, a gradient or what is assigned, is read; states are changed. */
    static Cost of(Update update, TensorSpec target) {
        double tensors = switch (update) {
            case Update.Assign a -> 2;
            case Update.Axpby a -> 3;
            // a first velocity is written without being read
            case Update.Sgd s -> 3 + (s.inputs() == 1 ? 0 : s.first() ? 1 : 2);
            case Update.Adam a -> 7;
            case Update.RmsProp r -> 1 + 2 * r.inputs();
        };
        return new Cost(0, tensors * target.bytes());
    }

    /** Of a table from which elements are picked only those count that are read; a view moves nothing. */
    private static double bytes(Op op, TensorSpec[] in, TensorSpec[] out) {
        return switch (op) {
            case LayoutOp.Reshape r -> 0;
            case LayoutOp.Slice s -> s.isRows(in[0].shape()) ? 0 : 2 * out[0].bytes();
            case IndexOp.Take t -> in[1].bytes() + 2 * out[0].bytes();
            case IndexOp.TakeAlong t -> in[1].bytes() + 2 * out[0].bytes();
            case PoolOp.MaxPool2dGather g -> in[1].bytes() + 2 * out[0].bytes();
            default -> bytes(in) + bytes(out);
        };
    }

    private static double bytes(TensorSpec[] specs) {
        double sum = 0;
        for (TensorSpec s : specs) {
            sum += s.bytes();
        }
        return sum;
    }

    private static double flops(Op op, TensorSpec[] in, TensorSpec[] out) {
        return switch (op) {
            case MatMul m -> 2 * size(out[0]) * in[0].dim(m.transA() ? -2 : -1);
            case StoredLinearOp.StoredLinear s -> 2 * size(in[0]) * in[1].dim(0);
            case StoredLinearOp.StoredLinearBackward s -> 2 * size(in[0]) * in[1].dim(1);
            case ConvOp.Conv2d c -> convolution(out[0], in[1]);
            case ConvOp.Conv2dBackwardInput c -> convolution(in[0], in[1]);
            case ConvOp.Conv2dBackwardWeight c -> convolution(in[1], out[0]);
            case AttentionOp.Attention a -> 2 * attention(a, in[0], in[1]);
            case AttentionOp.AttentionBackward a -> 5 * attention(a, in[1], in[2]);
            case FusedOp.ConvBiasActivation c -> convolution(out[0], in[1]);
            case FusedOp.InvertedResidual r -> 2 * size(in[0]) * in[1].dim(0)
                    + 2 * size(out[0]) / in[5].dim(0) * (size(in[3]) + size(in[5]));
            case FusedOp.LinearBiasActivation l -> 2 * size(out[0]) * in[1].dim(1);
            case FusedOp.Projections p -> 2 * size(in[0]) * in[1].dim(0);
            case FusedOp.ProjectionsBackward p -> (p.input() ? 2 : 0) * projections(p, in)
                    + (p.weight() ? 2 : 0) * projections(p, in);
            default -> 0;
        };
    }

    /** Two for each weight that has a part in an element of the result {@code y}. */
    private static double convolution(TensorSpec y, TensorSpec w) {
        return 2 * size(y) * size(w) / w.dim(0);
    }

    private static double projections(FusedOp.ProjectionsBackward op, TensorSpec[] in) {
        return op.parts() * size(in[0]) * in[in.length - 1].dim(-1);
    }

    /** One product of queries and keys: of all pairs that the order allows, those of masked keys too. */
    private static double attention(AttentionOp op, TensorSpec q, TensorSpec k) {
        double pairs = 0;
        for (int i = 0; i < q.dim(1); i++) {
            pairs += op.causal() ? Math.clamp((long) i + 1 + k.dim(1) - q.dim(1), 0, k.dim(1)) : k.dim(1);
        }
        return 2 * pairs * q.dim(0) * q.dim(2) * q.dim(3);
    }

    private static double size(TensorSpec s) {
        return s.shape().size();
    }
}
