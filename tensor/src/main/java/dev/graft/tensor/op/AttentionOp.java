package dev.graft.tensor.op;

import dev.graft.tensor.DType;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.TensorSpec;

/**
 * Scaled dot-product attention (Vaswani et al. 2017, arXiv:1706.03762) without a matrix of all scores in memory (Dao et al.
 * 2022, arXiv:2205.14135). Per batch and head: o = softmax(scale · q · kᵀ) · v over the keys that a query may attend: those
 * that the mask allows, and with {@code causal} key j for query i when j ≤ i + S − T.
 */
public sealed interface AttentionOp extends PrimitiveOp {
    double scale();

    boolean causal();

    /**
     * Inputs: q [B, T, H, D], k, v [B, S, H, D], and mask [B, S] bool, true = attend, if any; outputs: o [B, T, H, D] and
     * the log-sum-exp of the scaled scores [B, H, T], float64 for float64, else float32. A query with nothing to attend
     * gives 0 and a log-sum-exp of −∞. No gradient passes through the log-sum-exp.
     */
    record Attention(double scale, boolean causal) implements AttentionOp {
        @Override
        public String name() {
            return "attention";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.that(in.length == 3 || in.length == 4, () -> "takes 3 or 4 inputs, got " + in.length);
            return Check.out(in[0], lse(in[0], in[1], in[2], in.length == 4 ? in[3] : null));
        }

        /**
         * o in primitives, differentiable by q, k and v: what the op is compared with, and what its second derivative is
         * taken of.
         */
        public Tensor compose(Tensor[] in) {
            DType type = in[0].dtype() == DType.F64 ? DType.F64 : DType.F32;
            Tensor q = heads(in[0], type);
            Tensor k = heads(in[1], type);
            Tensor v = heads(in[2], type);
            Tensor scores = q.matmulTransposed(k).mul(scale);
            Tensor allowed = allowed(in, q.dim(2), k.dim(2));
            Tensor p;
            if (allowed == null) {
                p = scores.softmax();
            } else {    // finite, so that a row of nothing allowed is a softmax too, which is then set to 0
                Tensor none = Tensor.fill(new TensorSpec(type, Shape.SCALAR), -1e30, q.device());
                p = allowed.where(scores, none).softmax().mul(allowed.cast(type));
            }
            return p.matmul(v).permute(0, 2, 1, 3).cast(in[0].dtype());
        }

        private static Tensor heads(Tensor x, DType type) {
            return x.cast(type).permute(0, 2, 1, 3);
        }

        /** Which keys each query may attend, to be broadcast to [B, H, T, S]; null for all. */
        private Tensor allowed(Tensor[] in, int t, int s) {
            Tensor mask = in.length == 4 ? in[3].reshape(in[3].dim(0), 1, 1, s) : null;
            if (!causal) {
                return mask;
            }
            Tensor last = numbers(t, s - t, in[0]).reshape(t, 1);
            Tensor early = numbers(s, 0, in[0]).le(last).reshape(1, 1, t, s);
            return mask == null ? early : mask.and(early);
        }

        private static Tensor numbers(int count, int start, Tensor like) {
            return Dispatcher.one(new CreateOp.Arange(new TensorSpec(DType.I32, Shape.of(count)), start, 1, like.device()));
        }
    }

    /**
     * The gradients of {@link Attention} from its outputs. Inputs: do, q, k, v, o, log-sum-exp, and the mask if {@code
     * mask}; outputs: dq, dk, dv.
     */
    record AttentionBackward(double scale, boolean causal, boolean mask) implements AttentionOp {
        @Override
        public String name() {
            return "attention_backward";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, mask ? 7 : 6);
            TensorSpec lse = lse(in[1], in[2], in[3], mask ? in[6] : null);
            Check.shape(in[0], in[1].shape(), "gradient");
            Check.sameType(in[1], in[0]);
            Check.shape(in[4], in[1].shape(), "saved output");
            Check.sameType(in[1], in[4]);
            Check.shape(in[5], lse.shape(), "log-sum-exp");
            Check.sameType(lse, in[5]);
            return Check.out(in[1], in[2], in[3]);
        }
    }

    private static TensorSpec lse(TensorSpec q, TensorSpec k, TensorSpec v, TensorSpec mask) {
        Check.floats(q, "query");
        Check.sameType(q, k);
        Check.sameType(q, v);
        Check.rank(q, 4, "query", "[B, T, H, D]");
        Check.rank(k, 4, "key", "[B, S, H, D]");
        Check.shape(k, q.shape().with(1, k.dim(1)), "key of query " + q.shape());
        Check.shape(v, k.shape(), "value of key " + k.shape());
        if (mask != null) {
            Check.shape(mask, Shape.of(q.dim(0), k.dim(1)), "mask");
            Check.that(mask.dtype() == DType.BOOL, () -> "mask is " + mask + ", bool is needed");
        }
        return new TensorSpec(q.dtype() == DType.F64 ? DType.F64 : DType.F32, Shape.of(q.dim(0), q.dim(2), q.dim(1)));
    }
}
