package dev.graft.tensor.op;

import dev.graft.tensor.DType;
import dev.graft.tensor.Shape;
import dev.graft.tensor.TensorSpec;
import java.util.Arrays;
import java.util.Locale;

/** Ops that combine elements along axes. */
public sealed interface ReduceOp extends PrimitiveOp {

    /**
     * Sum, mean, maximum or minimum over {@code axes} (each from 0 to rank-1, ascending; all axes when all are named).
     * Reduced axes stay with size 1 if {@code keepDims}, else they go. Input: x.
     */
    record Reduce(ReduceFn fn, int[] axes, boolean keepDims) implements ReduceOp {
        @Override
        public String name() {
            return fn.name().toLowerCase(Locale.ROOT);
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 1);
            if (fn == ReduceFn.MEAN) {
                Check.floats(in[0], "input");
            } else if (fn == ReduceFn.SUM) {
                Check.that(in[0].dtype().isFloat() || in[0].dtype() == DType.I32 || in[0].dtype() == DType.I64,
                        () -> in[0].dtype() + " is too small for sums: cast it first");
            } else {
                Check.that(in[0].dtype() != DType.BOOL, "bool cannot be reduced: cast it first");
            }
            if (fn != ReduceFn.SUM) {
                for (int a : axes) {
                    Check.that(in[0].dim(a) > 0, () -> "of no elements: axis " + a + " of " + in[0].shape() + " is empty");
                }
            }
            return Check.out(in[0].dtype(), reduced(in[0].shape(), axes, keepDims));
        }

        @Override
        public String toString() {
            return name() + Arrays.toString(axes) + (keepDims ? " keepDims" : "");
        }
    }

    /** Index of the largest (or smallest) element along {@code axis}, the first of equals; int64. Input: x. */
    record ArgReduce(boolean largest, int axis, boolean keepDims) implements ReduceOp {
        @Override
        public String name() {
            return largest ? "argmax" : "argmin";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 1);
            Check.that(in[0].dim(axis) > 0, () -> "of no elements: axis " + axis + " of " + in[0].shape() + " is empty");
            return Check.out(DType.I64, reduced(in[0].shape(), new int[] {axis}, keepDims));
        }
    }

    /** Softmax over the last axis, or its logarithm. Input: x. */
    record Softmax(boolean log) implements ReduceOp {
        @Override
        public String name() {
            return log ? "log_softmax" : "softmax";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 1);
            Check.floats(in[0], "input");
            Check.that(in[0].rank() > 0, "needs at least one axis, got a scalar");
            return Check.out(in[0]);
        }
    }

    /** Softmax: y·(dy − Σ dy·y); log-softmax: dy − exp(y)·Σ dy, sums over the last axis. Inputs: dy, y. */
    record SoftmaxBackward(boolean log) implements ReduceOp {
        @Override
        public String name() {
            return log ? "log_softmax_backward" : "softmax_backward";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 2);
            Check.sameType(in[0], in[1]);
            Check.shape(in[1], in[0].shape(), "saved output");
            return Check.out(in[0]);
        }
    }

    private static Shape reduced(Shape s, int[] axes, boolean keepDims) {
        boolean[] gone = new boolean[s.rank()];
        for (int a : axes) {
            gone[s.axis(a)] = true;
        }
        int[] d = new int[s.rank()];
        int n = 0;
        for (int i = 0; i < gone.length; i++) {
            if (!gone[i]) {
                d[n++] = s.dim(i);
            } else if (keepDims) {
                d[n++] = 1;
            }
        }
        return Shape.of(Arrays.copyOf(d, n));
    }
}
