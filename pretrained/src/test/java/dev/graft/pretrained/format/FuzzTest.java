package dev.graft.pretrained.format;

import static dev.graft.pretrained.format.WeightFiles.concat;
import static dev.graft.pretrained.format.WeightFiles.floats;
import static dev.graft.pretrained.format.WeightFiles.longs;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.tensor.GraftException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Cut off, bit-flipped and mixed-up files of every format: a GraftException or a correct parse, nothing else. */
class FuzzTest {
    @TempDir
    Path folder;

    static Stream<Map.Entry<String, byte[]>> files() {
        byte[] pickle = new PickleBytes().op('}', '(')
                .str("w").op('q', 1).tensor("FloatStorage", "0", 4, 0, new long[] {2, 2}, new long[] {1, 2})
                .str("n").tensor("LongStorage", "1", 1, 0, new long[] {}, new long[] {})
                .str("lr").real(0.1).str("steps").op(']', '(').integer(1).integer(1L << 40).op('e').op('u').stop();
        byte[] protocol0 = new PickleBytes().text("(dp0\nS'a'\np1\n(lp2\nI5\naF0.5\naL7L\nasV\\u0041\nI01\ns").stop();
        Map<String, byte[]> npz = new LinkedHashMap<>();
        npz.put("a.npy", WeightFiles.npy("<f4", true, "(2, 2)", floats(1, 2, 3, 4)));
        npz.put("b.npy", WeightFiles.npy(">i8", false, "()", longs(77)));
        Map<String, byte[]> zip = new LinkedHashMap<>();
        zip.put("m/data.pkl", pickle);
        zip.put("m/byteorder", "little".getBytes(StandardCharsets.US_ASCII));
        zip.put("m/data/0", floats(1, 2, 3, 4));
        zip.put("m/data/1", longs(9));
        return Map.of(
                "safetensors", WeightFiles.safetensors("{\"__metadata__\":{\"a\":\"b\"},\"w\":{\"dtype\":\"F32\",\"shape\":"
                        + "[2,2],\"data_offsets\":[0,16]},\"n\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[16,24]}}",
                        concat(floats(1, 2, 3, 4), longs(9))),
                "torch-legacy", WeightFiles.legacy(pickle, "0", 4, floats(1, 2, 3, 4), "1", 1, longs(9)),
                "torch-zip", WeightFiles.zip(false, zip),
                "torch-zip deflated", WeightFiles.zip(true, zip),
                "npy", WeightFiles.npy("<f4", false, "(2, 2)", floats(1, 2, 3, 4)),
                "npz", WeightFiles.zip(true, npz),
                "pickle", protocol0).entrySet().stream();
    }

    /** Reads all of {@code content}; false when it is refused, anything but a GraftException is a failure. */
    private boolean reads(byte[] content, String what) throws IOException {
        Path file = folder.resolve("fuzz.w");
        try {
            Files.write(file, content);
            try (WeightFile w = WeightFile.open(file)) {
                for (WeightEntry e : w.entries()) {
                    assertThat(w.read(e.name()).byteSize()).as(what).isEqualTo(e.bytes());
                    w.doubles(e.name());
                }
                return true;
            }
        } catch (GraftException e) {
            assertThat(e).as(what).hasMessageContaining(file.toString());
            assertThat(e.getMessage().length()).as(what).isLessThan(1000);
            return false;
        } catch (RuntimeException | Error e) {
            throw new AssertionError(what + " gave " + e, e);
        }
    }

    @ParameterizedTest
    @MethodSource("files")
    void wholeFilesAreRead(Map.Entry<String, byte[]> file) throws IOException {
        assertThat(reads(file.getValue(), file.getKey())).isTrue();
    }

    @ParameterizedTest
    @MethodSource("files")
    void noTruncatedFileIsRead(Map.Entry<String, byte[]> file) throws IOException {
        byte[] good = file.getValue();
        for (int length = 0; length < good.length; length++) {
            String what = file.getKey() + " cut to " + length + " of " + good.length;
            assertThat(reads(java.util.Arrays.copyOf(good, length), what)).as(what).isFalse();
        }
    }

