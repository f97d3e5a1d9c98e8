package dev.graft.tensor.cpu;

import dev.graft.tensor.op.ReduceFn;
import java.util.Arrays;

/**
 * Attention of one batch entry and head at a time, by tiles of queries: the scores of a tile with all keys stay in the cache
 * between the two products that make and use them, and are made anew for the gradients. What a head's tiles multiply with is
 * packed once; their other operands are read where they lie.
 */
final class TiledAttention {
    private static final int TILE = 1 << 17;
    private static final int DEPTH = 256; // as in Panels
    private static final int TASKS = 16;
    private static final long COPIES_LIMIT = 4L << 20;

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
        int step() {
            return heads * d;
        }

        /** Query or key {@code i} of {@code of} in each batch entry. */
        int at(int b, int i, int of, int h) {
            return ((b * of + i) * heads + h) * d;
        }

        int query(int b, int i, int h) {
            return at(b, i, t, h);
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

        /** Into how many tasks a head's tiles are cut; few heads alone would leave threads idle. */
        int parts() {
            return Math.clamp(TASKS / ((long) batch * heads), 1, tiles());
        }

        /** Where runs of masked keys begin and end, one after the other. */
        int[] masked(int b) {
            int[] runs = new int[8];
            int n = 0;
            for (int j = 0; j <= s && mask != null; j++) {
                boolean off = j < s && mask[maskAt + b * s + j] == 0;
                if (off == (n % 2 == 0)) {
                    if (n == runs.length) {
                        runs = Arrays.copyOf(runs, 2 * n);
                    }
                    runs[n++] = j;
                }
            }
            return Arrays.copyOf(runs, n);
        }
    }

    /** What one thread works on: the tiles {@code first} to {@code end} (exclusive) of a batch entry's head. */
    private final class Task {
        private final Problem p;
        private final int b;
        private final int h;
        private final int first;
        private final int end;
        private final int[] masked;

        Task(Problem p, int parts, int index) {
            this.p = p;
            int head = index / parts;
            b = head / p.heads;
            h = head % p.heads;
            first = (int) ((long) p.tiles() * (index % parts) / parts);
            end = (int) ((long) p.tiles() * (index % parts + 1) / parts);
            masked = p.masked(b);
        }

        /** Keys that any of its queries may attend. */
        int keys() {
            return p.keys(Math.min(p.t, end * p.rows()) - 1);
        }

        int key() {
            return p.at(b, 0, p.s, h);
        }

        void mask(float[] scores, int rows, int n, int ld) {
            for (int r = 0; r < rows && masked.length > 0; r++) {
                for (int i = 0; i < masked.length && masked[i] < n; i += 2) {
                    Arrays.fill(scores, r * ld + masked[i], r * ld + Math.min(n, masked[i + 1]), Float.NEGATIVE_INFINITY);
                }
            }
        }
    }

    private int padded(int n) {
        return Panels.padded(kernels, n);
    }

    /** Packs B[k][n], of which one stride is 1, into panels as wide as the widest tile. */
    private void pack(int k, int n, float[] b, int bo, int ks, int cs, float[] to) {
        for (int j = 0; j < Panels.tileCount(kernels, n); j++) {
            int column = j * Panels.tileWidth(kernels);
            int w = Panels.tileWidth(kernels, n, j);
            Panels.pack(k, Math.min(w, n - column), w, b, bo + column * cs, ks, cs, to, column * k);
        }
    }

    /**
     * C[m][padded n] (+)= A[m][k] * B with packed B, of which the first {@code n} of {@code columns} columns and {@code k}
     * of {@code depth} rows are used. The panels' order of additions depends on k alone.
     */
    private void multiply(int m, int n, int k, float[] a, int ao, int rs, int ks, float[] packed, int depth, int columns,
            float[] c, int co, int ldc, boolean accumulate) {
        for (int j = 0; j < Panels.tileCount(kernels, n); j++) {
            int column = j * Panels.tileWidth(kernels);
            int stride = Panels.tileWidth(kernels, columns, j); // more than is used where n ends inside a panel
            int vectors = Panels.tileWidth(kernels, n, j) / kernels.lanes();
            for (int k0 = 0; k0 < k; k0 += DEPTH) {
                kernels.tiles(m, vectors, Math.min(DEPTH, k - k0), a, ao + k0 * ks, rs, ks, packed,
                        column * depth + k0 * stride, stride, c, co + column, ldc, accumulate || k0 > 0);
            }
        }
    }

    /**
     * Packs rows and multiplies them as left operand with the first {@code n} columns of packed B: a copy that is one panel
     * is read instead of the rows, which lie far from each other.
     */
    private void multiplyPacking(int m, int n, int k, float[] a, int ao, int rs, float[] rows, float[] packed, int columns,
            float[] c, int ldc) {
        pack(m, k, a, ao, rs, 1, rows);
        boolean copy = Panels.tileCount(kernels, k) == 1;
        multiply(m, n, k, copy ? rows : a, copy ? 0 : ao, copy ? padded(k) : rs, 1, packed, k, columns, c, 0, ldc, false);
    }

