package dev.graft.pretrained.format;

import dev.graft.tensor.DType;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.zip.CRC32;

/**
 * Writes a safetensors file: collect tensors with {@code put}, then {@link #write}. The file appears whole or not at all: it
 * is written beside the target, forced to disk and renamed over it, so an earlier file stays intact when anything fails.
 * The header's metadata carries SHA-256 sums of data and header, and the data's CRC-32; {@link WeightFile} verifies them.
 *
 * <p>Arrays and segments (but not tensors) are used in place; they must not change before {@link #write} returns.
 */
public final class SafetensorsWriter {
    private static final int CHUNK = 1 << 16;

    /** Fills a chunk-sized segment with the elements from index {@code from}. */
    private interface Source {
        void fill(long from, int count, MemorySegment out);
    }

    private record Item(String name, DType dtype, Shape shape, Source source) {
        long bytes() {
            return shape.size() * dtype.bytes();
        }
    }

    /** Opens the file that is written; tests put failing disks here. */
    interface Opener {
        SeekableByteChannel open(Path file) throws IOException;
    }

    private final Map<String, Item> items = new LinkedHashMap<>();
    private final Map<String, String> metadata = new LinkedHashMap<>();

    /** Adds a metadata entry; the keys {@code graft.sha256*} and {@code graft.crc32} are the writer's own. */
    public SafetensorsWriter metadata(String key, String value) {
        if (key.equals(SafetensorsHeader.DATA_HASH) || key.equals(SafetensorsHeader.DATA_CRC)
                || key.equals(SafetensorsHeader.HEADER_HASH)) {
            throw new GraftException("safetensors metadata '" + key + "' is computed while writing; choose another key");
        }
        metadata.put(key, value);
        return this;
    }

    /** Adds a tensor from row-major little-endian bytes, as {@link WeightFile#read} gives them. */
    public SafetensorsWriter put(String name, DType dtype, Shape shape, MemorySegment data) {
        if (data.byteSize() != shape.size() * dtype.bytes()) {
            throw new GraftException("safetensors tensor '" + name + "' of " + dtype + " " + shape + " has "
                    + data.byteSize() + " bytes instead of " + shape.size() * dtype.bytes());
        }
        long width = dtype.bytes();
        return put(new Item(name, dtype, shape, (from, count, out) ->
                MemorySegment.copy(data, from * width, out, 0, count * width)));
    }

    /** Adds a tensor of a float dtype; float16 and bfloat16 are rounded to nearest, ties to even. */
    public SafetensorsWriter put(String name, DType dtype, Shape shape, float[] values) {
        if (!dtype.isFloat()) {
            throw new GraftException("safetensors tensor '" + name + "': float values cannot be written as " + dtype
                    + "; use a float dtype");
        }
        checkCount(name, shape, values.length);
        return put(new Item(name, dtype, shape, (from, count, out) ->
                Elements.round(values, (int) from, count, dtype, out)));
    }

    /** Adds a tensor of any dtype and device with a copy of its elements. */
    public SafetensorsWriter put(String name, Tensor tensor) {
        DType dtype = tensor.dtype();
        Object array = tensor.toArray();
        return put(new Item(name, dtype, tensor.shape(), (from, count, out) ->
                Elements.store(array, (int) from, count, dtype, out)));
    }

    /** Adds an int64 tensor. */
    public SafetensorsWriter put(String name, Shape shape, long[] values) {
        checkCount(name, shape, values.length);
        return put(new Item(name, DType.I64, shape, (from, count, out) ->
                MemorySegment.copy(values, (int) from, out, ElementType.LONG, 0, count)));
    }

    private static void checkCount(String name, Shape shape, int values) {
        if (shape.size() != values) {
            throw new GraftException("safetensors tensor '" + name + "' of shape " + shape + " needs " + shape.size()
                    + " values but got " + values);
        }
    }

    private SafetensorsWriter put(Item item) {
        if (item.name.equals(SafetensorsHeader.METADATA)) {
            throw new GraftException("safetensors: a tensor cannot be named " + item.name + "; use metadata()");
        }
        if (items.putIfAbsent(item.name, item) != null) {
            throw new GraftException("safetensors: there is already a tensor named '" + item.name
                    + "'; give every tensor its own name");
        }
        return this;
    }

    /** Writes the file, replacing an earlier one only when the new one is complete and on disk. */
    public void write(Path file) {
        write(file, f -> FileChannel.open(f, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE));
    }

