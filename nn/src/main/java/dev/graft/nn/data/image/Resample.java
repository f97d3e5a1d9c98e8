package dev.graft.nn.data.image;

import dev.graft.tensor.GraftException;
import java.util.Arrays;

/**
 * Resizing with Pillow's arithmetic, so that an image has the same bits as in the preprocessing a network was trained with:
 * two passes, rows then columns, rounded to 8 bits in between, weights in fixed point with 22 fractional bits.
 */
final class Resample {
    /** 32 bits less 8 for the pixel, less 2 for sums of weights beyond 1 (BICUBIC and LANCZOS have negative ones). */
    private static final int PRECISION = 32 - 8 - 2;

    private Resample() {
    }

    static RgbImage resize(RgbImage image, int height, int width, Interpolation interpolation) {
        return resize(image, 0, 0, image.height(), image.width(), height, width, interpolation);
    }

    /** The same as cropping the rectangle and resizing that: pixels outside of it do not count. */
    static RgbImage resize(RgbImage image, int top, int left, int boxHeight, int boxWidth, int height, int width,
            Interpolation interpolation) {
        if (height < 1 || width < 1 || 3L * height * width > Integer.MAX_VALUE - 8
                || 3L * boxHeight * width > Integer.MAX_VALUE - 8) {
            throw new GraftException("resize: an image of [" + boxHeight + ", " + boxWidth + "] cannot become ["
                    + height + ", " + width + "]: both sizes must be positive and the result below 2 GiB.");
        }
        if (height == boxHeight && width == boxWidth) {
            return image.crop(top, left, boxHeight, boxWidth);
        }
        int stride = 3 * image.width();
        int offset = top * stride + 3 * left;
        if (interpolation == Interpolation.NEAREST) {
            return nearest(image.pixels(), offset, stride, boxHeight, boxWidth, height, width);
        }
        byte[] source = image.pixels();
        Weights columns = height == boxHeight ? null : Weights.of(boxHeight, height, interpolation);
        if (width != boxWidth) {
            // Only the rows that the second pass reads.
            int first = columns == null ? 0 : columns.start[0];
            int last = columns == null ? boxHeight : columns.start[height - 1] + columns.count[height - 1];
            byte[] narrowed = new byte[3 * boxHeight * width];
            alongRows(source, offset, stride, narrowed, first, last, width, Weights.of(boxWidth, width, interpolation));
            source = narrowed;
            offset = 0;
            stride = 3 * width;
        }
        if (columns == null) {
            return new RgbImage(height, width, source);
        }
        byte[] out = new byte[3 * height * width];
        alongColumns(source, offset, stride, out, 3 * width, columns);
        return new RgbImage(height, width, out);
    }

    private static void alongRows(byte[] in, int offset, int stride, byte[] out, int firstRow, int lastRow, int width,
            Weights w) {
        for (int y = firstRow; y < lastRow; y++) {
            int row = offset + y * stride;
            int o = 3 * y * width;
            for (int x = 0; x < width; x++, o += 3) {
                int at = row + 3 * w.start[x];
                int k = x * w.size;
                int end = k + w.count[x];
                int red = 1 << PRECISION - 1;
                int green = red;
                int blue = red;
                for (; k < end; k++, at += 3) {
                    int weight = w.fixed[k];
                    red += (in[at] & 0xFF) * weight;
                    green += (in[at + 1] & 0xFF) * weight;
                    blue += (in[at + 2] & 0xFF) * weight;
                }
                out[o] = clip(red);
                out[o + 1] = clip(green);
                out[o + 2] = clip(blue);
            }
        }
    }

    /** Whole rows are weighed and added, so that the inner loops are plain sums over arrays that the JIT vectorises. */
    private static void alongColumns(byte[] in, int offset, int stride, byte[] out, int rowBytes, Weights w) {
        int[] sum = new int[rowBytes];
        for (int y = 0; y < w.start.length; y++) {
            Arrays.fill(sum, 1 << PRECISION - 1);
            for (int k = 0; k < w.count[y]; k++) {
                addRow(in, offset + (w.start[y] + k) * stride, w.fixed[y * w.size + k], sum);
            }
            storeRow(sum, out, y * rowBytes);
        }
    }

    private static void addRow(byte[] in, int at, int weight, int[] sum) {
        for (int i = 0; i < sum.length; i++) {
            sum[i] += (in[at + i] & 0xFF) * weight;
        }
    }

    private static void storeRow(int[] sum, byte[] out, int at) {
        for (int i = 0; i < sum.length; i++) {
            out[at + i] = (byte) Math.max(0, Math.min(255, sum[i] >> PRECISION));
        }
    }

    private static byte clip(int sum) {
        return (byte) Math.max(0, Math.min(255, sum >> PRECISION));
    }

    private static RgbImage nearest(byte[] in, int offset, int stride, int boxHeight, int boxWidth, int height, int width) {
        int[] columns = nearestIndices(boxWidth, width);
        int[] rows = nearestIndices(boxHeight, height);
        byte[] out = new byte[3 * height * width];
        for (int y = 0, o = 0; y < height; y++) {
            int row = offset + rows[y] * stride;
            for (int x = 0; x < width; x++, o += 3) {
                int at = row + 3 * columns[x];
                out[o] = in[at];
                out[o + 1] = in[at + 1];
                out[o + 2] = in[at + 2];
            }
        }
        return new RgbImage(height, width, out);
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

    /** For each output place: its first source pixel, how many of them, and {@code size} slots of fixed-point weights. */
    private record Weights(int[] start, int[] count, int[] fixed, int size) {
        static Weights of(int in, int out, Interpolation interpolation) {
            double scale = (double) in / out;
            double stretch = Math.max(1, scale);
            double support = interpolation.support * stretch;
            int size = (int) Math.ceil(support) * 2 + 1;
            int[] start = new int[out];
            int[] count = new int[out];
            int[] fixed = new int[Math.multiplyExact(out, size)];
            double[] weights = new double[size];
            for (int i = 0; i < out; i++) {
                double centre = (i + 0.5) * scale;
                int from = Math.max(0, (int) (centre - support + 0.5));
                int n = Math.min(in, (int) (centre + support + 0.5)) - from;
                double total = 0;
                for (int k = 0; k < n; k++) {
                    weights[k] = interpolation.weight((k + from - centre + 0.5) * (1 / stretch));
                    total += weights[k];
                }
                for (int k = 0; k < n; k++) {
                    double weight = (total == 0 ? weights[k] : weights[k] / total) * (1 << PRECISION);
                    fixed[i * size + k] = (int) (weight < 0 ? weight - 0.5 : weight + 0.5);
                }
                start[i] = from;
                count[i] = n;
            }
            return new Weights(start, count, fixed, size);
        }
    }
}
