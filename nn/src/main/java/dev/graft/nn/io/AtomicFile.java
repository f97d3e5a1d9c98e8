package dev.graft.nn.io;

import dev.graft.tensor.GraftException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Writes a file so that its name shows the old content or the whole new one, never a part: a temporary file beside it is
 * written, forced to the disk and renamed. A program killed in between leaves the old file and a stray {@code *.part},
 * which the next write of that name, or of one that differs in its numbers only, removes.
 */
public final class AtomicFile {
    private AtomicFile() {}

    /** What fills the file. */
    @FunctionalInterface
    public interface Body {
        void write(FileChannel out) throws IOException;
    }

    /**
     * Writes {@code file}; missing folders are made.
     *
     * @throws GraftException when the disk is full or the folder cannot be written; the old file is then untouched
     */
    public static void write(Path file, Body body) {
        Path target = file.toAbsolutePath();
        Path part = null;
        try {
            Files.createDirectories(target.getParent());
            removeParts(target);
            part = target.resolveSibling(target.getFileName() + "." + ProcessHandle.current().pid() + ".part");
            try (FileChannel out = FileChannel.open(part, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING,
                    StandardOpenOption.READ, StandardOpenOption.WRITE)) {
                body.write(out);
                out.force(true);
            }
            move(part, target);
            forceFolder(target.getParent());
        } catch (IOException e) {
            discard(part);
            throw new GraftException(file + " could not be written: " + reason(e) + ": free some disk space or choose"
                    + " another folder" + (Files.exists(target) ? "; the file that was there is unchanged" : ""), e);
        } catch (RuntimeException | Error e) {
            discard(part);
            throw e;
        }
    }

    /** Writes {@code text} in UTF-8. */
    public static void writeText(Path file, String text) {
        write(file, out -> {
            ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
            while (bytes.hasRemaining()) {
                out.write(bytes);
            }
        });
    }

    private static void move(Path part, Path target) throws IOException {
        try {
            Files.move(part, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (AtomicMoveNotSupportedException e) {
            Files.move(part, target, StandardCopyOption.REPLACE_EXISTING);
        }
    }

    /** Makes the rename itself durable; not every system lets a folder be opened, and then there is nothing to do. */
    private static void forceFolder(Path folder) {
        try (FileChannel c = FileChannel.open(folder, StandardOpenOption.READ)) {
            c.force(true);
        } catch (IOException e) {
            // Windows: the rename is durable without it
        }
    }

    private static void removeParts(Path target) throws IOException {
        Pattern name = Pattern.compile(Pattern.compile("\\d+|\\D+").matcher(target.getFileName().toString())
                .replaceAll(m -> Matcher.quoteReplacement(Character.isDigit(m.group().charAt(0)) ? "\\d+"
                        : Pattern.quote(m.group()))) + "\\.(\\d{1,17})\\.part");
        try (DirectoryStream<Path> all = Files.newDirectoryStream(target.getParent())) {
            for (Path p : all) {
                Matcher m = name.matcher(p.getFileName().toString());
                if (m.matches() && ProcessHandle.of(Long.parseLong(m.group(1))).isEmpty()) {
                    Files.deleteIfExists(p);
                }
            }
        }
    }

    private static void discard(Path part) {
        try {
            if (part != null) {
                Files.deleteIfExists(part);
            }
        } catch (IOException e) {
            // the next write removes it
        }
    }

    private static String reason(IOException e) {
        String m = e instanceof FileSystemException f && f.getReason() != null ? f.getReason() : e.getMessage();
        return m == null ? e.getClass().getSimpleName() : m;
    }
}