    @ParameterizedTest
    @MethodSource("files")
    void flippedBitsNeverBreakTheReader(Map.Entry<String, byte[]> file) throws IOException {
        Random random = new Random(42);
        for (int byteAt = 0; byteAt < file.getValue().length; byteAt++) {
            byte[] bad = file.getValue().clone();
            bad[byteAt] ^= (byte) (1 << random.nextInt(8));
            if (byteAt % 3 == 2) {
                bad[random.nextInt(bad.length)] = (byte) random.nextInt(256);
            }
            reads(bad, file.getKey() + " with byte " + byteAt + " changed");
        }
    }

    /** Bytes replaced by opcodes, digits and brackets reach deeper into the parsers than random ones. */
    @ParameterizedTest
    @MethodSource("files")
    void splicedFilesNeverBreakTheReader(Map.Entry<String, byte[]> file) throws IOException {
        byte[] tokens = "(.0N}])tuseabRcQhqX09-[]{},:'\"\\".getBytes(StandardCharsets.US_ASCII);
        Random random = new Random(7);
        for (int round = 0; round < 100; round++) {
            byte[] bad = file.getValue().clone();
            for (int k = 0; k < 1 + round % 4; k++) {
                int from = random.nextInt(bad.length);
                int to = random.nextInt(bad.length);
                int n = random.nextInt(1, 12);
                if (round % 2 == 0) {
                    bad[to] = tokens[random.nextInt(tokens.length)];
                } else {
                    System.arraycopy(bad, from, bad, to, Math.min(n, bad.length - Math.max(from, to)));
                }
            }
            reads(bad, file.getKey() + " spliced, round " + round);
        }
    }

    @Test
    void aFlippedBitInZipDataIsFoundByItsCrc() throws IOException {
        Map<String, byte[]> zip = new LinkedHashMap<>();
        zip.put("m/data.pkl", new PickleBytes().tensor("FloatStorage", "0", 4, 0, new long[] {1}, new long[] {1}).stop());
        zip.put("m/data/0", floats(1, 2, 3, 4.5f));
        byte[] good = WeightFiles.zip(false, zip);
        int at = indexOf(good, floats(4.5f));
        byte[] bad = good.clone();
        bad[at] ^= 1; // outside of the tensor, but inside of its storage
        Path file = folder.resolve("w.pth");
        Files.write(file, bad);
        try (WeightFile w = WeightFile.open(file)) {
            assertThatThrownBy(() -> w.floats("")).isInstanceOf(GraftException.class).hasMessageContaining("CRC");
        }
    }

    @Test
    void zipEntriesThatLieAboutTheirSizeAreRefused() throws IOException {
        byte[] npy = WeightFiles.npy("<f4", false, "(1000000,)", new byte[4_000_000]);
        byte[] good = WeightFiles.zip(true, Map.of("a.npy", npy));
        assertThat(reads(good, "good")).isTrue();
        int central = indexOf(good, new byte[] {'P', 'K', 1, 2});
        ByteBuffer bytes = ByteBuffer.wrap(good.clone()).order(ByteOrder.LITTLE_ENDIAN);
        for (int size : new int[] {npy.length - 1, npy.length + 1, 0, 5_000_000, Integer.MAX_VALUE}) {
            assertThat(reads(bytes.putInt(central + 24, size).array(), "size " + size)).as("size " + size).isFalse();
        }
        // An honest bomb: 280 MB of zeros in 1.2 MB.
        Path bomb = folder.resolve("bomb.npz");
        try (var out = new java.util.zip.ZipOutputStream(Files.newOutputStream(bomb))) {
            out.setLevel(1);
            out.putNextEntry(new java.util.zip.ZipEntry("z.npy"));
            out.write(WeightFiles.npy("|u1", false, "(280000000,)", new byte[0]));
            byte[] zeros = new byte[1_000_000];
            for (int i = 0; i < 280; i++) {
                out.write(zeros);
            }
        }
        assertThatThrownBy(() -> WeightFile.open(bomb).close()).isInstanceOf(GraftException.class)
                .hasMessageContaining("bomb");
    }

    private static int indexOf(byte[] in, byte[] what) {
        for (int i = 0; i + what.length <= in.length; i++) {
            if (java.util.Arrays.equals(in, i, i + what.length, what, 0, what.length)) {
                return i;
            }
        }
        throw new AssertionError("not found");
    }
}
