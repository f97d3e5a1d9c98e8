package dev.graft.pretrained.format;

import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/**
 * An open zip archive whose entries are storages. The directory is not believed: an entry must have the number of bytes it
 * declares and the CRC it declares, and may not declare more than deflate can make of its compressed bytes.
 */
final class Archive implements Closeable {
    /** No deflate stream expands more than this (258 bytes from 2 bits, Deutsch 1996). */
    private static final long MAX_DEFLATE_RATIO = 1032;

    private final Refusal refusal;
    private final ZipFile zip;
    private final Map<String, Entry> entries = new LinkedHashMap<>();

    Archive(Path file) throws IOException {
        this.refusal = new Refusal(file);
        this.zip = new ZipFile(file.toFile());
        try {
            for (ZipEntry e : Collections.list(zip.entries())) {
                if (!e.isDirectory() && entries.put(e.getName(), new Entry(e)) != null) {
                    throw refusal.damaged("two zip entries are named " + Refusal.quote(e.getName()));
                }
            }
        } catch (RuntimeException | Error e) {
            zip.close();
            throw e;
        }
    }

    List<String> names() {
        return new ArrayList<>(entries.keySet());
    }

    /** The entry, or null. */
    Entry entry(String name) {
        return entries.get(name);
    }

    @Override
    public void close() throws IOException {
        zip.close();
    }

    /** One file in the archive; its CRC is verified by the first read. */
    final class Entry implements Storage {
        private final ZipEntry entry;
        private volatile boolean verified;

        private Entry(ZipEntry entry) {
            this.entry = entry;
        }

        @Override
        public long bytes() {
            return entry.getSize();
        }

        /** Throws when the directory's sizes cannot be true or the entry looks like a zip bomb. */
        Entry check() {
            long size = entry.getSize();
            long packed = entry.getCompressedSize();
            boolean stored = entry.getMethod() == ZipEntry.STORED;
            if (size < 0 || packed < 0 || stored && size != packed
                    || !stored && size > 64 + packed * MAX_DEFLATE_RATIO) {
                throw refusal.damaged("zip entry " + Refusal.quote(entry.getName()) + " declares " + size
                        + " bytes in " + packed + " compressed bytes, which cannot be");
            }
            if (size > StoredTensor.FREE_EXPANSION && size / StoredTensor.MAX_EXPANSION > packed) {
                throw refusal.refused("zip entry " + Refusal.quote(entry.getName()) + " expands " + packed + " bytes to "
                        + size, "if it is no zip bomb, save it without compression");
            }
            return this;
        }

        @Override
        public MemorySegment range(long from, long length) throws IOException {
            check();
            if (length > FileBytes.MAX_ARRAY) {
                throw refusal.refused("zip entry " + Refusal.quote(entry.getName()) + " has a tensor of " + length
                                + " bytes, too many for one Java array", "save the weights as safetensors");
            }
            byte[] to = new byte[(int) length];
            try (InputStream in = zip.getInputStream(entry)) {
                if (verified) {
                    in.skipNBytes(from);
                    if (in.readNBytes(to, 0, to.length) < to.length) {
                        throw new EOFException("zip entry " + Refusal.quote(entry.getName()) + " is cut off");
                    }
                } else {
                    readAll(in, from, to);
                }
            }
            return MemorySegment.ofArray(to);
        }

        /** Reads the whole entry for its CRC and keeps the part that was asked for. */
        private void readAll(InputStream in, long from, byte[] to) throws IOException {
            CRC32 crc = new CRC32();
            byte[] chunk = new byte[1 << 16];
            long at = 0;
            for (int n; (n = in.read(chunk)) > 0; at += n) {
                if (at + n > bytes()) {
                    break;
                }
                crc.update(chunk, 0, n);
                long begin = Math.max(from, at);
                long end = Math.min(from + to.length, at + n);
                if (begin < end) {
                    System.arraycopy(chunk, (int) (begin - at), to, (int) (begin - from), (int) (end - begin));
                }
            }
            if (at != bytes() || in.read() >= 0) {
                throw refusal.damaged("zip entry " + Refusal.quote(entry.getName()) + " declares " + bytes()
                        + " bytes but has " + (at < bytes() ? "only " + at : "more"));
            }
            if (crc.getValue() != entry.getCrc()) {
                throw refusal.damaged("zip entry " + Refusal.quote(entry.getName()) + " has CRC "
                        + Long.toHexString(crc.getValue()) + " instead of " + Long.toHexString(entry.getCrc()));
            }
            verified = true;
        }

        /** The first {@code count} bytes or fewer, without the CRC check. */
        byte[] start(int count) throws IOException {
            check();
            try (InputStream in = zip.getInputStream(entry)) {
                return in.readNBytes((int) Math.min(count, bytes()));
            }
        }

        /** The whole entry, when it has at most {@code limit} bytes. */
        byte[] all(int limit) throws IOException {
            if (bytes() > limit) {
                throw refusal.refused("zip entry " + Refusal.quote(entry.getName()) + " has " + bytes()
                        + " bytes, more than the " + limit + " that are read of such an entry",
                        "save only the weights (torch.save(model.state_dict(), path))");
            }
            return range(0, bytes()).toArray(java.lang.foreign.ValueLayout.JAVA_BYTE);
        }
    }
}
