package dev.graft.kernels.compile;

import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.charset.StandardCharsets;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * Compiled kernels on disk, by a hash of all that the code depends on. A file carries its own hash, so one that was cut
 * short or changed is compiled anew; a folder that cannot be written costs time only. Property {@code graft.cuda.cache}
 * names the folder, {@code ~/.cache/graft/cuda} otherwise.
 */
public final class CodeCache {
    private static final System.Logger LOG = System.getLogger(CodeCache.class.getName());
    private static final int HASH = 32;

    private CodeCache() {}

    /** The folder for everything that is worth keeping between runs. */
    public static Path folder() {
        String set = System.getProperty("graft.cuda.cache");
        return set != null ? Path.of(set) : Path.of(System.getProperty("user.home"), ".cache", "graft", "cuda");
    }

    static String key(String... parts) {
        MessageDigest d = sha256();
        for (String p : parts) {
            d.update(p.getBytes(StandardCharsets.UTF_8));
            d.update((byte) 0);
        }
        return HexFormat.of().formatHex(d.digest());
    }

    /** The code under {@code key}, or null. */
    static byte[] find(String key) {
        Path file = folder().resolve(key + ".bin");
        try {
            if (!Files.isRegularFile(file)) {
                return null;
            }
            byte[] all = Files.readAllBytes(file);
            if (all.length > HASH) {
                byte[] code = java.util.Arrays.copyOfRange(all, HASH, all.length);
                if (java.util.Arrays.equals(sha256().digest(code), java.util.Arrays.copyOf(all, HASH))) {
                    return code;
                }
            }
            LOG.log(Level.INFO, "{0} is damaged and is compiled anew", file);
        } catch (IOException e) {
            LOG.log(Level.DEBUG, "{0} cannot be read: {1}", file, e.getMessage());
        }
        return null;
    }

    static void keep(String key, byte[] code) {
        Path folder = folder();
        try {
            Files.createDirectories(folder);
            Path part = Files.createTempFile(folder, key, ".part");
            try {
                byte[] all = new byte[HASH + code.length];
                System.arraycopy(sha256().digest(code), 0, all, 0, HASH);
                System.arraycopy(code, 0, all, HASH, code.length);
                Files.write(part, all);
                move(part, folder.resolve(key + ".bin"));
            } finally {
                Files.deleteIfExists(part);
            }
        } catch (IOException e) {
            LOG.log(Level.INFO, "compiled kernels cannot be kept in {0} ({1}): every start compiles them anew", folder,
                    e.getMessage());
        }
    }

    private static void move(Path from, Path to) throws IOException {
        try {
            Files.move(from, to, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (AtomicMoveNotSupportedException e) {
            Files.move(from, to, StandardCopyOption.REPLACE_EXISTING);
        }
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);   // every JDK has it
        }
    }
}
