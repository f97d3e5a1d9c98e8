package dev.graft.tensor.cpu;

import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.PoolOp;
import dev.graft.tensor.op.ReduceFn;
import dev.graft.tensor.op.ResizeOp;

/** {@link PoolOp} and {@link ResizeOp} on float32. */
final class CpuPool {
    private final Pooling pooling;
    private final Reduction reduction;

    CpuPool(Pooling pooling, Reduction reduction) {
        this.pooling = pooling;
        this.reduction = reduction;
    }

    /** False when this is for the reference backend. */
    boolean run(PoolOp op, Tensor[] in, Tensor[] out) {
        if (!F32.all(in[0]) || in[0].size() == 0) {
            return false;
        }
        F32 x = F32.of(in[0]);
        F32 y = F32.of(out[0]);
        Shape s = in[0].shape();
        int n = s.dim(0);
        int h = s.dim(1);
        int w = s.dim(2);
        int c = s.dim(3);
        int windows = in.length > 1 ? (int) in[1].shape().count(1, 3) : 0;
        switch (op) {
            case PoolOp.MaxPool2d p -> pooling.maxPool(p.params(), x.array(), x.at(), y.array(), y.at(),
                    out[1].host().ints(), (int) out[1].offset(), n, h, w, c);
            case PoolOp.MaxPool2dBackward p -> pooling.maxPoolBackward(p.params(), x.array(), x.at(),
                    in[1].host().ints(), (int) in[1].offset(), y.array(), y.at(), n, h, w, p.inH(), p.inW(), c);
            case PoolOp.MaxPool2dGather p -> pooling.maxPoolGather(x.array(), x.at(), in[1].host().ints(),
                    (int) in[1].offset(), y.array(), y.at(), n, windows, h * w, c);
            case PoolOp.AvgPool2d p -> resample(Taps.poolRows(p.params(), p.countPadding(), h),
                    Taps.poolColumns(p.params(), p.countPadding(), w), in[0], out[0]);
            case PoolOp.AvgPool2dBackward p -> resample(
                    Taps.poolRows(p.params(), p.countPadding(), p.inH()).transpose(p.inH()),
                    Taps.poolColumns(p.params(), p.countPadding(), p.inW()).transpose(p.inW()), in[0], out[0]);
            case PoolOp.AdaptiveAvgPool2d p when p.outH() == 1 && p.outW() == 1 -> reduction.reduce(ReduceFn.MEAN, x.array(),
                    x.at(), s, new int[] {1, 2}, y.array(), y.at());
            case PoolOp.AdaptiveAvgPool2d p -> resample(Taps.adaptive(h, p.outH()), Taps.adaptive(w, p.outW()), in[0],
                    out[0]);
            case PoolOp.AdaptiveAvgPool2dBackward p -> resample(Taps.adaptive(p.inH(), h).transpose(p.inH()),
                    Taps.adaptive(p.inW(), w).transpose(p.inW()), in[0], out[0]);
        }
        return true;
    }

    /** False when this is for the reference backend. */
    boolean resize(ResizeOp op, Tensor x, Tensor y) {
        if (!F32.all(x) || x.size() == 0) {
            return false;
        }
        switch (op) {
            case ResizeOp.Resize2d r -> resample(taps(r.mode(), x.dim(1), r.outH(), r.alignCorners()),
                    taps(r.mode(), x.dim(2), r.outW(), r.alignCorners()), x, y);
            case ResizeOp.Resize2dBackward r -> resample(
                    taps(r.mode(), r.inH(), x.dim(1), r.alignCorners()).transpose(r.inH()),
                    taps(r.mode(), r.inW(), x.dim(2), r.alignCorners()).transpose(r.inW()), x, y);
        }
        return true;
    }

    private static Taps taps(ResizeOp.Mode mode, int in, int out, boolean alignCorners) {
        return mode == ResizeOp.Mode.NEAREST ? Taps.nearest(in, out) : Taps.bilinear(in, out, alignCorners);
    }

    private void resample(Taps rows, Taps columns, Tensor in, Tensor out) {
        F32 x = F32.of(in);
        F32 y = F32.of(out);
        pooling.resample(rows, columns, x.array(), x.at(), in.dim(1), in.dim(2), y.array(), y.at(), in.dim(0), in.dim(3));
    }
}
