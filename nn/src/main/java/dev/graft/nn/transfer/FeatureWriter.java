package dev.graft.nn.transfer;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;

/**
 * Takes features row by row. They go to a temporary file that gets its name when it is complete, or to memory outside of the
 * heap. For int8 the rows are kept as float32 until the range of every channel is known.
 */
final class FeatureWriter implements AutoCloseable {
    /** A value that the format cannot hold. */
    static final class DoesNotFit extends RuntimeException {
        private static final long serialVersionUID = 1L;

        DoesNotFit(float value) {
            super("a value of " + value, null, false, false);
        }
    }

    /** Features that have no file and too little memory. */
    static final class NoMemory extends IOException {
        private static final long serialVersionUID = 1L;

        NoMemory(String message, Throwable cause) {
            super(message, cause);
        }
    }

    private static final float LARGEST_HALF = 65504;
    private static final int LEVELS = 255;

    private final FeatureFile layout;
    private final int[] labels;
    private final byte[] present;
    private final float[] low;
    private final float[] high;
    private final ByteBuffer row;
    private final Path file;
    private final Path temporary;
    private final FileChannel channel;
    private final Arena arena;
    private final MemorySegment memory;

    /**
     * @param file where they are to be found, or null for memory
     * @param most bytes of memory that they may take: it lies outside of the heap, where no other limit holds
     */
    FeatureWriter(FeatureFile layout, int[] labels, Path file, long most) throws IOException {
        this.layout = layout;
        this.labels = labels;
        this.file = file;
        present = new byte[layout.samples()];
        low = new float[layout.channels()];
        high = new float[low.length];
        Arrays.fill(low, Float.POSITIVE_INFINITY);
        Arrays.fill(high, Float.NEGATIVE_INFINITY);
        row = ByteBuffer.allocate(Math.toIntExact((long) unscaled() * layout.length())).order(ByteOrder.LITTLE_ENDIAN);
        if (file == null) {
            temporary = null;
            channel = null;
            if (bytesWhileWritten() > most) {
                throw new NoMemory("they would take " + FeatureChoice.bytes(bytesWhileWritten()) + " of memory, "
                        + FeatureChoice.bytes(most) + " are the most", null);
            }
            arena = Arena.ofShared();
            try {
                memory = arena.allocate(bytesWhileWritten(), 64);
            } catch (OutOfMemoryError e) {
                arena.close();
                throw new NoMemory("there is not enough memory for them", e);
            }
        } else {
            arena = null;
            memory = null;
            temporary = Files.createTempFile(file.toAbsolutePath().getParent(), "features", ".tmp");
            channel = FileChannel.open(temporary, StandardOpenOption.READ, StandardOpenOption.WRITE);
        }
    }

    private long bytesWhileWritten() {
        return bytesWhileWritten(layout);
    }

    /** Room that is needed until the features are complete: int8 is scaled when all values are known. */
    static long bytesWhileWritten(FeatureFile layout) {
        long value = layout.format() == FeatureFormat.INT8 ? Float.BYTES : layout.format().bytes();
        return Math.max(layout.size(), layout.rowsAt() + value * layout.length() * layout.samples() + Long.BYTES);
    }

    /** Bytes of a value while rows come in. */
    private int unscaled() {
        return layout.format() == FeatureFormat.INT8 ? Float.BYTES : layout.format().bytes();
    }

    /** The features of {@code sample}: {@code layout.length()} values of {@code values} from {@code at} on. */
    void put(int sample, float[] values, int at) throws IOException {
        int n = layout.length();
        row.clear();
        if (layout.format() == FeatureFormat.FLOAT16) {
            short[] halves = new short[n];
            for (int i = 0; i < n; i++) {
                halves[i] = Float.floatToFloat16(values[at + i]);
            }
            float largest = 0;
            for (int i = 0; i < n; i++) {
                largest = Math.max(largest, Math.abs(values[at + i]));
            }
            if (!(largest <= LARGEST_HALF)) {
                throw new DoesNotFit(largest);
            }
            row.asShortBuffer().put(halves);
        } else {
            row.asFloatBuffer().put(values, at, n);
            if (layout.format() == FeatureFormat.INT8) {
                range(values, at, n);
            }
        }
        write(layout.rowsAt() + (long) sample * row.capacity(), row);
        present[sample] = 1;
    }

