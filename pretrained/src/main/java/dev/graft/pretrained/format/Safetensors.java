package dev.graft.pretrained.format;

import java.io.Closeable;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.function.ObjIntConsumer;
import java.util.zip.CRC32;

/**
 * safetensors: 8 bytes header length, JSON header, data. The data is memory-mapped. As in the reference implementation,
 * tensors must cover the data exactly: no overlap, no hole, nothing after the last.
 */
final class Safetensors implements WeightFormat {
    private static final Map<String, ElementType> TYPES = Map.ofEntries(
            Map.entry("F64", ElementType.F64), Map.entry("F32", ElementType.F32), Map.entry("F16", ElementType.F16),
            Map.entry("BF16", ElementType.BF16), Map.entry("I64", ElementType.I64), Map.entry("I32", ElementType.I32),
            Map.entry("I16", ElementType.I16), Map.entry("I8", ElementType.I8), Map.entry("U8", ElementType.U8),
            Map.entry("BOOL", ElementType.BOOL), Map.entry("U16", ElementType.U16), Map.entry("U32", ElementType.U32),
            Map.entry("U64", ElementType.U64), Map.entry("F8_E4M3", ElementType.F8_E4M3),
            Map.entry("F8_E5M2", ElementType.F8_E5M2));
    /** In the format, but without a Java or Graft type that holds them. */
    private static final Set<String> UNREADABLE = Set.of("C64", "F4", "F6_E2M3", "F6_E3M2", "F8_E8M0", "F8_E4M3FNUZ",
            "F8_E5M2FNUZ");

    @Override
    public String name() {
        return "safetensors";
    }

    /** There is no magic number, but the header is a JSON object. */
    @Override
    public boolean recognises(FileHead head) {
        return head.at(8) == '{';
    }

    @Override
    public Contents open(Path path, Resources resources) throws IOException {
        Refusal refusal = new Refusal(path);
        FileBytes file = resources.add(new FileBytes(path));
        long length = ByteBuffer.wrap(file.read(0, 8)).order(ByteOrder.LITTLE_ENDIAN).getLong();
        if (length < 2 || length > file.size() - 8) {
            throw refusal.damaged("the safetensors header claims " + Long.toUnsignedString(length)
                    + " bytes but the file has " + (file.size() - 8) + " after the length");
        }
        if (length > SafetensorsHeader.MAX_BYTES) {
            throw refusal.damaged("the safetensors header has " + length + " bytes, more than the format's "
                    + SafetensorsHeader.MAX_BYTES);
        }
        SafetensorsHeader header = SafetensorsHeader.parse(refusal, file.read(8, length), (int) length);
        long dataStart = 8 + length;
        checkCovered(refusal, header, file.size() - dataStart);
        Contents contents = new Contents(refusal);
        contents.metadata.putAll(header.metadata());
        Mapping mapping = resources.add(new Mapping(refusal, file, dataStart, check(refusal, header)));
        for (SafetensorsHeader.Tensor t : header.tensors()) {
            ElementType type = TYPES.get(t.dtype());
            if (type != null) {
                var shape = refusal.shape(t.name(), t.shape());
                if (shape.size() * type.bytes() != t.end() - t.begin()) {
                    throw refusal.damaged("tensor " + Refusal.quote(t.name()) + " of " + t.dtype() + " " + shape + " has "
                            + (t.end() - t.begin()) + " bytes instead of " + shape.size() * type.bytes());
                }
                contents.add(t.name(), StoredTensor.of(refusal, t.name(), type,
                        new Part(mapping, t.begin(), t.end() - t.begin()), shape));
            } else if (UNREADABLE.contains(t.dtype())) {
                contents.addUnreadable(t.name(), "Graft has no type for " + t.dtype());
            } else {
                throw refusal.damaged("tensor " + Refusal.quote(t.name()) + " has dtype " + Refusal.quote(t.dtype())
                        + ", which safetensors does not know");
            }
        }
        return contents;
    }

