package dev.graft.tensor.cpu;

import dev.graft.tensor.DType;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.StoredLinearOp;
import java.util.Arrays;

/**
 * {@link StoredLinearOp} on float32. With few rows of x the time goes into reading the weights: they are read once, as they
 * are stored, and widened in registers. With more rows they are widened while they are packed, a few megabytes at a time in
 * working memory, so that nothing of the size of the widened matrix exists; packed copies are not kept.
 */
final class StoredLinear {
    /** Rows of x up to which weights are widened in registers: as often as there are groups of rows. */
    static final int FEW = 64;
    /** Floats that are packed at a time. */
    private static final int PACKED = 1 << 20;
    private static final int DEPTH = 4096;
    /** Columns of a block that is widened before it is transposed. */
    private static final int BLOCK = 256;
    private static final boolean FAST = Simd.ENABLED && StoredVectors.FITS;
    /** Multiply-adds that are worth a task. */
    private static final long TASK = 1L << 17;

    private final MicroKernels kernels;

    StoredLinear(MicroKernels kernels) {
        this.kernels = kernels;
    }

    /**
     * Weights [out, in], dense from {@code at} on.
     *
     * @param array short[] of bfloat16 or byte[]
     * @param scale one value a row from {@code scaleAt} on; null for 1
     */
    record Weights(Object array, int at, int out, int in, float[] scale, int scaleAt) {
        /** to[to0 + r*ld + q] = the value in row {@code row} + r and column {@code column} + q. */
        void widen(int row, int rows, int column, int columns, float[] to, int to0, int ld) {
            for (int r = 0; r < rows; r++) {
                int from = at + (row + r) * in + column;
                if (array instanceof short[] w) {
                    widen(columns, w, from, to, to0 + r * ld);
                } else {
                    widen(columns, (byte[]) array, from, scale == null ? 1 : scale[scaleAt + row + r], to, to0 + r * ld);
                }
            }
        }

        private static void widen(int n, short[] w, int wo, float[] to, int at) {
            if (FAST) {
                StoredVectors.widen(n, w, wo, to, at);
                return;
            }
            for (int i = 0; i < n; i++) {
                to[at + i] = Float.intBitsToFloat(w[wo + i] << 16);
            }
        }

        private static void widen(int n, byte[] w, int wo, float scale, float[] to, int at) {
            if (FAST) {
                StoredVectors.widen(n, w, wo, scale, to, at);
                return;
            }
            for (int i = 0; i < n; i++) {
                to[at + i] = w[wo + i] * scale;
            }
        }
    }

    /** False when this is for the reference backend. */
    boolean run(StoredLinearOp op, Tensor[] in, Tensor out) {
        Tensor x = in[0];
        Tensor w = in[1];
        boolean int8 = w.dtype() == DType.I8;
        if (!Widened.fits(x) || !int8 && w.dtype() != DType.BF16 || x.size() == 0 || w.size() == 0) {
            return false;
        }
        F32 scale = int8 ? F32.of(in[2]) : null;
        Weights weights = new Weights(w.host().array(), Math.toIntExact(w.offset()), w.dim(0), w.dim(1),
                int8 ? scale.array() : null, int8 ? scale.at() : 0);
        boolean bias = op instanceof StoredLinearOp.StoredLinear s && s.bias();
        Tensor[] floats = bias ? new Tensor[] {x, in[in.length - 1]} : new Tensor[] {x};
        try (Widened wide = new Widened(floats, new Tensor[] {out})) {
            F32 a = wide.in(0);
            F32 y = wide.out(0);
            switch (op) {
                case StoredLinearOp.StoredLinear s -> forward(a.size() / weights.in, a, weights, y,
                        bias ? Epilogue.bias(wide.in(1).array(), wide.in(1).at()) : Epilogue.NONE);
                case StoredLinearOp.StoredLinearBackward s -> backward(a.size() / weights.out, a, weights, y);
            }
            wide.store();
        }
        return true;
    }

    private void forward(int m, F32 x, Weights w, F32 y, Epilogue end) {
        if (m <= FEW) {
            few(m, x, w, y, end);
            return;
        }
        int n = w.out;
        int k = w.in;
        int deep = Math.min(k, DEPTH);
        int width = Panels.productWidth(kernels, deep, n);
        int wide = Math.max(8, PACKED / deep / width) * width;
        try (Scratch space = Scratch.take((long) deep * Panels.padded(kernels, Math.min(n, wide)))) {
            for (int j = 0; j < n; j += wide) {
                int columns = Math.min(wide, n - j);
                for (int k0 = 0; k0 < k; k0 += deep) {
                    int kc = Math.min(deep, k - k0);
                    packTransposed(w, j, columns, k0, kc, width, space.data);
                    Epilogue then = k0 + kc < k ? Epilogue.NONE : end.bias() == null ? end
                            : Epilogue.bias(end.bias(), end.biasOffset() + j);
                    Gemm.multiplyPacked(kernels, width, m, columns, kc, x.array(), x.at() + k0, k, 1, space.data,
                            Alignment.FIRST, y.array(), y.at() + j, n, k0 > 0, then);
                }
            }
        }
    }

