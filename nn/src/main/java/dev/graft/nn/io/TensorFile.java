package dev.graft.nn.io;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.graft.tensor.DType;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import java.io.EOFException;
import java.io.IOException;
import java.lang.reflect.Array;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Named tensors and strings in one file that Graft wrote itself: checkpoints, caches. The format is safetensors, so other
 * programs can look inside; a SHA-256 over header and data stands in its metadata and is checked when reading. Weights of
 * other origin are read by {@code dev.graft.pretrained}, which knows more formats and copies less.
 *
 * @param tensors  by name; after {@link #read} they lie on the CPU and belong to the open scope, or to the caller
 * @param metadata by key
 */
public record TensorFile(Map<String, Tensor> tensors, Map<String, String> metadata) {
    private static final String CHECKSUM = "graft.sha256";
    private static final String BLANK = "0".repeat(64);
    private static final int MAX_HEADER = 100 << 20;
    private static final int CHUNK = 1 << 20;
    private static final ObjectMapper JSON = new ObjectMapper();

    /** Writes {@code file} atomically, see {@link AtomicFile}. */
    public static void write(Path file, Map<String, Tensor> tensors, Map<String, String> metadata) {
        byte[] header = header(tensors, metadata);
        AtomicFile.write(file, out -> {
            MessageDigest sha = sha256();
            ByteBuffer head = ByteBuffer.allocate(8 + header.length).order(ByteOrder.LITTLE_ENDIAN);
            head.putLong(header.length).put(header).flip();
            send(head, out, sha);
            ByteBuffer buffer = ByteBuffer.allocateDirect(CHUNK).order(ByteOrder.LITTLE_ENDIAN);
            for (Tensor t : tensors.values()) {
                write(t, buffer, out, sha);
            }
            long at = 8 + new String(header, StandardCharsets.ISO_8859_1).indexOf(BLANK);
            ByteBuffer sum = ByteBuffer.wrap(HexFormat.of().formatHex(sha.digest()).getBytes(StandardCharsets.US_ASCII));
            while (sum.hasRemaining()) {
                at += out.write(sum, at);
            }
        });
    }

    private static byte[] header(Map<String, Tensor> tensors, Map<String, String> metadata) {
        ObjectNode root = JSON.createObjectNode();
        ObjectNode meta = root.putObject("__metadata__");
        meta.put(CHECKSUM, BLANK);     // first, so that its place is the first match; filled in when all is written
        metadata.forEach(meta::put);
        long at = 0;
        for (Map.Entry<String, Tensor> e : tensors.entrySet()) {
            Tensor t = e.getValue();
            ObjectNode n = root.putObject(e.getKey());
            n.put("dtype", t.dtype().name());
            n.set("shape", JSON.valueToTree(t.shape().dims()));
            long end = at + t.size() * t.dtype().bytes();
            n.putArray("data_offsets").add(at).add(end);
            at = end;
        }
        byte[] json = root.toString().getBytes(StandardCharsets.UTF_8);
        byte[] padded = Arrays.copyOf(json, (json.length + 7) / 8 * 8);
        Arrays.fill(padded, json.length, padded.length, (byte) ' ');
        return padded;
    }

    private static void write(Tensor t, ByteBuffer buffer, FileChannel out, MessageDigest sha) throws IOException {
        Object array = t.toArray();
        int total = Array.getLength(array);
        int per = CHUNK / t.dtype().bytes();
        for (int i = 0; i < total; i += per) {
            int n = Math.min(per, total - i);
            buffer.clear();
            switch (array) {
                case float[] a -> buffer.asFloatBuffer().put(a, i, n);
                case double[] a -> buffer.asDoubleBuffer().put(a, i, n);
                case int[] a -> buffer.asIntBuffer().put(a, i, n);
                case long[] a -> buffer.asLongBuffer().put(a, i, n);
                case short[] a -> buffer.asShortBuffer().put(a, i, n);
                case byte[] a -> buffer.duplicate().put(a, i, n);
                default -> throw new GraftException("tensor file: " + t.spec() + " cannot be written");
            }
            send(buffer.limit(n * t.dtype().bytes()), out, sha);
        }
    }

    private static void send(ByteBuffer b, FileChannel out, MessageDigest sha) throws IOException {
        sha.update(b.duplicate());
        while (b.hasRemaining()) {
            out.write(b);
        }
    }

    /**
     * Reads all of {@code file} into memory.
     *
     * @throws GraftException when it is missing, truncated, damaged, or not written by this class; nothing is left open
     */
    public static TensorFile read(Path file) {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        try (FileChannel in = FileChannel.open(file)) {
            return read(file, in, tensors);
        } catch (NoSuchFileException e) {
            throw new GraftException(file + " does not exist", e);
        } catch (EOFException | JsonProcessingException e) {
            tensors.values().forEach(Tensor::close);
            throw damaged(file, e instanceof EOFException ? "it ends too early" : "its header is no JSON", e);
        } catch (IOException e) {
            tensors.values().forEach(Tensor::close);
            throw new GraftException(file + " could not be read: " + e.getMessage(), e);
        } catch (RuntimeException e) {
            tensors.values().forEach(Tensor::close);
            throw e;
        }
    }

    private static TensorFile read(Path file, FileChannel in, Map<String, Tensor> tensors) throws IOException {
        MessageDigest sha = sha256();
        ByteBuffer length = receive(in, ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN));
        long n = length.getLong(0);
        if (n < 2 || n > MAX_HEADER || n > in.size() - 8) {
            throw damaged(file, "its header claims " + n + " bytes of " + in.size(), null);
        }
        byte[] bytes = receive(in, ByteBuffer.allocate((int) n)).array();
        JsonNode root = JSON.readTree(bytes);
        JsonNode meta = root.path("__metadata__");
        String sum = meta.path(CHECKSUM).asText();
        if (!sum.matches("[0-9a-f]{64}")) {
            throw new GraftException(file + " was not written by Graft's trainer: it has no checksum");
        }
        int at = new String(bytes, StandardCharsets.ISO_8859_1).indexOf(sum);
        System.arraycopy(BLANK.getBytes(StandardCharsets.US_ASCII), 0, bytes, at, BLANK.length());
        sha.update(length.rewind());
        sha.update(bytes);
        ByteBuffer buffer = ByteBuffer.allocateDirect(CHUNK).order(ByteOrder.LITTLE_ENDIAN);
        long position = 0;
        for (Map.Entry<String, JsonNode> e : root.properties()) {
            if (!e.getKey().equals("__metadata__")) {
                Tensor t = tensor(file, e.getKey(), e.getValue(), position, in.size() - 8 - n);
                tensors.put(e.getKey(), t);
                fill(t, buffer, in, sha);
                position += t.size() * t.dtype().bytes();
            }
        }
        if (in.position() != in.size()) {
            throw damaged(file, (in.size() - in.position()) + " bytes follow its last tensor", null);
        }
        if (!HexFormat.of().formatHex(sha.digest()).equals(sum)) {
            throw damaged(file, "its checksum does not match its content", null);
        }
        Map<String, String> strings = new LinkedHashMap<>();
        meta.properties().forEach(e -> strings.put(e.getKey(), e.getValue().asText()));
        strings.remove(CHECKSUM);
        return new TensorFile(tensors, strings);
    }

    /** A tensor with any content, after its description was found to fit into the file. */
    private static Tensor tensor(Path file, String name, JsonNode n, long position, long available) {
        DType dtype = Arrays.stream(DType.values()).filter(d -> d.name().equals(n.path("dtype").asText())).findFirst()
                .orElseThrow(() -> damaged(file, "'" + name + "' has the unknown type " + n.path("dtype"), null));
        int[] dims = new int[n.path("shape").size()];
        long count = 1;
        for (int i = 0; i < dims.length; i++) {
            dims[i] = n.path("shape").get(i).asInt(-1);
            count = dims[i] < 0 || dims[i] != 0 && count > available / dims[i] ? -1 : count * dims[i];
            if (count < 0 || count > Integer.MAX_VALUE - 64) {
                throw damaged(file, "'" + name + "' has the impossible shape " + n.path("shape"), null);
            }
        }
        long begin = n.path("data_offsets").path(0).asLong(-1);
        long end = n.path("data_offsets").path(1).asLong(-1);
        if (begin != position || end - begin != count * dtype.bytes() || end > available) {
            throw damaged(file, "'" + name + "' does not lie where its shape says", null);
        }
        Object array = switch (dtype) {
            case F32 -> new float[(int) count];
            case F64 -> new double[(int) count];
            case F16, BF16, I16 -> new short[(int) count];
            case I32 -> new int[(int) count];
            case I64 -> new long[(int) count];
            case I8, U8, BOOL -> new byte[(int) count];
        };
        return Tensor.from(dtype, array, Shape.of(dims));
    }

    private static void fill(Tensor t, ByteBuffer buffer, FileChannel in, MessageDigest sha) throws IOException {
        Object array = t.host().array();
        int total = (int) t.size();
        int per = CHUNK / t.dtype().bytes();
        for (int i = 0; i < total; i += per) {
            int n = Math.min(per, total - i);
            receive(in, buffer.clear().limit(n * t.dtype().bytes()));
            sha.update(buffer.rewind());
            buffer.rewind();
            switch (array) {
                case float[] a -> buffer.asFloatBuffer().get(a, i, n);
                case double[] a -> buffer.asDoubleBuffer().get(a, i, n);
                case int[] a -> buffer.asIntBuffer().get(a, i, n);
                case long[] a -> buffer.asLongBuffer().get(a, i, n);
                case short[] a -> buffer.asShortBuffer().get(a, i, n);
                case byte[] a -> buffer.get(a, i, n);
                default -> throw new GraftException("tensor file: " + t.spec() + " cannot be read");
            }
        }
    }

    private static ByteBuffer receive(FileChannel in, ByteBuffer b) throws IOException {
        while (b.hasRemaining()) {
            if (in.read(b) < 0) {
                throw new EOFException();
            }
        }
        return b;
    }

    private static GraftException damaged(Path file, String how, Throwable cause) {
        return new GraftException(file + " is damaged: " + how + "; use an earlier file, or write it again", cause);
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    /** Closes all tensors. */
    public void close() {
        tensors.values().forEach(Tensor::close);
    }
}