    private static void checkCovered(Refusal refusal, SafetensorsHeader header, long bytes) {
        List<SafetensorsHeader.Tensor> byOffset = new ArrayList<>(header.tensors());
        byOffset.sort((a, b) -> a.begin() != b.begin() ? Long.compare(a.begin(), b.begin())
                : Long.compare(a.end(), b.end()));
        long at = 0;
        for (SafetensorsHeader.Tensor t : byOffset) {
            if (t.begin() != at || t.end() < t.begin()) {
                throw refusal.damaged("tensor " + Refusal.quote(t.name()) + " lies at bytes " + t.begin() + " to " + t.end()
                        + " but the tensor before it ends at " + at + ", so they overlap or leave a hole");
            }
            at = t.end();
        }
        if (at != bytes) {
            throw refusal.damaged("the tensors need " + at + " data bytes but the file has " + bytes);
        }
    }

    /** How the data is verified; the header's own hash, which covers what the data's should be, is verified here. */
    private static Check check(Refusal refusal, SafetensorsHeader header) {
        String expected = header.metadata().get(SafetensorsHeader.HEADER_HASH);
        String data = header.metadata().get(SafetensorsHeader.DATA_HASH);
        String crc = header.metadata().get(SafetensorsHeader.DATA_CRC);
        if (expected == null && data == null) {
            return crc == null ? null : new Check("CRC-32", crc, Safetensors::crc32);
        }
        if (data == null || !header.hash().equals(expected)) {
            throw refusal.damaged("the header's SHA-256 is not the one it was written with");
        }
        return crc != null ? new Check("CRC-32", crc, Safetensors::crc32) : new Check("SHA-256", data, Safetensors::sha256);
    }

    /** A sum that the data must have, as its hexadecimal digits. */
    private record Check(String name, String expected, Function<MemorySegment, String> sum) {
        void verify(Refusal refusal, MemorySegment data) {
            String found = sum.apply(data);
            if (!found.equals(expected)) {
                throw refusal.damaged("the data's " + name + " is " + found + " instead of " + Refusal.quote(expected));
            }
        }
    }

    private static String crc32(MemorySegment data) {
        CRC32 crc = new CRC32();
        inChunks(data, (chunk, n) -> crc.update(chunk, 0, n));
        return hex(crc);
    }

    /** The eight digits of a CRC. */
    static String hex(CRC32 crc) {
        return HexFormat.of().toHexDigits((int) crc.getValue());
    }

    private static String sha256(MemorySegment data) {
        MessageDigest sha = SafetensorsHeader.sha256();
        inChunks(data, (chunk, n) -> sha.update(chunk, 0, n));
        return HexFormat.of().formatHex(sha.digest());
    }

    /**
     * Hands {@code data} on in order, as arrays of which so many bytes count. A page that is gone from the file is an
     * InternalError in a copy of the JVM's; in the code of a checksum over the mapping it would end the process.
     */
    private static void inChunks(MemorySegment data, ObjIntConsumer<byte[]> to) {
        byte[] chunk = new byte[1 << 16];
        for (long at = 0; at < data.byteSize(); at += chunk.length) {
            int n = (int) Math.min(chunk.length, data.byteSize() - at);
            MemorySegment.copy(data, ValueLayout.JAVA_BYTE, at, chunk, 0, n);
            to.accept(chunk, n);
        }
    }

    /** The mapped data; its sum, where the header has one, is verified once, before anything is read from it. */
    private static final class Mapping implements Closeable {
        private final Refusal refusal;
        private final FileBytes file;
        private final Check check;
        private final Arena arena = Arena.ofShared();
        private final MemorySegment data;
        private boolean verified;

        Mapping(Refusal refusal, FileBytes file, long start, Check check) throws IOException {
            this.refusal = refusal;
            this.file = file;
            this.check = check;
            file.checkNotShortened();
            this.data = file.channel().map(FileChannel.MapMode.READ_ONLY, start, file.size() - start, arena);
        }

        MemorySegment range(long from, long length) throws IOException {
            file.checkNotShortened();
            verify();
            return data.asSlice(from, length);
        }

        private synchronized void verify() {
            if (check != null && !verified) {
                check.verify(refusal, data);
                verified = true;
            }
        }

        @Override
        public void close() {
            arena.close();
        }
    }

    private record Part(Mapping mapping, long start, long bytes) implements Storage {
        @Override
        public MemorySegment range(long from, long length) throws IOException {
            return mapping.range(start + from, length);
        }
    }
}