    private void range(float[] values, int at, int n) {
        for (int i = 0; i < n; i += low.length) {
            for (int c = 0; c < low.length; c++) {
                float v = values[at + i + c];
                if (!(Math.abs(v) < Float.MAX_VALUE / 2)) {
                    throw new DoesNotFit(v);
                }
                low[c] = Math.min(low[c], v);
                high[c] = Math.max(high[c], v);
            }
        }
    }

    /** Completes the file and opens it. {@code seconds}: what one image took. */
    Features finish(double seconds) throws IOException {
        FeatureFile done = new FeatureFile(layout.format(), layout.shape(), layout.samples(), seconds, layout.key());
        if (done.format() == FeatureFormat.INT8) {
            quantise(done);
        }
        write(0, done.header());
        ByteBuffer all = ByteBuffer.allocate(4 * labels.length).order(ByteOrder.LITTLE_ENDIAN);
        all.asIntBuffer().put(labels);
        write(done.labelsAt(), all);
        write(done.presentAt(), ByteBuffer.wrap(present));
        return file == null ? inMemory(done) : named(done);
    }

    private void quantise(FeatureFile done) throws IOException {
        float[] step = new float[low.length];
        for (int c = 0; c < step.length; c++) {
            low[c] = low[c] <= high[c] ? low[c] : 0;
            step[c] = Math.max(0, (high[c] - low[c]) / LEVELS);
        }
        ByteBuffer scales = ByteBuffer.allocate(8 * step.length).order(ByteOrder.LITTLE_ENDIAN);
        scales.asFloatBuffer().put(low).put(step);
        write(done.scalesAt(), scales);
        int n = done.length();
        float[] values = new float[n];
        byte[] levels = new byte[n];
        // in place, first row first: what is written lies before what is still to be read
        for (int i = 0; i < done.samples(); i++) {
            if (present[i] != 0) {
                read(done.rowsAt() + (long) i * row.capacity(), row.clear());
                row.flip().asFloatBuffer().get(values);
                for (int k = 0; k < n; k++) {
                    int c = k % low.length;
                    levels[k] = (byte) (step[c] == 0 ? 0
                            : Math.clamp(Math.round((values[k] - low[c]) / step[c]), 0, LEVELS));
                }
            } else {
                Arrays.fill(levels, (byte) 0);
            }
            write(done.rowsAt() + i * done.rowBytes(), ByteBuffer.wrap(levels));
        }
    }

    private Features inMemory(FeatureFile done) {
        return new Features(done, memory.asSlice(0, done.size()), arena);
    }

    private Features named(FeatureFile done) throws IOException {
        channel.truncate(done.checksumAt());
        if (channel.size() < done.checksumAt()) {       // the last rows are those of images that could not be read
            write(done.checksumAt() - 1, ByteBuffer.allocate(1));
        }
        try (Arena reading = Arena.ofConfined()) {
            MemorySegment all = channel.map(FileChannel.MapMode.READ_ONLY, 0, done.checksumAt(), reading);
            long checksum = FeatureFile.checksum(all, done.checksumAt());
            write(done.checksumAt(), ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(checksum).flip());
        }
        channel.force(true);
        channel.close();
        try {
            Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (AtomicMoveNotSupportedException e) {
            Files.move(temporary, file, StandardCopyOption.REPLACE_EXISTING);
        }
        return FeatureFile.open(file, done.key(), done.samples());
    }

    private void write(long at, ByteBuffer from) throws IOException {
        if (memory != null) {
            MemorySegment.copy(MemorySegment.ofBuffer(from), 0, memory, at, from.remaining());
            return;
        }
        while (from.hasRemaining()) {
            at += channel.write(from, at);
        }
    }

    private void read(long at, ByteBuffer to) throws IOException {
        if (memory != null) {
            MemorySegment.copy(memory, at, MemorySegment.ofBuffer(to), 0, to.remaining());
            to.position(to.limit());
            return;
        }
        while (to.hasRemaining()) {
            int n = channel.read(to, at);
            if (n < 0) {
                throw new IOException("rows that were written are missing");
            }
            at += n;
        }
    }

    /** Removes a file that was not completed. */
    @Override
    public void close() throws IOException {
        if (channel != null) {
            channel.close();
            Files.deleteIfExists(temporary);
        }
    }

    /** Frees the memory when there is nobody to take it over. */
    void abandon() {
        if (arena != null) {
            arena.close();
        }
    }
}
