package dev.graft.tensor.cpu;

import java.util.Arrays;
import java.util.List;

/**
 * Convolution with register tiles that read the windows where they lie. Rows of the image are copied with their padding to
 * a frame in which the pixels that neighbouring windows begin with are a constant number of floats apart, whatever the
 * stride and the channels: pixels are sorted by their column modulo the stride, and channels are cut into pieces. A table
 * says where in the frame each value of a window lies. The parts of a data gradient share one frame.
 */
final class FrameConvolution {
    /** Channels of a piece, and floats from pixel to pixel of the frame. */
    private static final int PIECE = 64, STEP = 72;
    private static final int FRAME_FLOATS = 1 << 17; // half a megabyte: beside a panel of weights in L2
    private static final int MOST_FLOATS = 1 << 22;
    private static final int COPIED = 32;            // floats of a pixel that are copied at a time
    private static final int MOST_OF_ONE = 128;      // channels that a 1x1 kernel may have
    private static final int TASKS = 16;
    private static final int PANELS = 4;             // fewer than so many per task do not pay for the copy

    /** Where results go: pixel (q, r) of the window is pixel (row + q*rowStep, column + r*columnStep) of the result. */
    record Target(int height, int width, int channels, int row, int rowStep, int column, int columnStep) {
        boolean contiguous() {
            return rowStep == 1 && columnStep == 1;
        }
    }

    /** A window over the image, its packed weights from {@code po} on, and where its results go. */
    record Part(Window window, int po, Target target) {}

    private final MicroKernels mk;
    private final List<Part> parts;
    private final Window any;
    private final int batch, n;
    private final float[] x, packed, y;
    private final int xo, yo;
    private final Epilogue e;
    private final int firstRow, firstColumn, down, across; // of the windows of one pixel of all parts
    private final int outH, outW;                          // the largest of the parts
    private final int plane, pitch;                        // floats of a piece of one column class, of a row of the frame
    private final boolean[] rowUsed, columnUsed;           // by row or column modulo the stride
    private final int[][] at;

    private FrameConvolution(MicroKernels mk, List<Part> parts, int batch, int n, float[] x, int xo, float[] packed,
            float[] y, int yo, Epilogue e) {
        this.mk = mk;
        this.parts = parts;
        this.batch = batch;
        this.n = n;
        this.x = x;
        this.xo = xo;
        this.packed = packed;
        this.y = y;
        this.yo = yo;
        this.e = e;
        any = parts.getFirst().window;
        int top = Integer.MAX_VALUE, left = Integer.MAX_VALUE, bottom = Integer.MIN_VALUE, right = Integer.MIN_VALUE;
        int h = 0, w = 0;
        for (Part p : parts) {
            Window v = p.window;
            h = Math.max(h, v.outH());
            w = Math.max(w, v.outW());
            if (v.depth() > 0) {
                top = Math.min(top, -v.padTop());
                left = Math.min(left, -v.padLeft());
                bottom = Math.max(bottom, (v.kH() - 1) * v.dilationH() - v.padTop());
                right = Math.max(right, (v.kW() - 1) * v.dilationW() - v.padLeft());
            }
        }
        outH = h;
        outW = w;
        firstRow = top;
        firstColumn = left;
        down = bottom - top + 1;
        across = right - left + 1;
        int columns = (outW - 1) * any.strideW() + across;
        plane = (columns + any.strideW() - 1) / any.strideW() * STEP;
        pitch = plane * pieces() * any.strideW();
        rowUsed = new boolean[any.strideH()];
        columnUsed = new boolean[any.strideW()];
        at = new int[parts.size()][];
        for (int i = 0; i < at.length; i++) {
            at[i] = places(parts.get(i).window);
        }
    }

    private int pieces() {
        return (any.channels() + PIECE - 1) / PIECE;
    }

