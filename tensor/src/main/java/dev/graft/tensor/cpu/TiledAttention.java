package dev.graft.tensor.cpu;

import dev.graft.tensor.op.ReduceFn;
import java.util.Arrays;

/**
 * Attention of one batch entry and head at a time, by tiles of queries: the scores of a tile with all keys stay in the cache
 * between the two products that make and use them, and are made anew for the gradients.
 */
final class TiledAttention {
    private static final int TILE = 1 << 17;

    private final MicroKernels kernels;
    private final RowLoops loops;

    TiledAttention(MicroKernels kernels, RowLoops loops) {
        this.kernels = kernels;
        this.loops = loops;
    }

    /**
     * The sizes of queries [batch, t, heads, d] and keys [batch, s, heads, d].
     *
     * @param mask one byte for each of [batch, s] from {@code maskAt} on, 0 where no query may attend the key; null for none
     */
    record Problem(int batch, int t, int s, int heads, int d, double scale, boolean causal, byte[] mask, int maskAt) {
        /** From position to position. */
        int stride() {
            return heads * d;
        }

        int query(int b, int i, int h) {
            return ((b * t + i) * heads + h) * d;
        }

        int key(int b, int h) {
            return (b * s * heads + h) * d;
        }

        int lse(int b, int i, int h) {
            return (b * heads + h) * t + i;
        }

        /** How many of the first keys query {@code i} may attend, as far as the order goes. */
        int keys(int i) {
            return causal ? Math.clamp((long) i + s - t + 1, 0, s) : s;
        }

        /** Queries in a tile. */
        int rows() {
            return Math.clamp(TILE / s, 32, 128);
        }

        int tiles() {
            return (t - 1) / rows() + 1;
        }

        boolean masked(int b, int j) {
            return mask != null && mask[maskAt + b * s + j] == 0;
        }
    }

    /** Some queries of one batch entry and head, and how many keys the last of them may attend. */
    private record Tile(int b, int h, int from, int rows, int keys) {
        static Tile of(Problem p, int b, int h, int index) {
            int from = index * p.rows();
            int rows = Math.min(p.rows(), p.t - from);
            return new Tile(b, h, from, rows, p.keys(from + rows - 1));
        }
    }

    void forward(Problem p, F32 q, F32 k, F32 v, F32 o, F32 lse) {
        int tiles = p.tiles();
        WorkerPool.shared().run(p.batch * p.heads * tiles, task -> {
            int head = task / tiles;
            forward(p, Tile.of(p, head / p.heads, head % p.heads, task % tiles), q, k, v, o, lse);
        });
    }

    private void forward(Problem p, Tile tile, F32 q, F32 k, F32 v, F32 o, F32 lse) {
        int n = tile.keys;
        int to = o.at() + p.query(tile.b, tile.from, tile.h);
        try (Scratch queries = Scratch.take(tile.rows * p.d); Scratch scores = Scratch.take((long) tile.rows * n)) {
            scores(p, tile, q, k, queries.data, scores.data);
            float[] factor = new float[tile.rows];
            for (int r = 0; r < tile.rows; r++) {
                int i = tile.from + r;
                int at = r * n;
                int some = p.keys(i);
                float max = some == 0 ? Float.NEGATIVE_INFINITY : loops.reduce(ReduceFn.MAX, scores.data, at, some);
                float log = max;
                if (max != Float.NEGATIVE_INFINITY) {
                    float sum = loops.expSum(scores.data, at, max, scores.data, at, some);
                    log = (float) (max + Math.log(sum));
                    factor[r] = 1 / sum;
                    Arrays.fill(scores.data, at + some, at + n, 0f);
                } else {
                    Arrays.fill(scores.data, at, at + n, 0f);
                }
                lse.array()[lse.at() + p.lse(tile.b, i, tile.h)] = log;
            }
            Gemm.multiply(kernels, false, false, tile.rows, p.d, n, scores.data, 0, n, v.array(),
                    v.at() + p.key(tile.b, tile.h), p.stride(), o.array(), to, p.stride(), false, Epilogue.NONE);
            for (int r = 0; r < tile.rows; r++) {
                loops.scale(factor[r], o.array(), to + r * p.stride(), p.d);
            }
        }
    }

