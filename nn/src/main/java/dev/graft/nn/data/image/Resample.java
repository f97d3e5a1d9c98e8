package dev.graft.nn.data.image;

import dev.graft.tensor.GraftException;

/**
 * Resizing with Pillow's arithmetic, so that an image has the same bits as in the preprocessing a network was trained with:
 * two passes, rows then columns, rounded to 8 bits in between, weights in fixed point with 22 fractional bits.
 */
final class Resample {
    /** 32 bits less 8 for the pixel, less 2 for sums of weights beyond 1 (BICUBIC and LANCZOS have negative ones). */
    private static final int PRECISION = 32 - 8 - 2;

    /** Pixels that are turned at once: as integers they stay in a core's second cache. */
    private static final int STRIP = 1 << 15;
    /** Rows or columns that are turned side by side: as much as a few cache lines. */
    private static final int TILE = 16;

    private Resample() {
    }

    static RgbImage resize(RgbImage image, int height, int width, Interpolation interpolation) {
        return resize(image, 0, 0, image.height(), image.width(), height, width, interpolation);
    }

    /** The same as cropping the rectangle and resizing that: pixels outside of it do not count. */
    static RgbImage resize(RgbImage image, int top, int left, int boxHeight, int boxWidth, int height, int width,
            Interpolation interpolation) {
        return resize(image, new Part(top, left, boxHeight, boxWidth), height, width, new Part(0, 0, height, width),
                interpolation);
    }

    /** A rectangle of an image, in pixels. */
    record Part(int top, int left, int height, int width) {
    }

    /** The part {@code wanted} of {@code box} resized to [height, width]; the rest of the result is not computed. */
    static RgbImage resize(RgbImage image, Part box, int height, int width, Part wanted, Interpolation interpolation) {
        if (height < 1 || width < 1 || 3L * height * width > Integer.MAX_VALUE - 8
                || 3L * box.height * width > Integer.MAX_VALUE - 8) {
            throw new GraftException("resize: an image of [" + box.height + ", " + box.width + "] cannot become ["
                    + height + ", " + width + "]: both sizes must be positive and the result below 2 GiB.");
        }
        if (height == box.height && width == box.width) {
            return image.crop(box.top + wanted.top, box.left + wanted.left, wanted.height, wanted.width);
        }
        if (interpolation == Interpolation.NEAREST) {
            return nearest(image, box, height, width, wanted);
        }
        Weights vertical = height == box.height ? null
                : Weights.of(box.height, height, interpolation, wanted.top, wanted.height);
        // Only the rows that the second pass reads.
        int first = vertical == null ? wanted.top : vertical.first();
        int rows = vertical == null ? wanted.height : vertical.end() - first;
        byte[] source = image.pixels();
        int stride = 3 * image.width();
        int offset = (box.top + first) * stride + 3 * box.left;
        if (width != box.width) {
            source = alongRows(source, offset, stride, rows,
                    Weights.of(box.width, width, interpolation, wanted.left, wanted.width));
            offset = 0;
            stride = 3 * wanted.width;
        } else {
            offset += 3 * wanted.left;
        }
        byte[] pixels = vertical == null ? source : alongColumns(source, offset, stride, 3 * wanted.width, vertical);
        return new RgbImage(wanted.height, wanted.width, pixels);
    }

    /**
     * Columns are turned into rows, some image rows at a time, so that whole columns are weighed and added: loops that the
     * JIT vectorises, as it does sums over {@code int[]} from their beginning on, and not over bytes.
     */
    private static byte[] alongRows(byte[] in, int offset, int stride, int rows, Weights w) {
        int first = w.first();
        int columns = w.end() - first;
        int width = w.start.length;
        byte[] out = new byte[3 * rows * width];
        int height = Math.clamp(STRIP / columns, 1, rows);
        int[][] turned = new int[columns][3 * height];
        int[][] narrowed = new int[width][3 * height];
        for (int y = 0; y < rows; y += height) {
            int n = Math.min(height, rows - y);
            toColumns(in, offset + y * stride + 3 * first, stride, n, turned);
            for (int x = 0; x < width; x++) {
                w.weigh(turned, w.start[x] - first, x, narrowed[x]);
            }
            toRows(narrowed, n, out, 3 * y * width);
        }
        return out;
    }

    private static void toColumns(byte[] in, int at, int stride, int rows, int[][] columns) {
        for (int y0 = 0; y0 < rows; y0 += TILE) {
            int end = 3 * Math.min(rows, y0 + TILE);
            for (int x = 0; x < columns.length; x++) {
                int[] column = columns[x];
                for (int o = 3 * y0, i = at + y0 * stride + 3 * x; o < end; o += 3, i += stride) {
                    column[o] = in[i] & 0xFF;
                    column[o + 1] = in[i + 1] & 0xFF;
                    column[o + 2] = in[i + 2] & 0xFF;
                }
            }
        }
    }

    private static void toRows(int[][] columns, int rows, byte[] out, int to) {
        for (int x0 = 0; x0 < columns.length; x0 += TILE) {
            int end = Math.min(columns.length, x0 + TILE);
            for (int y = 0; y < rows; y++) {
                int o = to + 3 * (y * columns.length + x0);
                for (int x = x0; x < end; x++, o += 3) {
                    int[] column = columns[x];
                    out[o] = (byte) column[3 * y];
                    out[o + 1] = (byte) column[3 * y + 1];
                    out[o + 2] = (byte) column[3 * y + 2];
                }
            }
        }
    }

