package dev.graft.tensor.op;

import dev.graft.tensor.DType;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.TensorSpec;

/**
 * A linear layer whose frozen weight is stored in fewer bits than it computes with: as bfloat16, or as int8 with one float32
 * scale for every output (weight-only quantisation as the row-wise one of LLM.int8(), Dettmers et al. 2022,
 * arXiv:2208.07339). A backend widens the weight on its way into the product, so that neither the call nor a tape holds a
 * widened copy. The weight has no gradient; x and the bias have one.
 */
public sealed interface StoredLinearOp extends PrimitiveOp {
    /** The same in primitives, with a widened copy of the weight, for devices that have no kernel for it. */
    Tensor compose(Tensor[] in);

    /**
     * y = x · (w · scale)ᵀ + bias. Inputs: x [..., I]; w [O, I], bfloat16 or int8; for int8 the scale [O], float32; and with
     * {@code bias} the bias [O].
     */
    record StoredLinear(boolean bias) implements StoredLinearOp {
        @Override
        public String name() {
            return "stored_linear";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.that(in.length >= 2, () -> "takes x, a weight and its scale, got " + in.length + " inputs");
            int more = weight(in);
            Check.arity(in, more + (bias ? 1 : 0));
            inner(in[0], in[1], 1, "ᵀ");
            if (bias) {
                Check.shape(in[more], Shape.of(in[1].dim(0)), "bias");
                Check.besides(in[0], in[more], "bias");
            }
            return Check.out(in[0].dtype(), in[0].shape().with(-1, in[1].dim(0)));
        }

        @Override
        public Tensor compose(Tensor[] in) {
            Tensor x = in[0];
            Tensor y = x.matmulTransposed(widened(in));
            y = scalesLater(in) ? y.mul(in[2].cast(x.dtype())) : y;
            return bias ? y.add(in[in.length - 1].cast(x.dtype())) : y;
        }
    }

    /** The gradient by x: dx = dy · (w · scale). Inputs: dy [..., O]; w [O, I]; for int8 the scale [O]. */
    record StoredLinearBackward() implements StoredLinearOp {
        @Override
        public String name() {
            return "stored_linear_backward";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.that(in.length >= 2, () -> "takes a gradient, a weight and its scale, got " + in.length + " inputs");
            Check.arity(in, weight(in));
            inner(in[0], in[1], 0, "");
            return Check.out(in[0].dtype(), in[0].shape().with(-1, in[1].dim(1)));
        }

        @Override
        public Tensor compose(Tensor[] in) {
            Tensor dy = scalesLater(in) ? in[0].mul(in[2].cast(in[0].dtype())) : in[0];
            return dy.matmul(widened(in));
        }
    }

    /**
     * Whether a product with unscaled int8 values is scaled. Not in float16: x·q passes its largest number long before
     * x·w does, and a gradient times a scale its smallest.
     */
    private static boolean scalesLater(Tensor[] in) {
        return in[1].dtype() == DType.I8 && in[0].dtype() != DType.F16;
    }

    /** The weight in the type of x or dy; int8 values with their scale where nothing else applies it. */
    private static Tensor widened(Tensor[] in) {
        DType type = in[0].dtype();
        if (in[1].dtype() != DType.I8 || scalesLater(in)) {
            return in[1].cast(type);
        }
        return in[1].cast(DType.F32).mul(in[2].reshape(in[2].dim(0), 1)).cast(type);
    }

    /** Checks weight and scale; returns how many inputs there are up to these. */
    private static int weight(TensorSpec[] in) {
        Check.floats(in[0], "left side");
        Check.rank(in[1], 2, "weight", "[O, I]");
        if (in[1].dtype() == DType.BF16) {
            return 2;
        }
        Check.that(in[1].dtype() == DType.I8, () -> "weight is " + in[1] + ", bfloat16 or int8 is needed: a float32 one"
                + " belongs to linear");
        Check.that(in.length >= 3, () -> "weight " + in[1] + " comes without its scale, float32[" + in[1].dim(0) + "]");
        Check.shape(in[2], Shape.of(in[1].dim(0)), "scale");
        Check.that(in[2].dtype() == DType.F32, () -> "scale is " + in[2] + ", float32 is needed");
        return 3;
    }

    private static void inner(TensorSpec x, TensorSpec w, int axis, String transposed) {
        Check.that(x.rank() >= 1 && x.dim(-1) == w.dim(axis), () -> x.shape() + " x " + w.shape() + transposed
                + ": inner sizes " + (x.rank() == 0 ? 0 : x.dim(-1)) + " and " + w.dim(axis) + " differ");
    }
}
