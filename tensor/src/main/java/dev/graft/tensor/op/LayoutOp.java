package dev.graft.tensor.op;

import dev.graft.tensor.Shape;
import dev.graft.tensor.TensorSpec;
import java.util.Arrays;

/** Ops that move elements without computing. */
public sealed interface LayoutOp extends PrimitiveOp {

    /** The same elements in row-major order under another shape; a view. Input: x. */
    record Reshape(Shape to) implements LayoutOp {
        @Override
        public String name() {
            return "reshape";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 1);
            Check.that(in[0].shape().size() == to.size(), () -> in[0].shape() + " to " + to + ": " + in[0].shape().size()
                    + " elements do not fill " + to.size());
            return Check.out(in[0].dtype(), to);
        }
    }

    /** Axis i of the output is axis {@code axes[i]} of the input. Input: x. */
    record Permute(int[] axes) implements LayoutOp {
        @Override
        public String name() {
            return "permute";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 1);
            int[] sorted = axes.clone();
            Arrays.sort(sorted);
            boolean ok = axes.length == in[0].rank();
            for (int i = 0; ok && i < sorted.length; i++) {
                ok = sorted[i] == i;
            }
            Check.that(ok, () -> "axes " + Arrays.toString(axes) + " are no order of the " + in[0].rank() + " axes of "
                    + in[0].shape());
            int[] d = new int[axes.length];
            for (int i = 0; i < d.length; i++) {
                d[i] = in[0].dim(axes[i]);
            }
            return Check.out(in[0].dtype(), Shape.of(d));
        }
    }

    /** Repeats the input along new axes in front and axes of size 1. Input: x. */
    record BroadcastTo(Shape to) implements LayoutOp {
        @Override
        public String name() {
            return "broadcast_to";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 1);
            Check.that(to.equals(Shape.broadcast(in[0].shape(), to)), () -> in[0].shape() + " does not broadcast to " + to);
            return Check.out(in[0].dtype(), to);
        }
    }

    /** Elements begin, begin+step, ... below end of every axis; 0 ≤ begin ≤ end ≤ size, step ≥ 1. Input: x. */
    record Slice(int[] begin, int[] end, int[] step) implements LayoutOp {
        @Override
        public String name() {
            return "slice";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 1);
            Shape s = in[0].shape();
            int[] d = new int[s.rank()];
            Check.that(begin.length == d.length && end.length == d.length && step.length == d.length,
                    () -> "bounds for " + begin.length + " axes do not fit " + s);
            for (int i = 0; i < d.length; i++) {
                int axis = i;
                Check.that(begin[i] >= 0 && begin[i] <= end[i] && end[i] <= s.dim(i) && step[i] >= 1,
                        () -> "axis " + axis + " of " + s + " has no range " + begin[axis] + " to " + end[axis]
                                + " in steps of " + step[axis]);
                d[i] = end[i] == begin[i] ? 0 : (end[i] - begin[i] - 1) / step[i] + 1;   // cannot wrap
            }
            return Check.out(in[0].dtype(), Shape.of(d));
        }

        /** Whether the slice takes whole rows: all of every axis but the first, which it walks by ones. */
        public boolean isRows(Shape s) {
            for (int i = 0; i < begin.length; i++) {
                if (step[i] != 1 || i > 0 && (begin[i] != 0 || end[i] != s.dim(i))) {
                    return false;
                }
            }
            return begin.length > 0;
        }
    }

    /** Joins the inputs, at least one, along {@code axis}; their other sizes agree. */
    record Concat(int axis) implements LayoutOp {
        @Override
        public String name() {
            return "concat";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.that(in.length > 0, "needs at least one tensor");
            long sum = 0;
            for (TensorSpec t : in) {
                Check.sameType(in[0], t);
                Check.that(t.rank() == in[0].rank() && t.shape().with(axis, 0).equals(in[0].shape().with(axis, 0)),
                        () -> in[0].shape() + " and " + t.shape() + " differ outside axis " + axis);
                sum += t.dim(axis);
            }
            return Check.out(in[0].dtype(), in[0].shape().with(axis, Check.size(sum)));
        }
    }

    /**
     * Puts {@code value} around the input: low[i] before and high[i] after axis i, interior[i] between two elements (XLA's
     * pad, low and high not negative). The transpose of {@link Slice}. Input: x.
     */
    record Pad(int[] low, int[] high, int[] interior, double value) implements LayoutOp {
        @Override
        public String name() {
            return "pad";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 1);
            Shape s = in[0].shape();
            int[] d = new int[s.rank()];
            Check.that(low.length == d.length && high.length == d.length && interior.length == d.length,
                    () -> "padding for " + low.length + " axes does not fit " + s);
            for (int i = 0; i < d.length; i++) {
                Check.that(low[i] >= 0 && high[i] >= 0 && interior[i] >= 0, "padding must not be negative: slice instead");
                d[i] = Check.size((long) low[i] + high[i] + s.dim(i) + (long) interior[i] * Math.max(0, s.dim(i) - 1));
            }
            return Check.out(in[0].dtype(), Shape.of(d));
        }
    }
}
