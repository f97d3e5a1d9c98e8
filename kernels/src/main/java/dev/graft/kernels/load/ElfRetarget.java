package dev.graft.kernels.load;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/**
 * Rewrites what a shared library needs: a library that was linked with {@code libcublas.so.12} then loads with
 * {@code libcublas.so.13}. Names are changed in place, so a new one may not be longer. The versions of the symbols that
 * are wanted from a renamed library are let go: the requirement becomes weak and the symbols bind to any version, so
 * that a library which numbers its versions otherwise, or has none, still links. Its search path becomes its own folder.
 */
final class ElfRetarget {
    private static final int WEAK = 2;
    private static final int ANY_VERSION = 1;
    private static final int MOST_LIBRARIES = 64;
    private static final int MOST_VERSIONS = 256;
    private static final int MOST_SYMBOLS = 1 << 22;
    private static final String OWN_FOLDER = "$ORIGIN";

    private final ElfDynamic elf;
    private final byte[] image;
    private final ByteBuffer bytes;
    private final Map<String, String> renames;
    private final Set<Long> written = new HashSet<>();

    private ElfRetarget(String name, byte[] image, Map<String, String> renames) {
        this.elf = new ElfDynamic(name, MemorySegment.ofArray(image));
        this.image = image;
        this.bytes = ByteBuffer.wrap(image).order(ByteOrder.LITTLE_ENDIAN);
        this.renames = renames;
    }

    /**
     * Changes {@code image} in place and returns it: every library it needs that is a key of {@code renames} becomes
     * the value.
     *
     * @throws dev.graft.tensor.GraftException when it is no shared library for x86-64, or damaged
     */
    static byte[] retarget(String name, byte[] image, Map<String, String> renames) {
        ElfRetarget r = new ElfRetarget(name, image, renames);
        r.renameNeeded();
        r.relaxVersions();
        return image;
    }

    private void renameNeeded() {
        for (ElfDynamic.Entry e : elf.entries()) {
            if (e.tag() == ElfDynamic.NEEDED) {
                rename(elf.stringOffset(e.value()));
            } else if (e.tag() == ElfDynamic.RUNPATH || e.tag() == ElfDynamic.RPATH) {
                long at = elf.stringOffset(e.value());
                if (elf.string(at).length() >= OWN_FOLDER.length()) {
                    overwrite(at, OWN_FOLDER);
                }
            }
        }
    }

    /** Walks .gnu.version_r: a list of libraries, each with a list of versions. */
    private void relaxVersions() {
        if (elf.find(ElfDynamic.VERNEED).isEmpty()) {
            return;
        }
        Set<Integer> freed = new HashSet<>();
        Set<String> targets = new HashSet<>(renames.values());
        long at = elf.offset(elf.value(ElfDynamic.VERNEED));
        long libraries = bounded(elf.value(ElfDynamic.VERNEEDNUM), MOST_LIBRARIES, "libraries with versions");
        for (long i = 0; i < libraries; i++) {
            long fileName = elf.stringOffset(elf.int32(at + 4));
            rename(fileName);                                   // usually the string of DT_NEEDED, and then done already
            if (targets.contains(elf.string(fileName))) {
                relax(at + elf.int32(at + 8), elf.int16(at + 2), freed);
            }
            at += elf.int32(at + 12);
        }
        freeSymbols(freed);
    }

    private void relax(long first, int count, Set<Integer> freed) {
        bounded(count, MOST_VERSIONS, "versions of a library");
        long at = first;
        for (int i = 0; i < count; i++) {
            long versionName = elf.stringOffset(elf.int32(at + 8));
            rename(versionName);                                // NVIDIA names its versions like the file
            elf.inside(at, 16);
            bytes.putInt((int) at, hash(elf.string(versionName)));
            bytes.putShort((int) at + 4, (short) (elf.int16(at + 4) | WEAK));
            freed.add(elf.int16(at + 6) & 0x7fff);
            at += elf.int32(at + 12);
        }
    }

    /** .gnu.version has the number of a version for every dynamic symbol. */
    private void freeSymbols(Set<Integer> freed) {
        long at = elf.offset(elf.value(ElfDynamic.VERSYM));
        long count = bounded(symbols(), MOST_SYMBOLS, "symbols");
        elf.inside(at, 2 * count);
        for (long i = 0; i < count; i++) {
            if (freed.contains(elf.int16(at + 2 * i) & 0x7fff)) {
                bytes.putShort((int) (at + 2 * i), (short) ANY_VERSION);
            }
        }
    }

    /**
     * No header tells the number of dynamic symbols: it is that of the old hash table, or the end of the GNU one's last
     * chain.
     */
    private long symbols() {
        var old = elf.find(ElfDynamic.HASH);
        if (old.isPresent()) {
            return Integer.toUnsignedLong(elf.int32(elf.offset(old.getAsLong()) + 4));
        }
        long table = elf.offset(elf.value(ElfDynamic.GNU_HASH));
        long buckets = Integer.toUnsignedLong(elf.int32(table));
        long firstHashed = Integer.toUnsignedLong(elf.int32(table + 4));
        long bloomWords = Integer.toUnsignedLong(elf.int32(table + 8));
        long bucket = table + 16 + 8 * bloomWords;
        long chain = elf.inside(bucket, 4 * buckets) + 4 * buckets;
        long last = 0;
        for (long i = 0; i < buckets; i++) {
            last = Math.max(last, Integer.toUnsignedLong(elf.int32(bucket + 4 * i)));
        }
        if (last < firstHashed) {
            return firstHashed;
        }
        while ((elf.int32(chain + 4 * (last - firstHashed)) & 1) == 0) {
            last++;
        }
        return last + 1;
    }

    private long bounded(long count, long most, String what) {
        if (count < 0 || count > most) {
            throw elf.refuse(Long.toUnsignedString(count) + " " + what + " are not what a shared library has");
        }
        return count;
    }

    private void rename(long at) {
        String to = renames.get(elf.string(at));
        if (to != null && written.add(at)) {
            overwrite(at, to);
        }
    }

    private void overwrite(long at, String text) {
        byte[] ascii = text.getBytes(StandardCharsets.US_ASCII);
        String old = elf.string(at);
        if (ascii.length > old.length()) {
            throw elf.refuse("'" + text + "' does not fit over '" + old + "'");
        }
        System.arraycopy(ascii, 0, image, (int) at, ascii.length);
        image[(int) at + ascii.length] = 0;
    }

    /** The hash of version names, as the System V ABI defines it for symbols. */
    private static int hash(String name) {
        int h = 0;
        for (byte c : name.getBytes(StandardCharsets.US_ASCII)) {
            h = (h << 4) + (c & 0xff);
            int high = h & 0xf0000000;
            h = (h ^ (high >>> 24)) & ~high;
        }
        return h;
    }
}
