package dev.graft.tensor.op;

import dev.graft.tensor.DType;
import dev.graft.tensor.Shape;
import dev.graft.tensor.TensorSpec;

/** Losses as one op, which reads the logits once and keeps no probabilities. */
public sealed interface LossOp extends PrimitiveOp {
    /** Share of the target that is spread evenly over all classes (Szegedy et al. 2015, arXiv:1512.00567). */
    double labelSmoothing();

    /** Rows with this target have no loss and no gradient. */
    long ignoreIndex();

    /**
     * Cross-entropy of each row: with s = labelSmoothing, loss = (1 − s)·(lse − x[target]) + s·(lse − mean x), where lse =
     * log Σ exp x. Inputs: logits [N, C], target [N] int32 or int64; outputs: loss [N] and lse [N], float64 for float64
     * logits, else float32; no gradient passes through lse. A target outside of 0 to C − 1 that is not ignored is an error
     * on the CPU.
     */
    record CrossEntropy(double labelSmoothing, long ignoreIndex) implements LossOp {
        @Override
        public String name() {
            return "cross_entropy";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 2);
            TensorSpec rows = rows(in[0], in[1], labelSmoothing);
            return Check.out(rows, rows);
        }
    }

    /**
     * dx = dloss·(softmax x − (1 − s)·[c = target] − s/C), 0 in rows that are ignored. Inputs: dloss [N], logits [N, C],
     * target [N], lse [N]; output: dx [N, C].
     */
    record CrossEntropyBackward(double labelSmoothing, long ignoreIndex) implements LossOp {
        @Override
        public String name() {
            return "cross_entropy_backward";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 4);
            TensorSpec rows = rows(in[1], in[2], labelSmoothing);
            Check.shape(in[0], rows.shape(), "gradient");
            Check.sameType(rows, in[0]);
            Check.shape(in[3], rows.shape(), "log-sum-exp");
            Check.sameType(rows, in[3]);
            return Check.out(in[1]);
        }
    }

    private static TensorSpec rows(TensorSpec logits, TensorSpec target, double labelSmoothing) {
        Check.floats(logits, "logits");
        Check.rank(logits, 2, "logits", "[N, C]");
        Check.that(logits.dim(1) > 0, () -> "logits " + logits.shape() + " have no classes");
        Check.indices(target);
        Shape rows = Shape.of(logits.dim(0));
        Check.shape(target, rows, "target of logits " + logits.shape());
        Check.that(labelSmoothing >= 0 && labelSmoothing <= 1,
                () -> "label smoothing " + labelSmoothing + " is not between 0 and 1");
        return new TensorSpec(logits.dtype() == DType.F64 ? DType.F64 : DType.F32, rows);
    }
}