    void forward(Problem p, F32 q, F32 k, F32 v, F32 o, F32 lse) {
        int parts = p.parts();
        WorkerPool.shared().run(p.batch * p.heads * parts, i -> forward(new Task(p, parts, i), q, k, v, o, lse));
    }

    private void forward(Task task, F32 q, F32 k, F32 v, F32 o, F32 lse) {
        Problem p = task.p;
        int all = task.keys();
        int wide = padded(p.d);
        try (Scratch keys = Scratch.take((long) p.d * padded(all)); Scratch values = Scratch.take((long) all * wide);
                Scratch scores = Scratch.take((long) p.rows() * padded(all)); Scratch sums = Scratch.take(p.rows() * wide)) {
            packKeys(p, all, k, task.key(), values.data, keys.data);
            pack(all, p.d, v.array(), v.at() + task.key(), p.step(), 1, values.data);
            float[] factor = new float[p.rows()];
            for (int tile = task.first; tile < task.end; tile++) {
                int from = tile * p.rows();
                int rows = Math.min(p.rows(), p.t - from);
                int n = p.keys(from + rows - 1);
                int ld = padded(n);
                multiplyPacking(rows, n, p.d, q.array(), q.at() + p.query(task.b, from, task.h), p.step(), sums.data,
                        keys.data, all, scores.data, ld);
                task.mask(scores.data, rows, n, ld);
                for (int r = 0; r < rows; r++) {
                    lse.array()[lse.at() + p.lse(task.b, from + r, task.h)] =
                            softmax(scores.data, r * ld, p.keys(from + r), n, factor, r);
                }
                if (n == 0) {
                    Arrays.fill(sums.data, 0, rows * wide, 0f);
                }
                multiply(rows, p.d, n, scores.data, 0, ld, 1, values.data, all, p.d, sums.data, 0, wide, false);
                for (int r = 0; r < rows; r++) {
                    loops.scale(factor[r], sums.data, r * wide, o.array(), o.at() + p.query(task.b, from + r, task.h), p.d);
                }
            }
        }
    }

    /** scale · kᵀ of the first {@code n} keys, so that neither queries nor scores need be scaled; and their rows. */
    private void packKeys(Problem p, int n, F32 k, int key, float[] rows, float[] to) {
        packBoth(p, n, k, key, rows, to);
        loops.scale((float) p.scale, to, 0, p.d * padded(n));
    }

    /** Packs n rows of d elements and their transpose, by way of the copy if that is one panel. */
    private void packBoth(Problem p, int n, F32 x, int at, float[] rows, float[] transposed) {
        pack(n, p.d, x.array(), x.at() + at, p.step(), 1, rows);
        if (Panels.tileCount(kernels, p.d) == 1) {
            pack(p.d, n, rows, 0, 1, padded(p.d), transposed);
        } else {
            pack(p.d, n, x.array(), x.at() + at, 1, p.step(), transposed);
        }
    }

    /**
     * Makes weights of the first {@code some} of a row's {@code n} scores, but for a factor, and zeros of the others;
     * returns log Σ exp of the scores.
     */
    private float softmax(float[] scores, int at, int some, int n, float[] factor, int r) {
        float max = some == 0 ? Float.NEGATIVE_INFINITY : loops.largest(scores, at, some);
        if (max == Float.NEGATIVE_INFINITY && some > 0) {
            max = loops.reduce(ReduceFn.MAX, scores, at, some); // which sees a NaN among them
        }
        if (max == Float.NEGATIVE_INFINITY) {
            Arrays.fill(scores, at, at + n, 0f);
            factor[r] = 0;
            return max;
        }
        float sum = loops.expSum(scores, at, max, scores, at, some);
        Arrays.fill(scores, at + some, at + n, 0f);
        factor[r] = 1 / sum;
        return (float) (max + Math.log(sum));
    }

