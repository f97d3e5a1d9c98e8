package dev.graft.tensor.cpu;

import dev.graft.tensor.DType;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.LayoutOp;
import java.util.Arrays;

/** {@link LayoutOp} on every dtype, each as a {@link StridedCopy}. */
final class CpuLayout {
    private static final int CHUNK = 65536;

    private CpuLayout() {}

    /** False when this is for the reference backend. */
    static boolean run(LayoutOp op, Tensor[] in, Tensor out) {
        if (op instanceof LayoutOp.Pad p && !fills(out.dtype(), p.value())) {
            return false;
        }
        Object x = in[0].host().array();
        Object y = out.host().array();
        int xo = Math.toIntExact(in[0].offset());
        int yo = Math.toIntExact(out.offset());
        int size = Math.toIntExact(out.size());
        int[] xs = strides(in[0].shape());
        int[] ys = strides(out.shape());
        switch (op) {
            case LayoutOp.Reshape r -> System.arraycopy(x, xo, y, yo, size);
            case LayoutOp.Permute p -> {
                int[] steps = new int[xs.length];
                for (int i = 0; i < steps.length; i++) {
                    steps[i] = xs[p.axes()[i]];
                }
                StridedCopy.run(x, xo, steps, y, yo, ys, out.shape().dims());
            }
            case LayoutOp.BroadcastTo b -> {
                int[] steps = new int[ys.length];
                for (int i = 1; i <= xs.length; i++) {
                    steps[ys.length - i] = in[0].dim(-i) == 1 ? 0 : xs[xs.length - i];
                }
                StridedCopy.run(x, xo, steps, y, yo, ys, out.shape().dims());
            }
            case LayoutOp.Slice s -> {
                int from = xo;
                for (int i = 0; i < xs.length; i++) {
                    from += s.begin()[i] * xs[i];
                    xs[i] *= s.step()[i];
                }
                StridedCopy.run(x, from, xs, y, yo, ys, out.shape().dims());
            }
            case LayoutOp.Concat c -> {
                int to = yo;
                int axis = out.shape().axis(c.axis());
                for (Tensor t : in) {
                    StridedCopy.run(t.host().array(), Math.toIntExact(t.offset()), strides(t.shape()), y, to, ys,
                            t.shape().dims());
                    to += t.dim(axis) * ys[axis];
                }
            }
            case LayoutOp.Pad p -> {
                fill(p.value(), y, yo, size);
                int to = yo;
                for (int i = 0; i < ys.length; i++) {
                    to += p.low()[i] * ys[i];
                    ys[i] *= p.interior()[i] + 1;
                }
                StridedCopy.run(x, xo, xs, y, to, ys, in[0].shape().dims());
            }
        }
        return true;
    }

    /** Whether {@link #fill} takes this value: a narrow type's rounding of values but 0 is left to the reference backend. */
    static boolean fills(DType dtype, double value) {
        return switch (dtype) {
            case F32, F64, I32, I64 -> true;
            case F16, BF16, I8, I16, U8, BOOL -> Double.doubleToRawLongBits(value) == 0;
        };
    }

    /** {@code n} elements of y from {@code at} on become {@code value}. */
    static void fill(double value, Object y, int at, int n) {
        WorkerPool.shared().ranges(n, CHUNK, switch (y) {
            case float[] f -> (i, j) -> Arrays.fill(f, at + i, at + j, (float) value);
            case double[] d -> (i, j) -> Arrays.fill(d, at + i, at + j, value);
            case long[] l -> (i, j) -> Arrays.fill(l, at + i, at + j, (long) value);
            case int[] v -> (i, j) -> Arrays.fill(v, at + i, at + j, (int) value);
            case short[] h -> (i, j) -> Arrays.fill(h, at + i, at + j, (short) 0);
            default -> (i, j) -> Arrays.fill((byte[]) y, at + i, at + j, (byte) 0);
        });
    }

    private static int[] strides(Shape s) {
        return Arrays.stream(s.strides()).mapToInt(v -> (int) v).toArray();
    }
}