    /** Where the values of a window lie, from where the frame of its output pixel begins. */
    private int[] places(Window v) {
        int[] to = new int[v.depth()];
        int k = 0;
        for (int ky = 0; ky < v.kH(); ky++) {
            int row = ky * v.dilationH() - v.padTop() - firstRow;
            rowUsed[row % v.strideH()] |= v.kW() > 0;
            for (int kx = 0; kx < v.kW(); kx++) {
                int column = kx * v.dilationW() - v.padLeft() - firstColumn;
                columnUsed[column % v.strideW()] = true;
                int from = row * pitch + column % v.strideW() * pieces() * plane + column / v.strideW() * STEP;
                for (int c = 0; c < v.channels(); c++) {
                    to[k++] = from + c / PIECE * plane + c % PIECE;
                }
            }
        }
        return to;
    }

    static boolean serves(MicroKernels mk, List<Part> parts, int groups, int n) {
        if (!mk.vectors() || !VectorKernels.MANY_REGISTERS || groups > 1 || n % mk.lanes() != 0) {
            return false;
        }
        int channels = parts.getFirst().window.channels();
        long deepest = 0;
        long least = 0; // what a row of results reads has to be of a sensible size: it is needed as a whole
        for (Part p : parts) {
            Window v = p.window;
            if (v.outW() < FrameTiles.FEWEST) {
                return false;
            }
            deepest = Math.max(deepest, v.depth());
            long columns = (long) v.outW() * v.strideW() + (long) v.kW() * v.dilationW();
            least = Math.max(least, (long) v.kH() * v.dilationH() * columns * ((channels + PIECE - 1) / PIECE) * STEP);
        }
        return deepest >= PIECE && (deepest > channels || deepest <= MOST_OF_ONE) && channels >= mk.lanes()
                && least <= MOST_FLOATS && deepest <= 1 << 16;
    }

    static void run(MicroKernels mk, List<Part> parts, int batch, int n, float[] x, int xo, float[] packed, float[] y,
            int yo, Epilogue e) {
        new FrameConvolution(mk, parts, batch, n, x, xo, packed, y, yo, e).run();
    }

    private int frameRows(int rows) {
        return (rows - 1) * any.strideH() + down;
    }

    private void run() {
        // Several small images, or some rows of a large one.
        int rows = Math.clamp((FRAME_FLOATS / pitch - down) / any.strideH() + 1, 1, outH);
        int images = rows < outH ? 1 : Math.clamp(FRAME_FLOATS / ((long) frameRows(outH) * pitch), 1, batch);
        if (rows < outH) { // equal blocks
            int count = (outH + rows - 1) / rows;
            rows = (outH + count - 1) / count;
        }
        int some = rows;
        int bands = (outH + rows - 1) / rows;
        int panels = Panels.count(mk, n);
        int blocks = (batch + images - 1) / images * bands;
        int shares = Math.clamp(Math.min((TASKS + blocks - 1) / blocks, panels / PANELS), 1, panels);
        WorkerPool.shared().run(blocks * shares, task -> {
            int block = task / shares;
            int share = task % shares;
            int image = block / bands * images;
            int from = block % bands * some;
            block(image, Math.min(batch, image + images), from, Math.min(outH, from + some), panels * share / shares,
                    panels * (share + 1) / shares);
        });
    }

    private void block(int image, int imageEnd, int from, int to, int panelFrom, int panelTo) {
        int size = frameRows(to - from) * pitch;
        try (Scratch frame = Scratch.take((long) (imageEnd - image) * size + mk.lanes())) {
            for (int i = image; i < imageEnd; i++) {
                fill(i, from, to, frame.data, (i - image) * size);
            }
            for (int p = 0; p < at.length; p++) {
                for (int j = panelFrom; j < panelTo; j++) {
                    panel(parts.get(p), at[p], image, imageEnd, from, to, j, frame.data, size);
                }
                if (!e.none()) {
                    int column = panelFrom * Panels.width(mk);
                    int columns = Math.min(n, panelTo * Panels.width(mk)) - column;
                    for (int i = image; i < imageEnd; i++) {
                        int first = (i * outH + from) * outW;
                        e.apply(first, (to - from) * outW, column, columns, y, yo + first * n + column, n);
                    }
                }
            }
        }
    }

