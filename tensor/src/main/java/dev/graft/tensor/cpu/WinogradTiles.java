package dev.graft.tensor.cpu;

import java.util.Arrays;

/**
 * How Winograd's algorithm cuts images of height x width results: tiles of 4x4 results and, where those do not fit, an edge
 * of tiles with 2 or 3 results in that direction. F(4,3) evaluates at the points 0, 1, -1, 2, -2 and infinity, F(3,3) does
 * without -2 and F(2,3) without 2 and -2, so an edge tile uses the transformed weights of some of the 36 positions and
 * costs as much less.
 *
 * <p>Tiles are counted through the batch by kind: those at the right edge, whole ones, those at the lower edge, corners. In
 * this order the tiles that use a position are neighbours: {@link #first} to {@link #end}.
 */
record WinogradTiles(int batch, int height, int width) {
    /** What is done with a tile. */
    @FunctionalInterface
    interface Visitor {
        /**
         * @param rows results of the tile below each other: 4, 3 or 2
         * @param cols results of the tile beside each other
         * @param xo where the first pixel lies in x, whose rows and pixels are rs and cs apart
         */
        void visit(int tile, int rows, int cols, float[] x, int xo, int rs, int cs);
    }

    /** The multiplications of this cut per pair of channels, and of the direct sum 9 per result. */
    static long products(int batch, int height, int width) {
        return (long) batch * points(height) * points(width);
    }

    private static int points(int size) {
        int edge = edge(size);
        return size / 4 * 6 + (edge > 0 ? edge + 2 : 0);
    }

    /** Results of the tile at the end: 0 if there is none. A single one is computed as one of two. */
    private static int edge(int size) {
        int rest = size % 4;
        return rest == 1 ? 2 : rest;
    }

    private int down() {
        return height / 4;
    }

    private int across() {
        return width / 4;
    }

    private int rightEdge() {
        return width % 4 == 0 ? 0 : batch * down();
    }

    private int whole() {
        return batch * down() * across();
    }

    private int lowerEdge() {
        return height % 4 == 0 ? 0 : batch * across();
    }

    int count() {
        return rightEdge() + whole() + lowerEdge() + (height % 4 == 0 || width % 4 == 0 ? 0 : batch);
    }

    /** Whether tiles with {@code results} results in a direction use evaluation point {@code i} there. */
    static boolean uses(int results, int i) {
        return results == 4 || i != 4 && (results == 3 || i != 3);
    }

    /** The first tile that uses position {@code e} of 36. */
    int first(int e) {
        return uses(Math.max(2, edge(width)), e % 6) || width % 4 == 0 ? 0 : rightEdge();
    }

    /** The end of the tiles that use position {@code e}. */
    int end(int e) {
        boolean lower = height % 4 == 0 || uses(edge(height), e / 6);
        boolean right = width % 4 == 0 || uses(edge(width), e % 6);
        int end = rightEdge() + whole();
        return !lower ? end : right ? count() : end + lowerEdge();
    }

    /** Where a tile lies and how many results it has. */
    record Place(int image, int y, int x, int rows, int cols) {}

    Place place(int tile) {
        int t = tile;
        if (t < rightEdge()) {
            return new Place(t / down(), t % down() * 4, across() * 4, 4, edge(width));
        }
        t -= rightEdge();
        if (t < whole()) {
            return new Place(t / (down() * across()), t / across() % down() * 4, t % across() * 4, 4, 4);
        }
        t -= whole();
        if (t < lowerEdge()) {
            return new Place(t / across(), down() * 4, t % across() * 4, edge(height), 4);
        }
        return new Place(t - lowerEdge(), down() * 4, across() * 4, edge(height), edge(width));
    }

    /**
     * Shows tiles {@code from..to} of the images [batch, h, w, channels] at xo. A tile of n results reaches over
     * {@code n + more} pixels; those outside of the image are completed with zeros.
     *
     * @param padTop pixels above the image that belong to the first tile
     */
    void visit(int from, int to, float[] x, int xo, int h, int w, int channels, int more, int padTop, int padLeft,
            Visitor visitor) {
        int row = (4 + more) * channels;
        try (Scratch space = Scratch.take((4L + more) * row)) {
            float[] patch = space.data;
            for (int tile = from; tile < to; tile++) {
                Place p = place(tile);
                int iy = p.y - padTop;
                int ix = p.x - padLeft;
                int down = p.rows + more;
                int across = p.cols + more;
                int origin = xo + ((p.image * h + iy) * w + ix) * channels;
                if (iy >= 0 && ix >= 0 && iy + down <= h && ix + across <= w) {
                    visitor.visit(tile, p.rows, p.cols, x, origin, w * channels, channels);
                    continue;
                }
                int lo = Math.clamp(-ix, 0, across) * channels;
                int hi = Math.max(lo, Math.clamp(w - ix, 0, across) * channels);
                for (int r = 0; r < down; r++) {
                    int at = r * row;
                    if (iy + r < 0 || iy + r >= h || lo == hi) {
                        Arrays.fill(patch, at, at + row, 0f);
                        continue;
                    }
                    Arrays.fill(patch, at, at + lo, 0f);
                    System.arraycopy(x, origin + r * w * channels + lo, patch, at + lo, hi - lo);
                    Arrays.fill(patch, at + hi, at + row, 0f);
                }
                visitor.visit(tile, p.rows, p.cols, patch, 0, row, channels);
            }
        }
    }
}
