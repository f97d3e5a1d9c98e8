package dev.graft.nn.transfer;

import dev.graft.tensor.GraftException;
import dev.graft.tensor.Shape;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.stream.IntStream;

/**
 * What the frozen stages make of each image: one row per sample, in the data set's order, in a mapped file or in memory
 * outside of the heap. Rows are read in any order and by any thread, and become float32 as they are read.
 */
final class Features implements AutoCloseable {
    private static final int PIECE = 1 << 14;

    private final FeatureFile layout;
    private final MemorySegment all;
    private final Arena arena;
    private final float[] low;
    private final float[] step;

    Features(FeatureFile layout, MemorySegment all, Arena arena) {
        this.layout = layout;
        this.all = all;
        this.arena = arena;
        boolean scaled = layout.format() == FeatureFormat.INT8;
        low = new float[scaled ? layout.channels() : 0];
        step = new float[low.length];
        MemorySegment.copy(all, FeatureFile.FLOAT, layout.scalesAt(), low, 0, low.length);
        MemorySegment.copy(all, FeatureFile.FLOAT, layout.scalesAt() + 4L * low.length, step, 0, step.length);
    }

    /** Of one sample's features, without the batch axis. */
    Shape shape() {
        return layout.shape();
    }

    FeatureFormat format() {
        return layout.format();
    }

    int samples() {
        return layout.samples();
    }

    /** Values per sample. */
    int length() {
        return layout.length();
    }

    /** What computing one image took when these were made, loading included. */
    double secondsPerImage() {
        return layout.seconds();
    }

    /** Bytes of all rows. */
    long bytes() {
        return layout.rowBytes() * layout.samples();
    }

    int[] labels() {
        try {
            return all.asSlice(layout.labelsAt(), 4L * samples()).toArray(FeatureFile.INT);
        } catch (InternalError e) {
            throw shortened(e);
        }
    }

    /** What the JVM makes of a page that is gone from the file. */
    private static GraftException shortened(InternalError e) {
        return new GraftException("feature cache: another program shortened the file of the features while they were in use;"
                + " start again, they are computed anew", e);
    }

    /** Whether the image of {@code sample} could be read. */
    boolean has(int sample) {
        return all.get(ValueLayout.JAVA_BYTE, layout.presentAt() + sample) != 0;
    }

    /** The samples whose image could be read. */
    int[] present() {
        return IntStream.range(0, samples()).filter(this::has).toArray();
    }

    /** Writes the row of {@code sample} to {@code out} from {@code at} on. */
    void read(int sample, float[] out, int at) {
        try {
            copy(sample, out, at);
        } catch (InternalError e) {
            throw shortened(e);
        }
    }

    private void copy(int sample, float[] out, int at) {
        long from = layout.rowsAt() + sample * layout.rowBytes();
        int n = length();
        switch (layout.format()) {
            case FLOAT32 -> MemorySegment.copy(all, FeatureFile.FLOAT, from, out, at, n);
            case FLOAT16 -> {
                short[] piece = new short[Math.min(n, PIECE)];
                for (int i = 0; i < n; i += piece.length) {
                    int k = Math.min(piece.length, n - i);
                    MemorySegment.copy(all, FeatureFile.SHORT, from + 2L * i, piece, 0, k);
                    widen(piece, out, at + i, k);
                }
            }
            case INT8 -> {
                byte[] row = new byte[n];
                MemorySegment.copy(all, ValueLayout.JAVA_BYTE, from, row, 0, n);
                for (int i = 0; i < n; i += low.length) {
                    for (int c = 0; c < low.length; c++) {
                        out[at + i + c] = Math.fma(row[i + c] & 0xFF, step[c], low[c]);
                    }
                }
            }
            case AUTO -> throw new IllegalStateException("no file is stored as auto");
        }
    }

    private static void widen(short[] in, float[] out, int at, int n) {
        for (int i = 0; i < n; i++) {
            out[at + i] = Float.float16ToFloat(in[i]);
        }
    }

    /** A copy of one row. */
    float[] row(int sample) {
        float[] row = new float[length()];
        read(sample, row, 0);
        return row;
    }

    @Override
    public void close() {
        arena.close();
    }
}