    /** {@code at} is where the first row that is read begins. */
    private static byte[] alongColumns(byte[] in, int at, int stride, int rowBytes, Weights w) {
        int first = w.first();
        byte[] out = new byte[rowBytes * w.start.length];
        int[][] rows = new int[w.end() - first][];
        int[] sum = new int[rowBytes];
        for (int y = 0, made = 0, gone = 0; y < w.start.length; y++) {
            for (; made < w.start[y] - first + w.count[y]; made++) {
                // the array of a row that no later place reads
                boolean free = gone < made && gone < w.start[y] - first;
                rows[made] = free ? rows[gone] : new int[rowBytes];
                gone += free ? 1 : 0;
                widen(in, at + made * stride, rows[made]);
            }
            w.weigh(rows, w.start[y] - first, y, sum);
            narrow(sum, out, y * rowBytes);
        }
        return out;
    }

    private static void widen(byte[] in, int at, int[] out) {
        for (int i = 0; i < out.length; i++) {
            out[i] = in[at + i] & 0xFF;
        }
    }

    private static void narrow(int[] in, byte[] out, int at) {
        for (int i = 0; i < in.length; i++) {
            out[at + i] = (byte) in[i];
        }
    }

    private static void sum(int[] a, int wa, int[] b, int wb, int[] c, int wc, int[] d, int wd, int[] sum) {
        for (int i = 0; i < sum.length; i++) {
            sum[i] = a[i] * wa + b[i] * wb + c[i] * wc + d[i] * wd + (1 << PRECISION - 1);
        }
    }

    private static void add(int[] a, int wa, int[] b, int wb, int[] c, int wc, int[] d, int wd, int[] sum) {
        for (int i = 0; i < sum.length; i++) {
            sum[i] += a[i] * wa + b[i] * wb + c[i] * wc + d[i] * wd;
        }
    }

    private static void clip(int[] sum) {
        for (int i = 0; i < sum.length; i++) {
            sum[i] = Math.max(0, Math.min(255, sum[i] >> PRECISION));
        }
    }

    private static RgbImage nearest(RgbImage image, Part box, int height, int width, Part wanted) {
        int[] columns = nearestIndices(box.width, width);
        int[] rows = nearestIndices(box.height, height);
        byte[] in = image.pixels();
        byte[] out = new byte[3 * wanted.height * wanted.width];
        for (int y = 0, o = 0; y < wanted.height; y++) {
            int row = 3 * ((box.top + rows[wanted.top + y]) * image.width() + box.left);
            for (int x = 0; x < wanted.width; x++, o += 3) {
                int at = row + 3 * columns[wanted.left + x];
                out[o] = in[at];
                out[o + 1] = in[at + 1];
                out[o + 2] = in[at + 2];
            }
        }
        return new RgbImage(wanted.height, wanted.width, out);
    }

    private static int[] nearestIndices(int in, int out) {
        double scale = (double) in / out;
        double place = scale * 0.5;
        int[] indices = new int[out];
        for (int i = 0; i < out; i++, place += scale) { // summed up, not multiplied, as Pillow does
            indices[i] = Math.min(in - 1, (int) place);
        }
        return indices;
    }

    /**
     * For each output place: its first source pixel, how many of them, and {@code size} slots, a multiple of four, of
     * fixed-point weights.
     */
    private record Weights(int[] start, int[] count, int[] fixed, int size) {
        /** The first source pixel of all. */
        int first() {
            return start[0];
        }

        /** Behind the last source pixel of all. */
        int end() {
            return start[start.length - 1] + count[count.length - 1];
        }

        /** Output place {@code i} of every row of {@code in}, of which {@code from} is the first that it is made of. */
        void weigh(int[][] in, int from, int i, int[] out) {
            int k = i * size;
            int last = from + count[i] - 1;
            for (int j = from; j <= last; j += 4, k += 4) {
                int b = Math.min(last, j + 1);
                int c = Math.min(last, j + 2);
                int d = Math.min(last, j + 3);
                // weights behind the last one are zero
                if (j == from) {
                    sum(in[j], fixed[k], in[b], fixed[k + 1], in[c], fixed[k + 2], in[d], fixed[k + 3], out);
                } else {
                    add(in[j], fixed[k], in[b], fixed[k + 1], in[c], fixed[k + 2], in[d], fixed[k + 3], out);
                }
            }
            clip(out);
        }

        /** Of the {@code n} output places from {@code first} on, of {@code out}. */
        static Weights of(int in, int out, Interpolation interpolation, int first, int n) {
            double scale = (double) in / out;
            double stretch = Math.max(1, scale);
            double support = interpolation.support * stretch;
            int size = (int) Math.ceil(support) * 2 + 1 + 3 & ~3;
            int[] start = new int[n];
            int[] count = new int[n];
            int[] fixed = new int[Math.multiplyExact(n, size)];
            double[] weights = new double[size];
            for (int i = 0; i < n; i++) {
                double centre = (first + i + 0.5) * scale;
                int from = Math.max(0, (int) (centre - support + 0.5));
                int taps = Math.min(in, (int) (centre + support + 0.5)) - from;
                double total = 0;
                for (int k = 0; k < taps; k++) {
                    weights[k] = interpolation.weight((k + from - centre + 0.5) * (1 / stretch));
                    total += weights[k];
                }
                for (int k = 0; k < taps; k++) {
                    double weight = (total == 0 ? weights[k] : weights[k] / total) * (1 << PRECISION);
                    fixed[i * size + k] = (int) (weight < 0 ? weight - 0.5 : weight + 0.5);
                }
                start[i] = from;
                count[i] = taps;
            }
            return new Weights(start, count, fixed, size);
        }
    }
}