    /** The sums of one panel of columns for rows of some images, over a part of k whose weights stay in L1. */
    private void panel(Part part, int[] at, int image, int imageEnd, int from, int to, int j, float[] frame, int size) {
        Window v = part.window;
        int depth = v.depth();
        int w = Panels.width(mk, n, j);
        int step = part.target.columnStep * part.target.channels;
        int chunk = FrameTiles.exact(w / mk.lanes(), v.outW()) ? Panels.depth(depth) : depth;
        for (int k = 0; k < depth; k += chunk) {
            int weights = part.po + j * Panels.width(mk) * depth + k * w;
            for (int i = image; i < imageEnd; i++) {
                for (int q = from; q < Math.min(to, v.outH()); q++) {
                    FrameTiles.row(w / mk.lanes(), v.outW(), Math.min(chunk, depth - k), frame,
                            (i - image) * size + (q - from) * any.strideH() * pitch, at, k, packed, weights, y,
                            result(part.target, i, q, j), step, k > 0);
                }
            }
        }
        for (int i = image; depth == 0 && i < imageEnd; i++) { // no window sees these inputs
            for (int q = from; q < Math.min(to, v.outH()); q++) {
                for (int r = 0; r < v.outW(); r++) {
                    int c = result(part.target, i, q, j) + r * step;
                    Arrays.fill(y, c, c + w, 0f);
                }
            }
        }
    }

    /** Where the first result of row {@code q} of panel {@code j} lies. */
    private int result(Target t, int image, int q, int j) {
        int pixel = (image * t.height + t.row + q * t.rowStep) * t.width + t.column;
        return yo + pixel * t.channels + j * Panels.width(mk);
    }

    private void fill(int image, int from, int to, float[] frame, int fo) {
        int rows = frameRows(to - from);
        for (int r = 0; r < rows; r++) {
            if (!rowUsed[r % any.strideH()]) {
                continue;
            }
            int iy = from * any.strideH() + firstRow + r;
            int row = xo + (image * any.inH() + iy) * any.inW() * any.pixelStride();
            for (int s = 0; s < any.strideW(); s++) {
                if (!columnUsed[s]) {
                    continue;
                }
                for (int piece = 0; piece < pieces(); piece++) {
                    int d = fo + r * pitch + (s * pieces() + piece) * plane;
                    if (iy < 0 || iy >= any.inH()) {
                        Arrays.fill(frame, d, d + plane, 0f);
                    } else {
                        row(row, s, piece * PIECE, frame, d);
                    }
                }
            }
        }
    }

    /** The pixels of one column class of a row: those at columns {@code firstColumn + s + i*stride} of the image. */
    private void row(int row, int s, int channel, float[] frame, int d) {
        int stride = any.strideW();
        int count = plane / STEP;
        int begin = Math.clamp(Math.ceilDiv(-firstColumn - s, stride), 0, count);
        int end = Math.clamp(Math.ceilDiv(any.inW() - firstColumn - s, stride), begin, count);
        Arrays.fill(frame, d, d + begin * STEP, 0f);
        Arrays.fill(frame, d + end * STEP, d + count * STEP, 0f);
        int channels = Math.min(PIECE, any.channels() - channel);
        int pixel = row + (firstColumn + s + begin * stride) * any.pixelStride() + channel;
        for (int c = 0; c < channels; c += COPIED) {
            PackVectors.copy(end - begin, Math.min(COPIED, channels - c), x, pixel + c, stride * any.pixelStride(), frame,
                    d + begin * STEP + c, STEP);
        }
    }
}
