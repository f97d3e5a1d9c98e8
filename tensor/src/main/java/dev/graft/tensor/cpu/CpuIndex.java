package dev.graft.tensor.cpu;

import dev.graft.tensor.DType;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.IndexOp;

/** {@link IndexOp}: reading from tensors of every dtype, adding in float32. */
final class CpuIndex {
    private final Gather gather;

    CpuIndex(Gather gather) {
        this.gather = gather;
    }

    /** False when this is for the reference backend. */
    boolean run(IndexOp op, Tensor[] in, Tensor out) {
        boolean adds = op instanceof IndexOp.TakeBackward || op instanceof IndexOp.TakeAlongBackward;
        if (adds && !F32.all(in[0])) {
            return false;
        }
        Object from = in[0].host().array();
        Object to = out.host().array();
        int xo = Math.toIntExact(in[0].offset());
        int yo = Math.toIntExact(out.offset());
        Shape s = in[0].shape();
        Shape o = out.shape();
        switch (op) {
            case IndexOp.Take t -> gather.take(from, xo, indices(in[1], 0, s), to, yo, (int) s.count(1, s.rank()));
            case IndexOp.TakeBackward t -> gather.addRows((float[]) from, xo, indices(in[1], 0, o), (float[]) to, yo,
                    t.rows(), (int) o.count(1, o.rank()));
            case IndexOp.TakeAlong t -> {
                int a = s.axis(t.axis());
                gather.along(from, xo, indices(in[1], a, s), to, yo, (int) s.count(0, a), s.dim(a), o.dim(a),
                        (int) s.count(a + 1, s.rank()));
            }
            case IndexOp.TakeAlongBackward t -> {
                int a = s.axis(t.axis());
                gather.addAlong((float[]) from, xo, indices(in[1], a, o), (float[]) to, yo, (int) s.count(0, a),
                        o.dim(a), s.dim(a), (int) s.count(a + 1, s.rank()));
            }
        }
        return true;
    }

    /** The indices as int, each checked against {@code axis} of {@code table}. */
    private static int[] indices(Tensor t, int axis, Shape table) {
        int n = Math.toIntExact(t.size());
        int at = Math.toIntExact(t.offset());
        int[] index = new int[n];
        boolean wide = t.dtype() == DType.I64;
        for (int i = 0; i < n; i++) {
            long v = wide ? t.host().longs()[at + i] : t.host().ints()[at + i];
            if (v < 0 || v >= table.dim(axis)) {
                throw new GraftException("index " + v + " is outside axis " + axis + " of " + table + ", which has size "
                        + table.dim(axis));
            }
            index[i] = (int) v;
        }
        return index;
    }
}
