package dev.graft.pretrained;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;

/** Real weights and images, in the folder that the system property {@code graft.test.data} names. */
final class RealData {
    private RealData() {}

    /** The file or folder {@code name}; the test is skipped where it is not there. */
    static Path of(String name) {
        String root = System.getProperty("graft.test.data");
        Path path = Path.of(root == null ? "." : root).resolve(name).normalize();
        Assumptions.assumeTrue(root != null && Files.exists(path),
                "real data " + name + " is not there (graft.test.data=" + root + ")");
        return path;
    }

    static byte[] bytes(Path file) {
        try {
            return Files.readAllBytes(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Little-endian float32 values. */
    static float[] floats(Path file) {
        byte[] bytes = bytes(file);
        float[] out = new float[bytes.length / 4];
        ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(out);
        return out;
    }

    static int argmax(float[] row) {
        int best = 0;
        for (int i = 1; i < row.length; i++) {
            if (row[i] > row[best]) {
                best = i;
            }
        }
        return best;
    }
}
