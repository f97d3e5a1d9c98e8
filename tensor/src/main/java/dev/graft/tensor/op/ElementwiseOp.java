package dev.graft.tensor.op;

import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.Shape;
import dev.graft.tensor.TensorSpec;
import java.util.Locale;

/** Ops that compute each output element from the elements at the same place of their (broadcast) inputs. */
public sealed interface ElementwiseOp extends PrimitiveOp {

    /** y = f(x). Input: x, floating point (negation, absolute value, sign and square also integer). */
    record Unary(UnaryFn fn, double a) implements ElementwiseOp {
        @Override
        public String name() {
            return fn.name().toLowerCase(Locale.ROOT);
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 1);
            boolean integerToo = fn == UnaryFn.NEG || fn == UnaryFn.ABS || fn == UnaryFn.SIGN || fn == UnaryFn.SQUARE;
            if (!(integerToo && in[0].dtype().isInteger())) {
                Check.floats(in[0], "input");
            }
            return Check.out(in[0]);
        }
    }

    /** dx = dy · f'(saved). Inputs: dy, the saved input or output of {@link Unary}, of one shape. */
    record UnaryBackward(UnaryFn fn, double a) implements ElementwiseOp {
        @Override
        public String name() {
            return fn.name().toLowerCase(Locale.ROOT) + "_backward";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 2);
            Check.floats(in[0], "gradient");
            Check.sameType(in[0], in[1]);
            Check.shape(in[1], in[0].shape(), "saved tensor");
            return Check.out(in[0]);
        }
    }

    /** z = f(x, y) with NumPy's broadcasting. Inputs: x, y of one dtype. */
    record Binary(BinaryFn fn) implements ElementwiseOp {
        @Override
        public String name() {
            return fn.name().toLowerCase(Locale.ROOT);
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 2);
            Check.sameType(in[0], in[1]);
            Shape s = Shape.broadcast(in[0].shape(), in[1].shape());
            Check.that(s != null, () -> in[0].shape() + " " + fn.symbol() + " " + in[1].shape()
                    + ": the shapes do not broadcast (sizes must agree from the last axis on, or be 1)");
            number(fn, in[0]);
            return Check.out(fn.isPredicate() ? DType.BOOL : in[0].dtype(), s);
        }
    }

    /** z = f(x, value). Input: x. */
    record BinaryScalar(BinaryFn fn, double value) implements ElementwiseOp {
        @Override
        public String name() {
            return fn.name().toLowerCase(Locale.ROOT);
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 1);
            number(fn, in[0]);
            Check.that(!in[0].dtype().isInteger() || fn.isPredicate() || value == Math.rint(value),
                    () -> value + " is no value of " + in[0].dtype() + ": cast the tensor to float32 first");
            return Check.out(fn.isPredicate() ? DType.BOOL : in[0].dtype(), in[0].shape());
        }
    }

    /** condition ? x : y, all broadcast. Inputs: condition (bool), x, y of one dtype. */
    record Where() implements ElementwiseOp {
        @Override
        public String name() {
            return "where";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 3);
            Check.that(in[0].dtype() == DType.BOOL, () -> "condition is " + in[0] + ", bool is needed");
            Check.sameType(in[1], in[2]);
            Shape s = Shape.broadcast(in[1].shape(), in[2].shape());
            s = s == null ? null : Shape.broadcast(in[0].shape(), s);
            Check.that(s != null, () -> "condition " + in[0].shape() + ", " + in[1].shape() + " and " + in[2].shape()
                    + " do not broadcast");
            return Check.out(in[1].dtype(), s);
        }
    }

    /** The same values as {@code to}; floats to integers truncate, to float16 and bfloat16 round half to even. */
    record Cast(DType to) implements ElementwiseOp {
        @Override
        public String name() {
            return "cast";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 1);
            return Check.out(to, in[0].shape());
        }
    }

    /**
     * y = x · (keep ? 1/(1 − p) : 0), where element i is kept when element i of {@link CreateOp.Random} with {@link
     * CreateOp.Distribution#BERNOULLI}, probability 1 − p and these seed and stream is not 0 (Srivastava et al. 2014). No
     * mask is stored: the gradient is the same op on dy. Input: x; p from 0 to below 1.
     */
    record Dropout(double p, long seed, long stream) implements ElementwiseOp {
        @Override
        public String name() {
            return "dropout";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 1);
            Check.floats(in[0], "input");
            Check.that(p >= 0 && p < 1, () -> "probability " + p + " is not from 0 to below 1");
            return Check.out(in[0]);
        }

        /** The factors of elements of {@code spec}: 0 or 1/(1 − p). */
        public CreateOp.Random factors(TensorSpec spec, Device device) {
            return new CreateOp.Random(spec, CreateOp.Distribution.BERNOULLI, 1 - p, 1 / (1 - p), seed, stream, device);
        }
    }

    private static void number(BinaryFn fn, TensorSpec x) {
        Check.that(fn.isLogical() == (x.dtype() == DType.BOOL) || fn == BinaryFn.EQ || fn == BinaryFn.NE,
                () -> "element type " + x.dtype() + " does not fit: "
                        + (fn.isLogical() ? "bool is needed" : "cast bool to a number first"));
    }
}
