package dev.graft.kernels.ops;

import dev.graft.tensor.DType;

/**
 * How the columns of [outer, rows, inner] are dealt to blocks: the struct of the same name in {@code tiles.cuh}.
 *
 * @param inner   vectors from one row to the next
 * @param columns outer * inner, in vectors
 * @param splits  blocks that share the rows of a tile
 * @param chunk   rows of one split
 * @param lanes   columns of a tile, a power of two
 */
record Tiles(long rows, long inner, long columns, long splits, long chunk, int lanes) {
    static final int THREADS = 256;
    private static final int COUNTERS = 4096;
    /** Rows that a thread reads at a time. */
    private static final int AT_ONCE = 4;

    /** To reduce the rows, by about four blocks for each of {@code multiprocessors} if there are rows enough. */
    static Tiles reducing(long outer, long rows, long inner, int multiprocessors) {
        long columns = outer * inner;
        int lanes = lanes(columns, rows, 32);
        int ways = THREADS / lanes;
        long tiles = ceil(columns, lanes);
        long splits = 1;
        if (tiles < 2L * multiprocessors && tiles <= COUNTERS) {
            splits = Math.clamp(rows / ((long) AT_ONCE * ways), 1, ceil(4L * multiprocessors, tiles));
        }
        return new Tiles(rows, inner, columns, splits, ceil(rows, splits), lanes).trimmed();
    }

    /** To reduce the rows without splits: few columns to a tile, so that there are many blocks. */
    static Tiles whole(long outer, long rows, long inner) {
        return new Tiles(rows, inner, outer * inner, 1, rows, lanes(outer * inner, rows, 8));
    }

    /** To work on every element: each thread has {@code each} rows of its column. */
    static Tiles walking(long outer, long rows, long inner, int each) {
        long columns = outer * inner;
        int lanes = lanes(columns, rows, 32);
        long chunk = Math.min(rows, (long) each * THREADS / lanes);
        return new Tiles(rows, inner, columns, ceil(rows, chunk), chunk, lanes);
    }

    private static int lanes(long columns, long rows, int fewest) {
        int narrow = Math.min(fewest, Vectors.powerAbove(columns));
        int ways = Math.clamp(Integer.highestOneBit((int) Math.clamp(rows / AT_ONCE, 1, THREADS)), 1, THREADS / narrow);
        return THREADS / ways;
    }

    /** Without splits that would have no rows. */
    private Tiles trimmed() {
        return new Tiles(rows, inner, columns, Math.max(1, ceil(rows, chunk)), chunk, lanes);
    }

    long tiles() {
        return ceil(columns, lanes);
    }

    long blocks() {
        return tiles() * splits;
    }

    /** Bytes of what the splits leave in memory: {@code values} numbers per column, of the type {@code t} is computed in. */
    long partial(int values, DType t) {
        return splits > 1 ? splits * columns * values * Vectors.accumulator(t).bytes() : 0;
    }

    /** As the kernels take it. */
    long[] longs() {
        return new long[] {rows, inner, columns, splits, chunk, lanes};
    }

    static long ceil(long n, long d) {
        return (n + d - 1) / d;
    }
}
