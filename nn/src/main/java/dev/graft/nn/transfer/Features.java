package dev.graft.nn.transfer;

import dev.graft.tensor.GraftException;
import dev.graft.tensor.Shape;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.zip.CRC32;

/**
 * What the frozen stages make of each image: one row of floats per sample, in the data set's order.
 *
 * @param shape   of one sample's features, without the batch axis
 * @param rows    one per sample; null where the image could not be read
 * @param labels  one per sample
 */
record Features(Shape shape, float[][] rows, int[] labels) {
    private static final int MAGIC = 0x47524654;
    private static final int MAX_AXES = 8;

    int length() {
        return Math.toIntExact(shape.size());
    }

    /** Bytes that a file of {@code samples} such rows takes. */
    static long bytes(Shape shape, int samples) {
        return 4L * shape.size() * samples;
    }

    /** Writes a file beside {@code file} and puts it in place when it is complete. */
    void write(Path file, String key) throws IOException {
        Path temporary = Files.createTempFile(file.toAbsolutePath().getParent(), "features", ".tmp");
        try {
            try (DataOutputStream out =
                    new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(temporary), 1 << 16))) {
                out.writeInt(MAGIC);
                out.writeUTF(key);
                out.writeInt(shape.rank());
                for (int d : shape.dims()) {
                    out.writeInt(d);
                }
                out.writeInt(rows.length);
                CRC32 crc = new CRC32();
                byte[] bytes = new byte[4 * length()];
                for (int i = 0; i < rows.length; i++) {
                    out.writeInt(labels[i]);
                    out.writeBoolean(rows[i] != null);
                    if (rows[i] != null) {
                        ByteBuffer.wrap(bytes).asFloatBuffer().put(rows[i]);
                        out.write(bytes);
                        crc.update(bytes);
                    }
                }
                out.writeLong(crc.getValue());
            }
            Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(temporary);
        }
    }

    /** Reads what {@link #write} wrote for {@code key} and {@code samples}; throws when the file is anything else. */
    static Features read(Path file, String key, int samples) throws IOException {
        try (DataInputStream in = new DataInputStream(new BufferedInputStream(Files.newInputStream(file), 1 << 16))) {
            if (in.readInt() != MAGIC || !in.readUTF().equals(key)) {
                throw new IOException("not the features that were asked for");
            }
            int rank = in.readInt();
            if (rank < 0 || rank > MAX_AXES) {
                throw new IOException("rank " + rank);
            }
            int[] dims = new int[rank];
            for (int i = 0; i < rank; i++) {
                dims[i] = in.readInt();
            }
            Shape shape = shape(dims);
            // before any array is made: no row can be longer than the file
            if (in.readInt() != samples || shape.size() > Files.size(file) / 4) {
                throw new IOException("another number of samples, or rows longer than the file");
            }
            return rows(in, shape, samples);
        }
    }

    private static Shape shape(int[] dims) throws IOException {
        try {
            return Shape.of(dims);
        } catch (GraftException e) {
            throw new IOException(e.getMessage(), e);
        }
    }

    private static Features rows(DataInputStream in, Shape shape, int samples) throws IOException {
        float[][] rows = new float[samples][];
        int[] labels = new int[samples];
        byte[] bytes = new byte[Math.toIntExact(4 * shape.size())];
        CRC32 crc = new CRC32();
        for (int i = 0; i < samples; i++) {
            labels[i] = in.readInt();
            if (in.readBoolean()) {
                in.readFully(bytes);
                crc.update(bytes);
                rows[i] = new float[bytes.length / 4];
                ByteBuffer.wrap(bytes).asFloatBuffer().get(rows[i]);
            }
        }
        if (in.readLong() != crc.getValue()) {
            throw new IOException("the checksum is wrong");
        }
        return new Features(shape, rows, labels);
    }
}