    /** Every result is one sum over all of k, so nothing has to be combined between tasks. */
    private void few(int m, F32 x, Weights w, F32 y, Epilogue end) {
        int n = w.out;
        int k = w.in;
        int chunk = (int) Math.max(16, TASK / ((long) m * k) / 16 * 16);
        WorkerPool.shared().ranges(n, chunk, (from, to) -> {
            if (kernels.vectors() && StoredVectors.FITS) {
                try (Scratch t = Scratch.take(StoredVectors.space())) {
                    StoredVectors.dots(m, to - from, k, x.array(), x.at(), k, w.array, w.at + from * k, w.scale,
                            w.scaleAt + from, y.array(), y.at() + from, n, t.data);
                }
            } else {
                try (Scratch t = Scratch.take(4L * k)) {
                    for (int j = from; j < to; j += 4) {
                        int some = Math.min(4, to - j);
                        w.widen(j, some, 0, k, t.data, 0, k);
                        for (int i = 0; i < m; i++) {
                            kernels.dots(some, k, x.array(), x.at() + i * k, t.data, 0, k, y.array(), y.at() + i * n + j,
                                    false);
                        }
                    }
                }
            }
            end.apply(0, m, from, to - from, y.array(), y.at() + from, n);
        });
    }

    /** Rows j.. of the weights, columns k0.., as panels of a right operand [kc][columns]. */
    private void packTransposed(Weights w, int j, int columns, int k0, int kc, int width, float[] to) {
        WorkerPool.shared().ranges((columns + width - 1) / width, 1, (from, until) -> {
            try (Scratch t = Scratch.take((long) width * BLOCK)) {
                for (int p = from; p < until; p++) {
                    int column = p * width;
                    int some = Math.min(width, columns - column);
                    int padded = Panels.padded(kernels, some);
                    for (int q = 0; q < kc; q += BLOCK) {
                        int depth = Math.min(BLOCK, kc - q);
                        w.widen(j + column, some, k0 + q, depth, t.data, 0, depth);
                        Panels.pack(depth, some, padded, t.data, 0, 1, depth, to,
                                Alignment.FIRST + column * kc + q * padded);
                    }
                }
            }
        });
    }

    /** dx[m][in] = dy[m][out] * w[out][in]: the weights are the right operand as they lie. */
    private void backward(int m, F32 dy, Weights w, F32 dx) {
        int n = w.in;
        int k = w.out;
        int wide = Math.min(n, DEPTH);
        int width = Panels.productWidth(kernels, Math.min(k, PACKED / wide), wide);
        wide = Math.min(n, Math.max(width, wide / width * width));
        int deep = Math.min(k, PACKED / wide);
        try (Scratch space = Scratch.take((long) deep * Panels.padded(kernels, wide))) {
            for (int j = 0; j < n; j += wide) {
                int columns = Math.min(wide, n - j);
                for (int k0 = 0; k0 < k; k0 += deep) {
                    int kc = Math.min(deep, k - k0);
                    pack(w, k0, kc, j, columns, width, space.data);
                    Gemm.multiplyPacked(kernels, width, m, columns, kc, dy.array(), dy.at() + k0, k, 1, space.data,
                            Alignment.FIRST, dx.array(), dx.at() + j, n, k0 > 0, Epilogue.NONE);
                }
            }
        }
    }

    /** Rows k0.. of the weights, columns j.., as panels of a right operand [kc][columns]; rows are read as they lie. */
    private void pack(Weights w, int k0, int kc, int j, int columns, int width, float[] to) {
        int chunk = Math.max(1, (1 << 15) / columns);
        WorkerPool.shared().ranges(kc, chunk, (from, until) -> {
            try (Scratch t = Scratch.take(columns)) {
                for (int r = from; r < until; r++) {
                    w.widen(k0 + r, 1, j, columns, t.data, 0, columns);
                    for (int c = 0; c < columns; c += width) {
                        int some = Math.min(width, columns - c);
                        int padded = Panels.padded(kernels, some);
                        int at = Alignment.FIRST + c * kc + r * padded;
                        System.arraycopy(t.data, c, to, at, some);
                        Arrays.fill(to, at + some, at + padded, 0f);
                    }
                }
            }
        });
    }
}
