package dev.graft.tensor.reference;

import dev.graft.tensor.GraftException;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.IndexOp;

/** Reading and adding at places given by an integer tensor. */
final class ReferenceIndex {
    private ReferenceIndex() {}

    static void run(IndexOp op, Tensor[] in, Tensor out) {
        switch (op) {
            case IndexOp.Take t -> Elements.move(in[0], rows(in[1], in[0].shape()), out, null);
            case IndexOp.TakeBackward t -> add(in[0], rows(in[1], out.shape()), out);
            case IndexOp.TakeAlong t -> Elements.move(in[0], along(in[1], t.axis(), in[0].shape()), out, null);
            case IndexOp.TakeAlongBackward t -> add(in[0], along(in[1], t.axis(), out.shape()), out);
        }
    }

    /** For every element of [I..., ...] its place in the table [V, ...]. */
    private static int[] rows(Tensor indices, Shape table) {
        long[] index = Elements.longs(indices);
        int row = (int) table.count(1, table.rank());
        int[] at = new int[Math.multiplyExact(index.length, row)];
        for (int i = 0; i < index.length; i++) {
            check(index[i], 0, table);
            for (int k = 0; k < row; k++) {
                at[i * row + k] = (int) index[i] * row + k;
            }
        }
        return at;
    }

    /** For every element of the indices' shape its place in the table, which differs in {@code axis} only. */
    private static int[] along(Tensor indices, int axis, Shape table) {
        long[] index = Elements.longs(indices);
        int a = table.axis(axis);
        long[] strides = table.strides();
        long step = strides[a];
        strides[a] = 0;
        int[] at = Walk.strided(indices.shape(), strides, 0);
        for (int i = 0; i < at.length; i++) {
            check(index[i], a, table);
            at[i] += (int) (index[i] * step);
        }
        return at;
    }

    private static void check(long index, int axis, Shape table) {
        if (index < 0 || index >= table.dim(axis)) {
            throw new GraftException("index " + index + " is outside axis " + axis + " of " + table + ", which has size "
                    + table.dim(axis));
        }
    }

    /** out = 0, then out[at[i]] += x[i]. */
    static void add(Tensor x, int[] at, Tensor out) {
        int n = Math.toIntExact(out.size());
        if (Elements.integral(x)) {
            long[] v = Elements.longs(x);
            long[] sum = new long[n];
            for (int i = 0; i < at.length; i++) {
                sum[at[i]] += v[i];
            }
            Elements.store(sum, out);
        } else {
            double[] v = Elements.doubles(x);
            double[] sum = new double[n];
            for (int i = 0; i < at.length; i++) {
                sum[at[i]] += v[i];
            }
            Elements.store(sum, out);
        }
    }
}
