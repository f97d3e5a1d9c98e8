package dev.graft.kernels.load;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** Writes the smallest ELF shared object that says what it needs: header, two program headers, dynamic section, strings. */
final class ElfFile {
    static final int PROGRAM_HEADERS = 64;
    static final int DYNAMIC = PROGRAM_HEADERS + 2 * 56;

    private ElfFile() {}

    static byte[] needing(String... sonames) {
        ByteArrayOutputStream strings = new ByteArrayOutputStream();
        strings.write(0);
        List<long[]> dynamic = new ArrayList<>();
        for (String s : sonames) {
            dynamic.add(new long[] {1, strings.size()});
            strings.writeBytes((s + "\0").getBytes(StandardCharsets.US_ASCII));
        }
        int stringsAt = DYNAMIC + 16 * (dynamic.size() + 3);
        dynamic.add(new long[] {5, 0x1000 + stringsAt});
        dynamic.add(new long[] {10, strings.size()});
        dynamic.add(new long[] {0, 0});
        int size = stringsAt + strings.size();
        ByteBuffer b = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
        b.putInt(0x464c457f).put((byte) 2).put((byte) 1).put((byte) 1);
        b.putShort(16, (short) 3).putShort(18, (short) 62).putLong(32, PROGRAM_HEADERS);
        b.putShort(54, (short) 56).putShort(56, (short) 2);
        program(b, PROGRAM_HEADERS, 1, 0, size);
        program(b, PROGRAM_HEADERS + 56, 2, DYNAMIC, 16 * dynamic.size());
        b.position(DYNAMIC);
        dynamic.forEach(e -> b.putLong(e[0]).putLong(e[1]));
        b.put(strings.toByteArray());
        return b.array();
    }

    private static void program(ByteBuffer b, int at, int type, long offset, long size) {
        b.putInt(at, type).putLong(at + 8, offset).putLong(at + 16, 0x1000 + offset).putLong(at + 32, size);
    }
}