    /** queries = scale · q, scores = queries · kᵀ, −∞ where the mask forbids. */
    private void scores(Problem p, Tile tile, F32 q, F32 k, float[] queries, float[] scores) {
        int n = tile.keys;
        for (int r = 0; r < tile.rows; r++) {
            System.arraycopy(q.array(), q.at() + p.query(tile.b, tile.from + r, tile.h), queries, r * p.d, p.d);
        }
        loops.scale((float) p.scale, queries, 0, tile.rows * p.d);
        Gemm.multiply(kernels, false, true, tile.rows, n, p.d, queries, 0, p.d, k.array(), k.at() + p.key(tile.b, tile.h),
                p.stride(), scores, 0, n, false, Epilogue.NONE);
        for (int j = 0; j < n && p.mask != null; j++) {
            if (p.masked(tile.b, j)) {
                for (int r = 0; r < tile.rows; r++) {
                    scores[r * n + j] = Float.NEGATIVE_INFINITY;
                }
            }
        }
    }

    /** A task is a batch entry and head, since the gradients by its keys and values are sums over its tiles. */
    void backward(Problem p, F32 dy, F32 q, F32 k, F32 v, F32 o, F32 lse, F32 dq, F32 dk, F32 dv) {
        WorkerPool.shared().run(p.batch * p.heads, head -> {
            int b = head / p.heads;
            int h = head % p.heads;
            for (int j = 0; j < p.s; j++) {
                int at = p.key(b, h) + j * p.stride();
                Arrays.fill(dk.array(), dk.at() + at, dk.at() + at + p.d, 0f);
                Arrays.fill(dv.array(), dv.at() + at, dv.at() + at + p.d, 0f);
            }
            for (int i = 0; i < p.tiles(); i++) {
                backward(p, Tile.of(p, b, h, i), dy, q, k, v, o, lse, dq, dk, dv);
            }
        });
    }

    /** With p = exp(scores − lse) and e = p·(dy·vᵀ − dy·o): dv += pᵀ·dy, dq = scale·e·k, dk += scale·eᵀ·q. */
    private void backward(Problem p, Tile tile, F32 dy, F32 q, F32 k, F32 v, F32 o, F32 lse, F32 dq, F32 dk, F32 dv) {
        int n = tile.keys;
        int query = p.query(tile.b, tile.from, tile.h);
        int key = p.key(tile.b, tile.h);
        int ld = p.stride();
        try (Scratch queries = Scratch.take(tile.rows * p.d); Scratch weights = Scratch.take((long) tile.rows * n);
                Scratch errors = Scratch.take((long) tile.rows * n)) {
            scores(p, tile, q, k, queries.data, weights.data);
            for (int r = 0; r < tile.rows; r++) {
                float log = lse.array()[lse.at() + p.lse(tile.b, tile.from + r, tile.h)];
                int some = log == Float.NEGATIVE_INFINITY ? 0 : p.keys(tile.from + r);
                loops.expSum(weights.data, r * n, log, weights.data, r * n, some);
                Arrays.fill(weights.data, r * n + some, (r + 1) * n, 0f);
            }
            Gemm.multiply(kernels, true, false, n, p.d, tile.rows, weights.data, 0, n, dy.array(), dy.at() + query, ld,
                    dv.array(), dv.at() + key, ld, true, Epilogue.NONE);
            Gemm.multiply(kernels, false, true, tile.rows, n, p.d, dy.array(), dy.at() + query, ld, v.array(), v.at() + key,
                    ld, errors.data, 0, n, false, Epilogue.NONE);
            for (int r = 0; r < tile.rows; r++) {
                float mean = loops.dot(dy.array(), dy.at() + query + r * ld, o.array(), o.at() + query + r * ld, p.d);
                loops.softmaxGrad(weights.data, r * n, errors.data, r * n, mean, errors.data, r * n, n);
            }
            Gemm.multiply(kernels, false, false, tile.rows, p.d, n, errors.data, 0, n, k.array(), k.at() + key, ld,
                    dq.array(), dq.at() + query, ld, false, Epilogue.NONE);
            for (int r = 0; r < tile.rows; r++) {
                loops.scale((float) p.scale, dq.array(), dq.at() + query + r * ld, p.d);
            }
            Gemm.multiply(kernels, true, false, n, p.d, tile.rows, errors.data, 0, n, queries.data, 0, p.d, dk.array(),
                    dk.at() + key, ld, true, Epilogue.NONE);
        }
    }
}
