package dev.graft.pretrained.format;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The JSON at the start of a safetensors file: for each tensor its dtype, shape and byte range, and string metadata.
 * Format: the README of huggingface/safetensors.
 */
record SafetensorsHeader(List<Tensor> tensors, Map<String, String> metadata) {
    /** The limit of the reference implementation. */
    static final int MAX_BYTES = 100_000_000;
    static final String METADATA = "__metadata__";
    /** Metadata key of the SHA-256 of all data bytes, in hex. */
    static final String DATA_HASH = "graft.sha256";
    /**
     * Metadata key of the CRC-32 of all data bytes, 8 hex digits: what is verified where it is there, as a JVM that has just
     * started computes it a hundred times faster than a SHA-256, and a damaged file is all that either can tell.
     */
    static final String DATA_CRC = "graft.crc32";
    /** Metadata key of the SHA-256 of names, dtypes, shapes, offsets and the other metadata, see {@link #hash}. */
    static final String HEADER_HASH = "graft.sha256.header";

    private static final int MAX_AXES = 64;
    private static final JsonFactory JSON = JsonFactory.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxNestingDepth(16).maxStringLength(MAX_BYTES).maxNameLength(1 << 16).build())
            .build();

    /** One tensor; {@code begin} and {@code end} count from the first data byte. */
    record Tensor(String name, String dtype, long[] shape, long begin, long end) {
    }

    static SafetensorsHeader parse(Refusal refusal, byte[] json, int length) throws IOException {
        List<Tensor> tensors = new ArrayList<>();
        Map<String, String> metadata = new LinkedHashMap<>();
        try (JsonParser in = JSON.createParser(json, 0, length)) {
            expect(refusal, in.nextToken(), JsonToken.START_OBJECT, "the header");
            while (in.nextToken() == JsonToken.FIELD_NAME) {
                String name = in.currentName();
                expect(refusal, in.nextToken(), JsonToken.START_OBJECT, "header entry " + Refusal.quote(name));
                if (name.equals(METADATA)) {
                    while (in.nextToken() == JsonToken.FIELD_NAME) {
                        String key = in.currentName();
                        expect(refusal, in.nextToken(), JsonToken.VALUE_STRING, "metadata " + Refusal.quote(key));
                        metadata.put(key, in.getText());
                    }
                } else {
                    tensors.add(tensor(refusal, in, name));
                }
            }
            if (in.nextToken() != null) {
                throw refusal.damaged("the safetensors header goes on after its closing brace");
            }
        } catch (com.fasterxml.jackson.core.JacksonException e) {
            throw refusal.damaged("the safetensors header is not valid JSON: " + e.getOriginalMessage(), e);
        }
        return new SafetensorsHeader(tensors, metadata);
    }

    private static void expect(Refusal refusal, JsonToken found, JsonToken expected, String what) {
        if (found != expected) {
            throw refusal.damaged("in the safetensors header, " + what + " should be " + expected + " but is "
                    + (found == null ? "cut off" : found));
        }
    }

    private static Tensor tensor(Refusal refusal, JsonParser in, String name) throws IOException {
        String what = "tensor " + Refusal.quote(name);
        String dtype = null;
        long[] shape = null;
        long[] offsets = null;
        while (in.nextToken() == JsonToken.FIELD_NAME) {
            String field = in.currentName();
            JsonToken value = in.nextToken();
            switch (field) {
                case "dtype" -> {
                    expect(refusal, value, JsonToken.VALUE_STRING, "dtype of " + what);
                    dtype = in.getText();
                }
                case "shape" -> shape = numbers(refusal, in, "shape of " + what);
                case "data_offsets" -> offsets = numbers(refusal, in, "data_offsets of " + what);
                default -> in.skipChildren();
            }
        }
        if (dtype == null || shape == null || offsets == null || offsets.length != 2) {
            throw refusal.damaged("the safetensors header lacks dtype, shape or two data_offsets for " + what);
        }
        return new Tensor(name, dtype, shape, offsets[0], offsets[1]);
    }

    private static long[] numbers(Refusal refusal, JsonParser in, String what) throws IOException {
        expect(refusal, in.currentToken(), JsonToken.START_ARRAY, what);
        long[] n = new long[MAX_AXES];
        int count = 0;
        while (in.nextToken() != JsonToken.END_ARRAY) {
            expect(refusal, in.currentToken(), JsonToken.VALUE_NUMBER_INT, what);
            if (count == MAX_AXES) {
                throw refusal.damaged("in the safetensors header, " + what + " has more than " + MAX_AXES + " numbers");
            }
            n[count++] = in.getLongValue();
        }
        return Arrays.copyOf(n, count);
    }

    /** The JSON, padded with spaces so that with its 8 length bytes the data starts at a multiple of 8. */
    byte[] toJson() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (JsonGenerator out = JSON.createGenerator(bytes)) {
            out.writeStartObject();
            if (!metadata.isEmpty()) {
                out.writeObjectFieldStart(METADATA);
                for (Map.Entry<String, String> e : metadata.entrySet()) {
                    out.writeStringField(e.getKey(), e.getValue());
                }
                out.writeEndObject();
            }
            for (Tensor t : tensors) {
                out.writeObjectFieldStart(t.name);
                out.writeStringField("dtype", t.dtype);
                out.writeFieldName("shape");
                out.writeArray(t.shape, 0, t.shape.length);
                out.writeFieldName("data_offsets");
                out.writeArray(new long[] {t.begin, t.end}, 0, 2);
                out.writeEndObject();
            }
            out.writeEndObject();
        }
        while (bytes.size() % 8 != 0) {
            bytes.write(' ');
        }
        return bytes.toByteArray();
    }

    /**
     * SHA-256 over one line per tensor in the header's order and one per metadata entry in the order of its keys, without
     * {@link #HEADER_HASH} itself. It covers the data's hash, so a changed bit anywhere in the file shows.
     */
    String hash() {
        MessageDigest sha = sha256();
        for (Tensor t : tensors) {
            line(sha, t.name, t.dtype, Arrays.toString(t.shape), Long.toString(t.begin), Long.toString(t.end));
        }
        new TreeMap<>(metadata).forEach((key, value) -> {
            if (!key.equals(HEADER_HASH)) {
                line(sha, METADATA, key, value);
            }
        });
        return HexFormat.of().formatHex(sha.digest());
    }

    /** Fields end with byte 0xff and lines with 0xfe, which UTF-8 never contains. */
    private static void line(MessageDigest sha, String... fields) {
        for (String f : fields) {
            sha.update(f.getBytes(StandardCharsets.UTF_8));
            sha.update((byte) 0xff);
        }
        sha.update((byte) 0xfe);
    }

    static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
