package dev.graft.pretrained.format;

import static dev.graft.pretrained.format.WeightFiles.concat;
import static dev.graft.pretrained.format.WeightFiles.floats;
import static dev.graft.pretrained.format.WeightFiles.longs;
import static dev.graft.pretrained.format.WeightFiles.safetensors;
import static dev.graft.pretrained.format.WeightFiles.shorts;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.tensor.DType;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SafetensorsTest {
    @TempDir
    Path folder;
    private Path file;

    @BeforeEach
    void name() {
        file = folder.resolve("w.bin"); // formats are found by content, not by extension
    }

    private WeightFile open(byte[] content) throws IOException {
        Files.write(file, content);
        return WeightFile.open(file);
    }

    private void refused(byte[] content, String... words) {
        assertThatThrownBy(() -> open(content).close()).isInstanceOf(GraftException.class)
                .hasMessageContaining(file.toString()).hasMessageContainingAll(words);
    }

    @Test
    void readsWhatTheFormatDescribes() throws IOException {
        String header = "{\"__metadata__\":{\"who\":\"me\"},"
                + "\"b\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[8,16]},"
                + "\"a\":{\"shape\":[],\"dtype\":\"I64\",\"data_offsets\":[0,8]},"
                + "\"none\":{\"dtype\":\"F16\",\"shape\":[0,3],\"data_offsets\":[16,16]}}  ";
        try (WeightFile w = open(safetensors(header, concat(longs(-5), floats(1.5f, -2))))) {
            assertThat(w.format()).isEqualTo("safetensors");
            assertThat(w.entries()).containsExactly(new WeightEntry("b", DType.F32, Shape.of(2, 1)),
                    new WeightEntry("a", DType.I64, Shape.SCALAR), new WeightEntry("none", DType.F16, Shape.of(0, 3)));
            assertThat(w.floats("b")).containsExactly(1.5f, -2);
            assertThat(w.longs("a")).containsExactly(-5);
            assertThat(w.floats("none")).isEmpty();
            assertThat(w.metadata()).containsEntry("who", "me");
            assertThat(w.read("b").isReadOnly()).isTrue();
            assertThatThrownBy(() -> w.longs("b")).isInstanceOf(GraftException.class).hasMessageContaining("float32");
            assertThatThrownBy(() -> w.floats("nome")).isInstanceOf(GraftException.class)
                    .hasMessageContaining("'nome'").hasMessageContaining("none");
        }
    }

    @Test
    void typesThatGraftLacksAreWidenedExactly() throws IOException {
        String header = "{\"u16\":{\"dtype\":\"U16\",\"shape\":[2],\"data_offsets\":[0,4]},"
                + "\"u32\":{\"dtype\":\"U32\",\"shape\":[1],\"data_offsets\":[4,8]},"
                + "\"u64\":{\"dtype\":\"U64\",\"shape\":[1],\"data_offsets\":[8,16]},"
                + "\"big\":{\"dtype\":\"U64\",\"shape\":[1],\"data_offsets\":[16,24]},"
                + "\"e4m3\":{\"dtype\":\"F8_E4M3\",\"shape\":[5],\"data_offsets\":[24,29]},"
                + "\"e5m2\":{\"dtype\":\"F8_E5M2\",\"shape\":[3],\"data_offsets\":[29,32]},"
                + "\"c\":{\"dtype\":\"C64\",\"shape\":[1],\"data_offsets\":[32,40]}}";
        byte[] data = concat(shorts(0xffff, 7), new byte[] {-1, -1, -1, -1}, longs(Long.MAX_VALUE, -1),
                // E4M3 by the OCP table: 1.0, largest 448, smallest subnormal 2^-9, -1.75, NaN
                new byte[] {0x38, 0x7e, 0x01, (byte) 0xbe, 0x7f},
                // E5M2: 1.0, largest 57344, -infinity
                new byte[] {0x3c, 0x7b, (byte) 0xfc}, new byte[8]);
        try (WeightFile w = open(safetensors(header, data))) {
            assertThat(w.entry("u16").dtype()).isEqualTo(DType.I32);
            assertThat(w.longs("u16")).containsExactly(65535, 7);
            assertThat(w.longs("u32")).containsExactly(4294967295L);
            assertThat(w.longs("u64")).containsExactly(Long.MAX_VALUE);
            assertThatThrownBy(() -> w.longs("big")).isInstanceOf(GraftException.class)
                    .hasMessageContaining("18446744073709551615");
            assertThat(w.floats("e4m3")).containsExactly(1, 448, 0x1p-9f, -1.75f, Float.NaN);
            assertThat(w.floats("e5m2")).containsExactly(1, 57344, Float.NEGATIVE_INFINITY);
            assertThat(w.unreadable()).containsOnlyKeys("c");
            assertThatThrownBy(() -> w.read("c")).isInstanceOf(GraftException.class).hasMessageContaining("C64");
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "[0,4] | [3,7] | 7 | overlap",
        "[0,4] | [0,4] | 4 | overlap",
        "[0,4] | [8,12] | 12 | hole",
        "[0,4] | [4,8] | 12 | 12",
        "[0,4] | [4,8] | 4 | 4",
        "[4,8] | [8,12] | 12 | hole",
        "[0,4] | [4,2] | 2 | overlap",
        "[0,4] | [4,1152921504606846976] | 8 | bytes",
        "[0,4] | [4,99999999999999999999] | 8 | JSON",
        "[0,4] | [-4,0] | 4 | overlap",
    })
    void offsetsMustCoverTheData(String first, String second, int bytes, String word) {
        refused(safetensors("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":" + first
                + "},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":" + second + "}}", new byte[bytes]), word);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "[2147483647,2147483647,2147483647] | more elements",
        "[4294967296,4294967296] | axis",
        "[2147483647,2147483647,2147483647,0] | more elements",
        "[-1] | negative",
        "[3] | 12",
        "[1.5] | shape",
        "[[1]] | shape",
        "\"1\" | shape",
    })
    void shapesMustFitTheBytes(String shape, String word) {
        refused(safetensors("{\"a\":{\"dtype\":\"F32\",\"shape\":" + shape + ",\"data_offsets\":[0,4]}}",
                new byte[4]), word);
    }

    @Test
    void headersThatLieAreRefused() {
        String entry = "{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}";
        refused(concat(longs(1L << 60), "{}".getBytes()), "1152921504606846976");
        refused(concat(longs(-1), "{}".getBytes()), "18446744073709551615");
        refused(safetensors("{\"a\":" + entry + ",\"a\":" + entry + "}", new byte[4]), "Duplicate");
        refused(safetensors("{\"a\":" + entry.replace("F32", "F31") + "}", new byte[4]), "F31");
        refused(safetensors("{\"a\":" + entry + "} {}", new byte[4]), "closing brace");
        refused(safetensors("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", new byte[4]), "'a'");
        refused(safetensors("{\"__metadata__\":{\"k\":1},\"a\":" + entry + "}", new byte[4]), "'k'");
        refused(safetensors("{\"a\":" + "[".repeat(100_000), new byte[4]), "safetensors");
        refused(safetensors("{\"a\":{\"x\":" + "[".repeat(5000) + "]".repeat(5000) + "}}", new byte[4]), "JSON");
    }

    @Test
    void everyDtypeGoesThroughAFile() {
        float[] values = {0, -0f, 1 / 3f, 65504, 1e-8f, Float.POSITIVE_INFINITY, Float.NaN, -2.5f};
        try (Scope scope = Scope.open("test")) {
            SafetensorsWriter writer = new SafetensorsWriter().metadata("epoch", "3");
            for (DType d : List.of(DType.F32, DType.F64, DType.F16, DType.BF16)) {
                writer.put(d.name(), d, Shape.of(2, 4), values);
            }
            writer.put("i64", Shape.of(2), new long[] {Long.MIN_VALUE, 7}).put("empty", Shape.of(0), new long[0])
                    .put("scalar", DType.F32, Shape.SCALAR, new float[] {3})
                    .put("mask", Tensor.of(new boolean[] {true, false, true}, 3))
                    .put("i32", Tensor.of(new int[] {1, -2}, 2, 1)).write(file);
            assertThat(scope).isNotNull();
            try (WeightFile w = WeightFile.open(file)) {
                assertThat(w.entries()).extracting(WeightEntry::name).containsExactly("F32", "F64", "F16", "BF16", "i64",
                        "empty", "scalar", "mask", "i32");
                assertThat(w.floats("F32")).containsExactly(values);
                assertThat(w.doubles("F64")[2]).isEqualTo((double) (1 / 3f));
                assertThat(w.longs("i64")).containsExactly(Long.MIN_VALUE, 7);
                assertThat(w.floats("scalar")).containsExactly(3);
                assertThat(w.longs("mask")).containsExactly(1, 0, 1);
                assertThat(w.metadata()).containsEntry("epoch", "3").containsKey("graft.sha256");
                // 1/3 in IEEE half is 0x3555, in bfloat16 0x3eab; 1e-8 is below half's smallest subnormal.
                assertThat(w.floats("F16")).containsExactly(0, -0f, 0x1.554p-2f, 65504, 0, Float.POSITIVE_INFINITY,
                        Float.NaN, -2.5f);
                assertThat(w.floats("BF16")[2]).isEqualTo(Float.intBitsToFloat(0x3eab0000));
                Tensor i32 = w.tensor("i32");
                assertThat(i32.dtype()).isEqualTo(DType.I32);
                assertThat(i32.shape()).isEqualTo(Shape.of(2, 1));
                assertThat(i32.toInts()).containsExactly(1, -2);
                assertThat((short[]) w.tensor("BF16").toArray()).startsWith((short) 0, (short) 0x8000, (short) 0x3eab);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"3f800000,3f80", "3f808000,3f80", "3f808001,3f81", "3f818000,3f82", "7f7fffff,7f80", "80000001,8000",
        "7f800001,7fc0", "ff800000,ff80", "ffffffff,ffff"})
    void bfloat16RoundsToNearestEven(String bits, String expected) {
        short found = Elements.bfloat16(Float.intBitsToFloat(Integer.parseUnsignedInt(bits, 16)));
        if (expected.equals("7fc0")) {
            assertThat(Float.intBitsToFloat(found << 16)).isNaN(); // a JVM may quieten the NaN before we see it
        } else {
            assertThat(String.format("%04x", found)).isEqualTo(expected);
        }
    }

    @Test
    void tensorsAreAlignedToTheirElements() throws IOException {
        new SafetensorsWriter().put("bytes", Tensor.of(new boolean[] {true}, 1))
                .put("half", DType.F16, Shape.of(1), new float[] {1}).put("wide", Shape.of(1), new long[] {1}).write(file);
        byte[] bytes = Files.readAllBytes(file);
        long header = java.nio.ByteBuffer.wrap(bytes).order(java.nio.ByteOrder.LITTLE_ENDIAN).getLong();
        assertThat((8 + header) % 8).isZero();
        String json = new String(bytes, 8, (int) header);
        assertThat(json).contains("\"wide\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]}")
                .contains("\"half\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[8,10]}");
    }

    /** Lists and reads everything, as a program would. */
    private List<Object> everything() {
        List<Object> all = new ArrayList<>();
        try (WeightFile w = WeightFile.open(file)) {
            for (WeightEntry e : w.entries()) {
                all.add(e);
                all.add(w.doubles(e.name()));
            }
        }
        return all;
    }

    @Test
    void flippedBitsOfOurOwnFilesAreFound() throws IOException {
        new SafetensorsWriter().metadata("epoch", "3").put("w", DType.BF16, Shape.of(2), new float[] {1, 2})
                .put("n", Shape.of(1), new long[] {9}).write(file);
        byte[] good = Files.readAllBytes(file);
        for (int bit = 0; bit < 8 * good.length; bit += 5) { // each byte at least once, at changing places
            byte[] bad = good.clone();
            bad[bit / 8] ^= (byte) (1 << bit % 8);
            Files.write(file, bad);
            assertThatThrownBy(this::everything).as("bit " + bit).isInstanceOf(GraftException.class);
        }
        Files.write(file, good);
        assertThat(everything()).hasSize(4);
    }

    @Test
    void theCrcIsThatOfAllData() throws IOException {
        new SafetensorsWriter().put("w", DType.F32, Shape.of(3), new float[] {1, 2, 3})
                .put("n", Shape.of(2), new long[] {9, 8})
                .write(file);
        byte[] all = Files.readAllBytes(file);
        CRC32 crc = new CRC32();
        crc.update(all, all.length - 28, 28);
        try (WeightFile w = WeightFile.open(file)) {
            assertThat(w.metadata()).containsEntry("graft.crc32", String.format("%08x", crc.getValue()));
        }
        all[all.length - 20] ^= 1;
        Files.write(file, all);
        assertThatThrownBy(this::everything).isInstanceOf(GraftException.class).hasMessageContaining("the data's CRC-32 is");
    }

    /** The CRC is a short cut that a file may lack. */
    @Test
    void aFileWithoutACrcIsVerifiedByItsSha256() throws IOException {
        byte[] data = new byte[] {0, 0, -128, 63};
        List<SafetensorsHeader.Tensor> one = List.of(new SafetensorsHeader.Tensor("x", "F32", new long[] {1}, 0, 4));
        String sha = HexFormat.of().formatHex(SafetensorsHeader.sha256().digest(data));
        String hash = new SafetensorsHeader(one, Map.of(SafetensorsHeader.DATA_HASH, sha)).hash();
        byte[] header = new SafetensorsHeader(one, Map.of(SafetensorsHeader.DATA_HASH, sha, SafetensorsHeader.HEADER_HASH,
                hash)).toJson();
        for (boolean good : new boolean[] {true, false}) {
            data[3] ^= (byte) (good ? 0 : 1);
            Files.write(file, java.nio.ByteBuffer.allocate(12 + header.length).order(java.nio.ByteOrder.LITTLE_ENDIAN)
                    .putLong(header.length).put(header).put(data).array());
            if (good) {
                assertThat(everything()).hasSize(2);
            } else {
                assertThatThrownBy(this::everything).hasMessageContaining("the data's SHA-256 is");
            }
        }
    }

    @Test
    void aCrcWithoutASha256IsVerifiedToo() throws IOException {
        byte[] data = floats(1, 2);
        CRC32 crc = new CRC32();
        crc.update(data);
        for (String sum : new String[] {String.format("%08x", crc.getValue()), "00000000", "nonsense"}) {
            Files.write(file, safetensors("{\"__metadata__\":{\"graft.crc32\":\"" + sum + "\"},"
                    + "\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", data));
            if (sum.equals(String.format("%08x", crc.getValue()))) {
                assertThat(everything()).hasSize(2);
            } else {
                assertThatThrownBy(this::everything).isInstanceOf(GraftException.class)
                        .hasMessageContaining("the data's CRC-32 is").hasMessageContaining(sum);
            }
        }
    }

    /** Sums are computed in chunks of 64 KiB: data that ends in the midst of one, and at the end of one. */
    @Test
    void theCrcOfSeveralChunksIsThatOfAllData() throws IOException {
        for (int n : new int[] {16_384 * 3, 50_001}) {
            float[] values = new float[n];
            for (int i = 0; i < n; i++) {
                values[i] = i;
            }
            new SafetensorsWriter().put("w", DType.F32, Shape.of(n), values).write(file);
            CRC32 crc = new CRC32();
            crc.update(floats(values));
            try (WeightFile w = WeightFile.open(file)) {
                assertThat(w.metadata()).containsEntry("graft.crc32", String.format("%08x", crc.getValue()));
                assertThat(w.floats("w")).containsExactly(values);
            }
            byte[] all = Files.readAllBytes(file);
            all[all.length - 1] ^= 1;
            Files.write(file, all);
            assertThatThrownBy(this::everything).hasMessageContaining("the data's CRC-32 is");
        }
    }

    @Test
    void aFileShortenedWhileOpenIsAnErrorAndNoCrash() throws IOException {
        new SafetensorsWriter().put("w", DType.F32, Shape.of(50_000), new float[50_000]).write(file);
        try (WeightFile w = WeightFile.open(file); FileChannel c = FileChannel.open(file, StandardOpenOption.WRITE)) {
            c.truncate(1000);
            assertThatThrownBy(() -> w.floats("w")).isInstanceOf(GraftException.class).hasMessageContaining("shrank");
        }
    }

    @Test
    void useAfterCloseIsAnError() {
        new SafetensorsWriter().put("w", Shape.of(1), new long[1]).write(file);
        WeightFile w = WeightFile.open(file);
        w.close();
        assertThatThrownBy(() -> w.longs("w")).isInstanceOf(GraftException.class).hasMessageContaining("closed");
    }

    /** A header of 0x0280 bytes: the file begins with 80 02, as a pickle does. */
    @Test
    void aHeaderLengthThatLooksLikeAPickleIsNone() throws IOException {
        String json = "{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}";
        java.nio.ByteBuffer b = java.nio.ByteBuffer.allocate(8 + 0x280 + 4).order(java.nio.ByteOrder.LITTLE_ENDIAN);
        b.putLong(0x280)
                .put((json + " ".repeat(0x280 - json.length())).getBytes(java.nio.charset.StandardCharsets.US_ASCII));
        b.putFloat(2.5f);
        java.nio.file.Path file = java.nio.file.Files.createTempFile("graft", ".safetensors");
        try {
            java.nio.file.Files.write(file, b.array());
            try (WeightFile weights = WeightFile.open(file)) {
                assertThat(weights.format()).isEqualTo("safetensors");
                assertThat(weights.floats("x")).containsExactly(2.5f);
            }
        } finally {
            java.nio.file.Files.delete(file);
        }
    }
}