    /**
     * The gradients by keys and values are sums over a head's tiles: a task adds up those of its own, and where a head has
     * several tasks, theirs are added in the end. Where the copies for that would be large, a head has fewer.
     */
    void backward(Problem p, F32 dy, F32 q, F32 k, F32 v, F32 o, F32 lse, F32 dq, F32 dk, F32 dv) {
        long floats = (long) p.s * padded(p.d);
        int size = (int) floats; // Scratch refuses what is no int
        int heads = p.batch * p.heads;
        int parts = Math.clamp(COPIES_LIMIT / (2 * floats * heads), 1, p.parts());
        if (parts == 1) {
            WorkerPool.shared().run(heads, i -> {
                try (Scratch sums = Scratch.take(2 * floats)) {
                    Task task = new Task(p, 1, i);
                    backward(task, dy, q, k, v, o, lse, dq, sums.data, 0, size);
                    store(p, task, sums.data, 0, size, dk, dv);
                }
            });
            return;
        }
        try (Scratch sums = Scratch.take(2 * floats * parts * heads)) { // COPIES_LIMIT at most: indices are no overflow
            WorkerPool.shared().run(heads * parts, i ->
                    backward(new Task(p, parts, i), dy, q, k, v, o, lse, dq, sums.data, 2 * size * i, size));
            WorkerPool.shared().run(heads, head -> {
                int to = 2 * size * head * parts;
                for (int i = 1; i < parts; i++) {
                    int from = to + 2 * size * i;
                    for (int j = 0; j < 2 * size; j++) {
                        sums.data[to + j] += sums.data[from + j];
                    }
                }
                store(p, new Task(p, parts, head * parts), sums.data, to, size, dk, dv);
            });
        }
    }

    private void store(Problem p, Task task, float[] sums, int at, int size, F32 dk, F32 dv) {
        int wide = padded(p.d);
        for (int j = 0; j < p.s; j++) {
            int to = p.at(task.b, j, p.s, task.h);
            loops.scale((float) p.scale, sums, at + j * wide, dk.array(), dk.at() + to, p.d);
            System.arraycopy(sums, at + size + j * wide, dv.array(), dv.at() + to, p.d);
        }
    }

    /**
     * With p = exp(scores − lse) and e = p·(dy·vᵀ − dy·o): dv = pᵀ·dy, dq = scale·e·k, dk = scale·eᵀ·q.
     *
     * @param sums dk / scale from {@code at} on and dv {@code size} floats later, summed over the task's tiles
     */
    private void backward(Task task, F32 dy, F32 q, F32 k, F32 v, F32 o, F32 lse, F32 dq, float[] sums, int at, int size) {
        Problem p = task.p;
        int all = task.keys();
        int wide = padded(p.d);
        int operand = Math.max(p.rows(), 1) * wide;
        Arrays.fill(sums, at, at + 2 * size, 0f);
        try (Scratch keys = Scratch.take((long) p.d * padded(all)); Scratch values = Scratch.take((long) p.d * padded(all));
                Scratch rowsOfKeys = Scratch.take((long) all * wide); Scratch queries = Scratch.take(operand);
                Scratch errorsOut = Scratch.take(operand); Scratch result = Scratch.take(operand);
                Scratch weights = Scratch.take((long) p.rows() * padded(all));
                Scratch errors = Scratch.take((long) p.rows() * padded(all))) {
            packBoth(p, all, v, task.key(), rowsOfKeys.data, values.data);
            packKeys(p, all, k, task.key(), rowsOfKeys.data, keys.data);
            for (int tile = task.first; tile < task.end; tile++) {
                int from = tile * p.rows();
                int rows = Math.min(p.rows(), p.t - from);
                int n = p.keys(from + rows - 1);
                int ld = padded(n);
                int query = p.query(task.b, from, task.h);
                int y = dy.at() + p.query(task.b, from, task.h);
                multiplyPacking(rows, n, p.d, q.array(), q.at() + query, p.step(), queries.data, keys.data, all,
                        weights.data, ld);
                task.mask(weights.data, rows, n, ld);
                multiplyPacking(rows, n, p.d, dy.array(), y, p.step(), errorsOut.data, values.data, all, errors.data, ld);
                for (int r = 0; r < rows; r++) {
                    float log = lse.array()[lse.at() + p.lse(task.b, from + r, task.h)];
                    int some = log == Float.NEGATIVE_INFINITY ? 0 : p.keys(from + r);
                    loops.expSum(weights.data, r * ld, log, weights.data, r * ld, some);
                    Arrays.fill(weights.data, r * ld + some, r * ld + n, 0f);
                    float mean = loops.dot(dy.array(), y + r * p.step(), o.array(),
                            o.at() + p.query(task.b, from + r, task.h), p.d);
                    loops.softmaxGrad(weights.data, r * ld, errors.data, r * ld, mean, errors.data, r * ld, n);
                }
                multiply(n, p.d, rows, errors.data, 0, 1, ld, queries.data, rows, p.d, sums, at, wide, true);
                multiply(n, p.d, rows, weights.data, 0, 1, ld, errorsOut.data, rows, p.d, sums, at + size, wide,
                        true);
                if (n == 0) {
                    Arrays.fill(result.data, 0, rows * wide, 0f);
                }
                multiply(rows, p.d, n, errors.data, 0, ld, 1, rowsOfKeys.data, all, p.d, result.data, 0, wide,
                        false);
                for (int r = 0; r < rows; r++) {
                    loops.scale((float) p.scale, result.data, r * wide, dq.array(), dq.at() + query + r * p.step(), p.d);
                }
            }
        }
    }
}
