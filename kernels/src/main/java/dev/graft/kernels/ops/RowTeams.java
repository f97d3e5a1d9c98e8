package dev.graft.kernels.ops;

/**
 * How rows are dealt to teams of threads, see {@code rows.cuh}.
 *
 * @param each    vectors of a row that a thread keeps in registers; 0: the row is too long for that
 * @param team    threads that work on one row: a power of two up to 32, or the whole block
 * @param threads of a block
 */
record RowTeams(int each, int team, int threads) {
    private static final int BLOCK = 256;
    private static final int WARP = 32;

    /**
     * For rows that are kept in registers, at most {@code most} elements (16 or 32) for each thread of at most {@code block}
     * threads.
     *
     * @param vectors of a row
     * @param width   elements of a vector
     */
    static RowTeams keeping(long vectors, int width, int most, int block) {
        if (vectors <= 8) {
            return new RowTeams(1, Vectors.powerAbove(vectors), BLOCK);
        }
        for (int elements = 16; elements <= most; elements *= 2) {
            int each = elements / width;
            if (vectors <= (long) each * WARP) {
                return new RowTeams(each, Vectors.powerAbove(Tiles.ceil(vectors, each)), BLOCK);
            }
        }
        for (int elements = 16; elements <= most; elements *= 2) {
            int each = elements / width;
            if (vectors <= (long) each * block) {
                int threads = (int) Tiles.ceil(Tiles.ceil(vectors, each), WARP) * WARP;
                return new RowTeams(each, threads, threads);
            }
        }
        return new RowTeams(0, 512, 512);
    }

    /**
     * For rows of two inputs with two sums for every column: {@code most} elements only for a thread of a warp, whose blocks
     * can have more registers.
     */
    static RowTeams keepingTwice(long vectors, int width, int most) {
        RowTeams r = keeping(vectors, width, most, 512);
        return r.team > WARP && r.each > 16 / width ? new RowTeams(0, 512, 512) : r;
    }

    /** For rows that are walked along by at most a warp, {@code atOnce} vectors for each lane if there are so many. */
    static RowTeams inWarps(long vectors, int atOnce) {
        return new RowTeams(0, Vectors.powerAbove(Math.min(WARP, Tiles.ceil(vectors, atOnce))), BLOCK);
    }

    /** For rows that are walked along, {@code atOnce} vectors at a time. */
    static RowTeams walking(long vectors, int atOnce) {
        long wanted = Tiles.ceil(vectors, atOnce);
        if (wanted <= WARP) {
            return inWarps(vectors, atOnce);
        }
        int threads = (int) Math.min(512, Tiles.ceil(wanted, WARP) * WARP);
        return new RowTeams(0, threads, threads);
    }

    /** The kernel's name, which ends with what a thread keeps. */
    String named(String kernel, int width) {
        return kernel + (each == 0 ? "_long" : each == 1 ? "_one" : each == 16 / width ? "_some" : "_many");
    }

    /** Rows that a block works on at a time. */
    int rowsPerBlock() {
        return team <= WARP ? threads / team : 1;
    }

    /** One step for every row, or as many blocks as a launch may have. */
    long blocks(long rows) {
        return Math.min(Tiles.ceil(rows, rowsPerBlock()), 1 << 30);
    }
}
