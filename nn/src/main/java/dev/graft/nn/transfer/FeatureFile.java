package dev.graft.nn.transfer;

import dev.graft.tensor.GraftException;
import dev.graft.tensor.Shape;
import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.zip.CRC32C;

/**
 * Where the parts of a feature file lie; little-endian throughout. A header of {@value #HEADER} bytes (magic, version,
 * format, rank, eight axes, samples, seconds per image, key), then a label per sample (int), a byte per sample that says
 * whether its image could be read, for int8 the smallest value and the step of each channel (float), the rows from a
 * multiple of 64 on, and a CRC-32C of all before it.
 *
 * @param shape   of one sample's features
 * @param samples rows, those of unreadable images among them
 * @param seconds that one image takes to compute
 */
record FeatureFile(FeatureFormat format, Shape shape, int samples, double seconds, String key) {
    static final int HEADER = 192;
    private static final long MAGIC = 0x5352_5554_4145_4647L;       // "GFEATURS"
    private static final int VERSION = 3;
    private static final int MAX_AXES = 8;
    private static final int KEY = 64;
    private static final int KEY_AT = 128;
    private static final int CHECKSUM = 8;
    private static final int CHUNK = 1 << 16;

    static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    int length() {
        return Math.toIntExact(shape.size());
    }

    int channels() {
        return shape.rank() == 0 ? 1 : shape.dim(-1);
    }

    long labelsAt() {
        return HEADER;
    }

    long presentAt() {
        return labelsAt() + 4L * samples;
    }

    long scalesAt() {
        return presentAt() + samples;
    }

    long rowsAt() {
        long scales = format == FeatureFormat.INT8 ? 8L * channels() : 0;
        return (scalesAt() + scales + 63) / 64 * 64;
    }

    long rowBytes() {
        return (long) format.bytes() * length();
    }

    long checksumAt() {
        return rowsAt() + rowBytes() * samples;
    }

    long size() {
        return checksumAt() + CHECKSUM;
    }

    ByteBuffer header() {
        ByteBuffer b = ByteBuffer.allocate(HEADER).order(ByteOrder.LITTLE_ENDIAN);
        b.putLong(MAGIC).putInt(VERSION).putInt(format.ordinal()).putInt(shape.rank());
        for (int d : shape.dims()) {
            b.putInt(d);
        }
        b.position(64).putInt(samples).putDouble(seconds);
        return b.put(KEY_AT, key.getBytes(StandardCharsets.US_ASCII)).clear();
    }

    /** Reads a header, and checks that a file of {@code fileSize} bytes can have it: nothing is allocated before that. */
    static FeatureFile parse(ByteBuffer header, long fileSize) throws IOException {
        ByteBuffer b = header.order(ByteOrder.LITTLE_ENDIAN);
        if (b.getLong() != MAGIC || b.getInt() != VERSION) {
            throw new IOException("it is no feature file of this version");
        }
        int format = b.getInt();
        int rank = b.getInt();
        if (format <= 0 || format >= FeatureFormat.values().length || rank < 0 || rank > MAX_AXES) {
            throw new IOException("format " + format + " or rank " + rank + " is impossible");
        }
        int[] dims = new int[rank];
        long values = 1;
        for (int i = 0; i < rank; i++) {
            dims[i] = b.getInt();
            if (dims[i] < 1 || dims[i] > fileSize / values) {
                throw new IOException("its features are larger than the file");
            }
            values *= dims[i];
        }
        int samples = b.position(64).getInt();
        double seconds = b.getDouble();
        if (samples < 0 || samples > fileSize || values > Integer.MAX_VALUE / 2
                || values > fileSize / Math.max(1, samples)) {
            throw new IOException("its " + samples + " rows do not fit into the file");
        }
        byte[] key = new byte[KEY];
        b.get(KEY_AT, key);
        FeatureFile f = new FeatureFile(FeatureFormat.values()[format], shape(dims), samples, seconds,
                new String(key, StandardCharsets.US_ASCII));
        if (f.size() != fileSize) {
            throw new IOException("it has " + fileSize + " bytes, its header asks for " + f.size());
        }
        return f;
    }

    private static Shape shape(int[] dims) throws IOException {
        try {
            return Shape.of(dims);
        } catch (GraftException e) {
            throw new IOException(e.getMessage(), e);
        }
    }

    /** Maps the features of {@code key} and {@code samples}; throws when the file is anything else. */
    static Features open(Path file, String key, int samples) throws IOException {
        Arena arena = Arena.ofShared();
        try (FileChannel in = FileChannel.open(file, StandardOpenOption.READ)) {
            ByteBuffer header = ByteBuffer.allocate(HEADER);
            while (header.hasRemaining()) {
                if (in.read(header, header.position()) < 0) {
                    throw new EOFException("it ends within its header");
                }
            }
            FeatureFile f = parse(header.flip(), in.size());
            if (!f.key.equals(key) || f.samples != samples) {
                throw new IOException("it holds other features than were asked for");
            }
            MemorySegment all = in.map(FileChannel.MapMode.READ_ONLY, 0, f.size(), arena);
            if (checksum(all, f.checksumAt()) != all.get(LONG, f.checksumAt())) {
                throw new IOException("the checksum is wrong");
            }
            return new Features(f, all, arena);
        } catch (IOException | RuntimeException e) {
            arena.close();
            throw e;
        } catch (InternalError e) {     // what the JVM makes of a page that is gone from the file
            arena.close();
            throw new IOException("it was shortened while it was read", e);
        }
    }

    /** Of copies: the intrinsic over a mapping would end the process where another program shortens the file. */
    static long checksum(MemorySegment all, long end) {
        CRC32C crc = new CRC32C();
        byte[] piece = new byte[(int) Math.min(CHUNK, end)];
        for (long at = 0; at < end; at += CHUNK) {
            int n = (int) Math.min(CHUNK, end - at);
            MemorySegment.copy(all, ValueLayout.JAVA_BYTE, at, piece, 0, n);
            crc.update(piece, 0, n);
        }
        return crc.getValue();
    }
}
