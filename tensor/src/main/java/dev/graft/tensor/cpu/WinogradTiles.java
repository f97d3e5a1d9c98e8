package dev.graft.tensor.cpu;

import java.util.Arrays;

/**
 * Square tiles of an NHWC image, 4 pixels apart. Tiles that reach over the border are completed with zeros.
 *
 * @param down tiles below each other
 * @param across tiles beside each other
 * @param side pixels of a tile in each direction
 */
record WinogradTiles(int batch, int height, int width, int channels, int down, int across, int side, int padTop,
        int padLeft) {
    /** What is done with a tile, whose first pixel lies at xo and whose rows and pixels are rs and cs apart. */
    @FunctionalInterface
    interface Visitor {
        void visit(int tile, float[] x, int xo, int rs, int cs);
    }

    int count() {
        return batch * down * across;
    }

    void visit(int from, int to, float[] x, int xo, Visitor visitor) {
        int row = side * channels;
        try (Scratch space = Scratch.take((long) side * row)) {
            float[] patch = space.data;
            for (int tile = from; tile < to; tile++) {
                int image = tile / (down * across);
                int iy = tile / across % down * 4 - padTop;
                int ix = tile % across * 4 - padLeft;
                int origin = xo + ((image * height + iy) * width + ix) * channels;
                if (iy >= 0 && ix >= 0 && iy + side <= height && ix + side <= width) {
                    visitor.visit(tile, x, origin, width * channels, channels);
                    continue;
                }
                int lo = Math.clamp(-ix, 0, side) * channels;
                int hi = Math.max(lo, Math.clamp(width - ix, 0, side) * channels);
                for (int r = 0; r < side; r++) {
                    int at = r * row;
                    if (iy + r < 0 || iy + r >= height || lo == hi) {
                        Arrays.fill(patch, at, at + row, 0f);
                        continue;
                    }
                    Arrays.fill(patch, at, at + lo, 0f);
                    System.arraycopy(x, origin + r * width * channels + lo, patch, at + lo, hi - lo);
                    Arrays.fill(patch, at + hi, at + row, 0f);
                }
                visitor.visit(tile, patch, 0, row, channels);
            }
        }
    }
}
