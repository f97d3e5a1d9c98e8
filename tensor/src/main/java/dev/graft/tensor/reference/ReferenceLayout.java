package dev.graft.tensor.reference;

import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.TensorSpec;
import dev.graft.tensor.op.CreateOp;
import dev.graft.tensor.op.LayoutOp;

/** Moves: every op is a table of places. Bits are kept for every dtype. */
final class ReferenceLayout {
    private ReferenceLayout() {}

    static void run(LayoutOp op, Tensor[] in, Tensor out) {
        Tensor x = in[0];
        switch (op) {
            case LayoutOp.Reshape r -> Elements.move(x, null, out, null);
            case LayoutOp.Permute p -> permute(p.axes(), x, out);
            case LayoutOp.BroadcastTo b -> Elements.move(x, Walk.broadcast(x.shape(), b.to()), out, null);
            case LayoutOp.Slice s -> slice(s, x, out);
            case LayoutOp.Concat c -> concat(out.shape().axis(c.axis()), in, out);
            case LayoutOp.Pad p -> pad(p, x, out);
        }
    }

    private static void permute(int[] axes, Tensor x, Tensor out) {
        long[] own = x.shape().strides();
        long[] strides = new long[axes.length];
        for (int i = 0; i < axes.length; i++) {
            strides[i] = own[axes[i]];
        }
        Elements.move(x, Walk.strided(out.shape(), strides, 0), out, null);
    }

    private static void slice(LayoutOp.Slice op, Tensor x, Tensor out) {
        long[] strides = x.shape().strides();
        long base = 0;
        for (int i = 0; i < strides.length; i++) {
            base += strides[i] * op.begin()[i];
            strides[i] *= op.step()[i];
        }
        Elements.move(x, Walk.strided(out.shape(), strides, base), out, null);
    }

    private static void concat(int axis, Tensor[] in, Tensor out) {
        long[] strides = out.shape().strides();
        long base = 0;
        for (Tensor x : in) {
            Elements.move(x, null, out, Walk.strided(x.shape(), strides, base));
            base += strides[axis] * x.dim(axis);
        }
    }

    private static void pad(LayoutOp.Pad op, Tensor x, Tensor out) {
        ReferenceCreate.run(new CreateOp.Fill(new TensorSpec(out.dtype(), out.shape()), op.value(), out.device()), out);
        Shape s = x.shape();
        long[] strides = out.shape().strides();
        long base = 0;
        for (int i = 0; i < s.rank(); i++) {
            base += strides[i] * op.low()[i];
            strides[i] *= op.interior()[i] + 1;
        }
        Elements.move(x, null, out, Walk.strided(s, strides, base));
    }
}
