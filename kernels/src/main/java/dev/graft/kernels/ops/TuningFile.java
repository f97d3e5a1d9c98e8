package dev.graft.kernels.ops;

import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.charset.StandardCharsets;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.CRC32;

/**
 * Choices that were timed, kept between runs: one file for each device and set of library versions, a line for each problem.
 * The first line carries a checksum of the others, so that a damaged file is ignored and written anew; it is replaced as a
 * whole, and what another process has added meanwhile is kept.
 */
final class TuningFile {
    private static final System.Logger LOG = System.getLogger(TuningFile.class.getName());
    private static final String HEAD = "graft convolution choices 1 ";

    /** @param micros of one run */
    record Entry(String choice, double micros) {}

    private final Path file;
    private Map<String, Entry> entries;
    private boolean damageTold;
    private boolean failureTold;

    /** @param name of the device and the versions; characters that file names should not have are replaced */
    TuningFile(Path folder, String name) {
        file = folder.resolve("conv-" + name.replaceAll("[^A-Za-z0-9._-]+", "_") + ".txt");
    }

    Path file() {
        return file;
    }

    /** What was chosen for {@code key}, or null. */
    Entry find(String key) {
        if (entries == null) {
            entries = read();
        }
        return entries.get(key);
    }

    void keep(String key, Entry entry) {
        Map<String, Entry> now = read();
        if (entries != null) {
            entries.forEach(now::putIfAbsent);
        }
        now.put(key, entry);
        entries = now;
        write();
    }

    private Map<String, Entry> read() {
        try {
            if (!Files.isRegularFile(file)) {
                return new HashMap<>();
            }
            String text = Files.readString(file);
            int end = text.indexOf('\n');
            if (end > 0 && text.substring(0, end).equals(HEAD + checksum(text.substring(end + 1)))) {
                return parse(text.substring(end + 1));
            }
            tellDamage("it is damaged");
        } catch (IOException | NumberFormatException e) {
            tellDamage(e.toString());
        }
        return new HashMap<>();
    }

    private void tellDamage(String why) {
        LOG.log(damageTold ? Level.DEBUG : Level.INFO, "{0} is not used ({1}): convolutions are timed anew", file, why);
        damageTold = true;
    }

    private static Map<String, Entry> parse(String body) {
        Map<String, Entry> all = new HashMap<>();
        for (String line : body.lines().toList()) {
            List<String> part = List.of(line.split(" "));
            if (part.size() == 3) {
                all.put(part.get(0), new Entry(part.get(1), Double.parseDouble(part.get(2))));
            }
        }
        return all;
    }

    private void write() {
        StringBuilder body = new StringBuilder();
        new TreeMap<>(entries).forEach((k, e) -> body.append(k).append(' ').append(e.choice).append(' ').append(e.micros)
                .append('\n'));
        try {
            Files.createDirectories(file.getParent());
            Path part = Files.createTempFile(file.getParent(), "conv", ".part");
            try {
                Files.writeString(part, HEAD + checksum(body.toString()) + "\n" + body);
                move(part);
            } finally {
                Files.deleteIfExists(part);
            }
        } catch (IOException e) {
            LOG.log(failureTold ? Level.DEBUG : Level.INFO,
                    "the choice of convolutions cannot be kept in {0} ({1}): every start times them anew", file,
                    e.getMessage());
            failureTold = true;
        }
    }

    private void move(Path part) throws IOException {
        try {
            Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (AtomicMoveNotSupportedException e) {
            Files.move(part, file, StandardCopyOption.REPLACE_EXISTING);
        }
    }

    private static String checksum(String body) {
        CRC32 crc = new CRC32();
        crc.update(body.getBytes(StandardCharsets.UTF_8));
        return Long.toHexString(crc.getValue());
    }
}
