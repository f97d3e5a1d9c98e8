package dev.graft.tensor.cpu;

import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.LayoutOp;
import java.util.Arrays;

/** {@link LayoutOp} on float32, each as a {@link StridedCopy}. */
final class CpuLayout {
    private static final int CHUNK = 65536;

    private CpuLayout() {}

    /** False when this is for the reference backend. */
    static boolean run(LayoutOp op, Tensor[] in, Tensor out) {
        if (!F32.all(in)) {
            return false;
        }
        F32 x = F32.of(in[0]);
        F32 y = F32.of(out);
        int[] xs = strides(in[0].shape());
        int[] ys = strides(out.shape());
        switch (op) {
            case LayoutOp.Reshape r -> System.arraycopy(x.array(), x.at(), y.array(), y.at(), y.size());
            case LayoutOp.Permute p -> {
                int[] steps = new int[xs.length];
                for (int i = 0; i < steps.length; i++) {
                    steps[i] = xs[p.axes()[i]];
                }
                StridedCopy.run(x.array(), x.at(), steps, y.array(), y.at(), ys, out.shape().dims());
            }
            case LayoutOp.BroadcastTo b -> {
                int[] steps = new int[ys.length];
                for (int i = 1; i <= xs.length; i++) {
                    steps[ys.length - i] = in[0].dim(-i) == 1 ? 0 : xs[xs.length - i];
                }
                StridedCopy.run(x.array(), x.at(), steps, y.array(), y.at(), ys, out.shape().dims());
            }
            case LayoutOp.Slice s -> {
                int from = x.at();
                for (int i = 0; i < xs.length; i++) {
                    from += s.begin()[i] * xs[i];
                    xs[i] *= s.step()[i];
                }
                StridedCopy.run(x.array(), from, xs, y.array(), y.at(), ys, out.shape().dims());
            }
            case LayoutOp.Concat c -> {
                int to = y.at();
                int axis = out.shape().axis(c.axis());
                for (Tensor t : in) {
                    F32 part = F32.of(t);
                    StridedCopy.run(part.array(), part.at(), strides(t.shape()), y.array(), to, ys, t.shape().dims());
                    to += t.dim(axis) * ys[axis];
                }
            }
            case LayoutOp.Pad p -> {
                WorkerPool.shared().ranges(y.size(), CHUNK,
                        (i, j) -> Arrays.fill(y.array(), y.at() + i, y.at() + j, (float) p.value()));
                int to = y.at();
                for (int i = 0; i < ys.length; i++) {
                    to += p.low()[i] * ys[i];
                    ys[i] *= p.interior()[i] + 1;
                }
                StridedCopy.run(x.array(), x.at(), xs, y.array(), to, ys, in[0].shape().dims());
            }
        }
        return true;
    }

    private static int[] strides(Shape s) {
        return Arrays.stream(s.strides()).mapToInt(v -> (int) v).toArray();
    }
}
