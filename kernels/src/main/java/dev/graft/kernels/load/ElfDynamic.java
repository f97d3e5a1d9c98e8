package dev.graft.kernels.load;

import dev.graft.tensor.GraftException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;

/**
 * The dynamic section of an ELF shared object for x86-64 (System V ABI, chapters 4 and 5; Linux Standard Base for symbol
 * versions): what it needs, and where its tables lie. Works from the program headers, as the dynamic linker does, never
 * from the section headers. Every offset of the file is checked and every count bounded: a hostile file is refused in
 * one sentence.
 */
final class ElfDynamic {
    static final long NEEDED = 1;
    static final long HASH = 4;
    static final long SONAME = 14;
    static final long RPATH = 15;
    static final long RUNPATH = 29;
    static final long GNU_HASH = 0x6ffffef5L;
    static final long VERSYM = 0x6ffffff0L;
    static final long VERNEED = 0x6ffffffeL;
    static final long VERNEEDNUM = 0x6fffffffL;
    private static final long STRTAB = 5;

    private static final int HEADER = 64;
    private static final int PROGRAM_HEADER = 56;
    private static final int LOAD = 1;
    private static final int DYNAMIC = 2;
    private static final int SHARED_OBJECT = 3;
    private static final int X86_64 = 62;
    private static final int MOST_PROGRAM_HEADERS = 1024;
    private static final int MOST_ENTRIES = 8192;
    private static final int LONGEST_STRING = 4096;

    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** A part of the file that is mapped to addresses from {@code address} on. */
    private record Segment(long address, long offset, long size) {}

    record Entry(long tag, long value) {}

    private final String name;
    private final MemorySegment file;
    private final List<Segment> segments = new ArrayList<>();
    private final List<Entry> entries = new ArrayList<>();
    private final long strings;

    /** {@code name} is for messages. The segment may be a mapped file: only the pages with headers are touched. */
    ElfDynamic(String name, MemorySegment file) {
        this.name = name;
        this.file = file;
        if (file.byteSize() < HEADER || int32(0) != 0x464c457f) {
            throw refuse("it is not an ELF file" + (file.byteSize() == 0 ? " but empty" : ""));
        }
        if (int8(4) != 2 || int8(5) != 1 || int16(16) != SHARED_OBJECT || int16(18) != X86_64) {
            throw refuse("it is not a shared library for x86-64");
        }
        int count = int16(56);
        if (int16(54) != PROGRAM_HEADER || count > MOST_PROGRAM_HEADERS) {
            throw refuse(count + " program headers of " + int16(54) + " bytes are not what a shared library has");
        }
        long table = int64(32);
        Segment dynamic = null;
        for (int i = 0; i < count; i++) {
            long at = inside(table, (i + 1L) * PROGRAM_HEADER) + (long) i * PROGRAM_HEADER;
            Segment s = new Segment(int64(at + 16), int64(at + 8), int64(at + 32));
            switch (int32(at)) {
                case LOAD -> segments.add(s);
                case DYNAMIC -> dynamic = s;
                default -> { }
            }
        }
        if (dynamic == null) {
            throw refuse("it has no dynamic section");
        }
        readEntries(inside(dynamic.offset, dynamic.size), dynamic.size / 16);
        strings = offset(value(STRTAB));
    }

    private void readEntries(long at, long count) {
        if (count > MOST_ENTRIES) {
            throw refuse("a dynamic section of " + count + " entries is not what a shared library has");
        }
        for (long i = 0; i < count; i++) {
            Entry e = new Entry(int64(at + 16 * i), int64(at + 16 * i + 8));
            if (e.tag == 0) {
                return;
            }
            entries.add(e);
        }
    }

    /** What {@code file} needs, by soname; reads a few pages of it, however large it is. */
    static List<String> needed(Path file) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ); Arena arena = Arena.ofConfined()) {
            // Mapping costs addresses only; nothing but the headers is ever read.
            MemorySegment mapped = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
            return new ElfDynamic(file.toString(), mapped).needed();
        }
    }

    List<String> needed() {
        return entries.stream().filter(e -> e.tag == NEEDED).map(e -> string(stringOffset(e.value))).toList();
    }

    /** The entries of the dynamic section, in order, without the closing one. */
    List<Entry> entries() {
        return entries;
    }

    OptionalLong find(long tag) {
        return entries.stream().filter(e -> e.tag == tag).mapToLong(Entry::value).findFirst();
    }

    long value(long tag) {
        return find(tag).orElseThrow(() -> refuse("its dynamic section has no entry 0x" + Long.toHexString(tag)));
    }

    /** Where in the file an address lies. */
    long offset(long address) {
        for (Segment s : segments) {
            long within = address - s.address;
            if (within >= 0 && within < s.size) {
                return inside(s.offset + within, 0);
            }
        }
        throw refuse("its address 0x" + Long.toHexString(address) + " lies outside the file");
    }

    /** Where in the file a string lies that the dynamic section names by its place in the string table. */
    long stringOffset(long value) {
        return inside(strings + value, 1);
    }

    String string(long at) {
        long limit = Math.min(file.byteSize(), at + LONGEST_STRING);
        long end = at;
        while (end < limit && int8(end) != 0) {
            end++;
        }
        if (end == limit) {
            throw refuse("its string table is damaged");
        }
        return new String(file.asSlice(at, end - at).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.US_ASCII);
    }

    int int8(long at) {
        return file.get(ValueLayout.JAVA_BYTE, inside(at, 1)) & 0xff;
    }

    int int16(long at) {
        return file.get(SHORT, inside(at, 2)) & 0xffff;
    }

    int int32(long at) {
        return file.get(INT, inside(at, 4));
    }

    private long int64(long at) {
        return file.get(LONG, inside(at, 8));
    }

    /** {@code at}, when {@code size} bytes from there on are in the file. */
    long inside(long at, long size) {
        if (at < 0 || size < 0 || at > file.byteSize() || size > file.byteSize() - at) {
            throw refuse("its tables point outside the file");
        }
        return at;
    }

    GraftException refuse(String why) {
        return new GraftException(name + " is not a usable shared library: " + why);
    }
}