    void write(Path file, Opener opener) {
        Path temporary = null;
        try {
            // Renaming over a symbolic link would replace the link and leave the file it names as it was.
            Path target = Files.isSymbolicLink(file) ? file.toRealPath() : file.toAbsolutePath();
            temporary = target.resolveSibling("." + target.getFileName() + "." + UUID.randomUUID() + ".tmp");
            try (SeekableByteChannel out = opener.open(temporary)) {
                write(out);
                if (out instanceof FileChannel f) {
                    f.force(true);
                }
            }
            Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
            forceFolder(target.getParent());
        } catch (IOException e) {
            deleteQuietly(temporary, e);
            throw new GraftException(file + ": writing the weights failed (" + e + "); an earlier file is unchanged, check"
                    + " that the folder exists, is writable and has " + totalBytes() + " bytes free", e);
        } catch (RuntimeException e) {
            deleteQuietly(temporary, e);
            throw e;
        }
    }

    private long totalBytes() {
        return items.values().stream().mapToLong(Item::bytes).sum();
    }

    private static void deleteQuietly(Path temporary, Exception cause) {
        try {
            if (temporary != null) {
                Files.deleteIfExists(temporary);
            }
        } catch (IOException e) {
            cause.addSuppressed(e);
        }
    }

    /** Makes the rename itself durable; systems that cannot open folders do it on their own. */
    private static void forceFolder(Path folder) {
        try (FileChannel f = FileChannel.open(folder, StandardOpenOption.READ)) {
            f.force(true);
        } catch (IOException e) {
            // Windows refuses to open a folder; the file itself is on disk already.
        }
    }

    private void write(SeekableByteChannel out) throws IOException {
        // Wide elements first keeps every tensor aligned to its element size; the header keeps the order of put.
        List<Item> layout = new ArrayList<>(items.values());
        layout.sort(Comparator.comparingInt(i -> -i.dtype.bytes()));
        Map<String, Long> begins = new LinkedHashMap<>();
        long at = 0;
        for (Item i : layout) {
            begins.put(i.name, at);
            at += i.bytes();
        }
        // The hashes have a fixed length: the header is written with zeros first and again when they are known.
        String unknown = "0".repeat(64);
        byte[] header = header(begins, unknown, "00000000", unknown).toJson();
        if (header.length > SafetensorsHeader.MAX_BYTES) {
            throw new GraftException("safetensors: the header with " + items.size() + " tensors and the metadata has "
                    + header.length + " bytes, more than the format's " + SafetensorsHeader.MAX_BYTES
                    + "; shorten the metadata");
        }
        writeFully(out, lengthAnd(header));
        MessageDigest sha = SafetensorsHeader.sha256();
        CRC32 crc = new CRC32();
        byte[] chunk = new byte[CHUNK];
        for (Item i : layout) {
            int perChunk = CHUNK / i.dtype.bytes();
            for (long from = 0; from < i.shape.size(); from += perChunk) {
                int count = (int) Math.min(perChunk, i.shape.size() - from);
                i.source.fill(from, count, MemorySegment.ofArray(chunk));
                sha.update(chunk, 0, count * i.dtype.bytes());
                crc.update(chunk, 0, count * i.dtype.bytes());
                writeFully(out, ByteBuffer.wrap(chunk, 0, count * i.dtype.bytes()));
            }
        }
        String dataHash = HexFormat.of().formatHex(sha.digest());
        String dataCrc = Safetensors.hex(crc);
        String headerHash = header(begins, dataHash, dataCrc, unknown).hash();
        out.position(0);
        writeFully(out, lengthAnd(header(begins, dataHash, dataCrc, headerHash).toJson()));
    }

    private SafetensorsHeader header(Map<String, Long> begins, String dataHash, String dataCrc, String headerHash) {
        List<SafetensorsHeader.Tensor> tensors = new ArrayList<>();
        for (Item i : items.values()) {
            int[] dims = i.shape.dims();
            long[] shape = new long[dims.length];
            for (int d = 0; d < dims.length; d++) {
                shape[d] = dims[d];
            }
            long begin = begins.get(i.name);
            tensors.add(new SafetensorsHeader.Tensor(i.name, i.dtype.name(), shape, begin, begin + i.bytes()));
        }
        Map<String, String> all = new LinkedHashMap<>(metadata);
        all.put(SafetensorsHeader.DATA_HASH, dataHash);
        all.put(SafetensorsHeader.DATA_CRC, dataCrc);
        all.put(SafetensorsHeader.HEADER_HASH, headerHash);
        return new SafetensorsHeader(tensors, all);
    }

    private static ByteBuffer lengthAnd(byte[] header) {
        return ByteBuffer.allocate(8 + header.length).order(ByteOrder.LITTLE_ENDIAN)
                .putLong(header.length).put(header).flip();
    }

    private static void writeFully(SeekableByteChannel out, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            if (out.write(bytes) <= 0) {
                throw new IOException("the disk takes no more bytes");
            }
        }
    }
}
