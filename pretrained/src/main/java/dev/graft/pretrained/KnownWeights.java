package dev.graft.pretrained;

import dev.graft.tensor.GraftException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.zip.CRC32;

/**
 * A weight file that Graft recognises by its content, with what it was made for.
 *
 * @param file          the name it is known by
 * @param bytes         its size, compared before anything is read
 * @param crc32         of the whole file: what it is recognised by, as only options depend on it and a JVM that has just
 *                      started computes it a hundred times faster than SHA-256
 * @param sha256        of the whole file, hexadecimal
 * @param source        where it comes from
 * @param licence       under which terms
 * @param options       model options that it was made for
 * @param preprocessing what its images went through when its accuracy was measured
 */
public record KnownWeights(String file, long bytes, int crc32, String sha256, String source,
                           String licence, Map<String, String> options, Preprocessing preprocessing) {
    public KnownWeights {
        options = Map.copyOf(options);
    }

    /** Whether {@code path} is this file, whatever its name. */
    public boolean matches(Path path) {
        try {
            return Files.size(path) == bytes && crc32(path) == crc32;
        } catch (IOException e) {
            throw new GraftException(path + ": cannot be read (" + e.getMessage() + "); check the path and its rights", e);
        }
    }

    private static int crc32(Path path) throws IOException {
        try (FileChannel channel = FileChannel.open(path)) {
            CRC32 crc = new CRC32();
            ByteBuffer chunk = ByteBuffer.allocateDirect(1 << 18);
            while (channel.read(chunk) >= 0) {
                crc.update(chunk.flip());
                chunk.clear();
            }
            return (int) crc.getValue();
        }
    }

    /** SHA-256 of a file's bytes, hexadecimal. */
    static String sha256(Path path) {
        try (InputStream in = Files.newInputStream(path)) {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            byte[] chunk = new byte[1 << 16];
            for (int n = in.read(chunk); n >= 0; n = in.read(chunk)) {
                digest.update(chunk, 0, n);
            }
            return HexFormat.of().formatHex(digest.digest());
        } catch (IOException e) {
            throw new GraftException(path + ": cannot be read (" + e.getMessage() + "); check the path and its rights", e);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
