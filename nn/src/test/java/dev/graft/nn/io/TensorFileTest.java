package dev.graft.nn.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.tensor.DType;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Memory;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TensorFileTest {
    @TempDir
    Path dir;
    Path file;

    @BeforeEach
    void write() {
        file = dir.resolve("a/b.safetensors");
        try (Scope s = Scope.open()) {
            TensorFile.write(file, tensors(), Map.of("note", "\"quoted\" ünïcode"));
        }
    }

    private static Map<String, Tensor> tensors() {
        float[] large = new float[300_000];
        Random random = new Random(1);
        for (int i = 0; i < large.length; i++) {
            large[i] = random.nextFloat();
        }
        Map<String, Tensor> t = new LinkedHashMap<>();
        t.put("large", Tensor.of(large, 300, 1000));
        t.put("scalar", Tensor.scalar(-0f));
        t.put("empty", Tensor.of(new float[0], 0, 3));
        t.put("f64", Tensor.of(new double[] {Math.PI, Double.NaN}, 2));
        t.put("i32", Tensor.of(new int[] {1, -2}, 2));
        t.put("i64", Tensor.of(new long[] {Long.MIN_VALUE}, 1));
        t.put("bool", Tensor.of(new boolean[] {true, false, true}, 3));
        t.put("bf16", Tensor.from(DType.BF16, new short[] {(short) 0x3f80, 1}, Shape.of(1, 2)));
        return t;
    }

    @Test
    void everyTypeComesBackBitForBit() {
        TensorFile back = TensorFile.read(file);
        Map<String, Tensor> expected = tensors();
        assertThat(back.tensors().keySet()).containsExactlyElementsOf(expected.keySet());
        expected.forEach((name, t) -> {
            assertThat(back.tensors().get(name).spec()).isEqualTo(t.spec());
            assertThat(back.tensors().get(name).toArray()).as(name).isEqualTo(t.toArray());
        });
        assertThat(back.metadata()).containsOnly(Map.entry("note", "\"quoted\" ünïcode"));
    }

    /** The layout as the safetensors specification has it, read by hand. */
    @Test
    void theLayoutIsSafetensors() throws IOException {
        ByteBuffer b = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        int n = (int) b.getLong();
        assertThat(n % 8).isZero();
        String header = new String(b.array(), 8, n, StandardCharsets.UTF_8);
        assertThat(header).contains("\"i32\":{\"dtype\":\"I32\",\"shape\":[2],\"data_offsets\":[1200020,1200028]}");
        assertThat(b.getInt(8 + n + 1200020)).isEqualTo(1);
        assertThat(b.getInt(8 + n + 1200024)).isEqualTo(-2);
    }

    @Test
    void everyFlippedBitAndEveryTruncationIsFound() throws IOException {
        byte[] good = Files.readAllBytes(file);
        Random random = new Random(3);
        long live = Memory.report().live();
        for (int i = 0; i < 60; i++) {
            byte[] bad = good.clone();
            int at = i < 40 ? random.nextInt(1200) : random.nextInt(bad.length);    // the header more often
            bad[at] ^= (byte) (1 << random.nextInt(8));
            Files.write(file, bad);
            assertThatThrownBy(() -> TensorFile.read(file)).as("bit flipped at %d", at)
                    .isInstanceOf(GraftException.class).hasMessageContaining("b.safetensors");
            Files.write(file, Arrays.copyOf(good, random.nextInt(good.length)));
            assertThatThrownBy(() -> TensorFile.read(file)).isInstanceOf(GraftException.class);
        }
        assertThat(Memory.report().live()).isLessThanOrEqualTo(live);     // less if garbage of other tests went
        Files.write(file, Arrays.copyOf(good, good.length + 1));
        assertThatThrownBy(() -> TensorFile.read(file)).hasMessageContaining("1 bytes follow its last tensor");
        assertThatThrownBy(() -> TensorFile.read(dir.resolve("none"))).hasMessageContaining("does not exist");
    }

    @Test
    void hugeClaimsAreRefusedBeforeMemoryIsTaken() throws IOException {
        for (String shape : new String[] {"[2147483647,2147483647]", "[-1]", "[2000000000]", "[99999999999]", "[1,1.5]"}) {
            String json = "{\"__metadata__\":{\"graft.sha256\":\"" + "a".repeat(64) + "\"},\"x\":{\"dtype\":\"F32\","
                    + "\"shape\":" + shape + ",\"data_offsets\":[0,8]}}";
            ByteBuffer b = ByteBuffer.allocate(8 + json.length() + 8).order(ByteOrder.LITTLE_ENDIAN);
            b.putLong(json.length()).put(json.getBytes(StandardCharsets.US_ASCII));
            Files.write(file, b.array());
            assertThatThrownBy(() -> TensorFile.read(file)).as(shape).isInstanceOf(GraftException.class)
                    .hasMessageContaining("is damaged");
        }
    }

    @Test
    void aFailedWriteLeavesTheOldFile() throws IOException {
        byte[] before = Files.readAllBytes(file);
        Path stray = Files.writeString(dir.resolve("a/b.safetensors.999999999999.part"), "of a killed program");
        Path other = Files.writeString(dir.resolve("a/c.safetensors.999999999999.part"), "of another name");
        assertThatThrownBy(() -> AtomicFile.write(file, out -> {
            out.write(ByteBuffer.wrap(new byte[100]));
            throw new IOException("No space left on device");
        })).isInstanceOf(GraftException.class).hasMessageContaining("No space left on device")
                .hasMessageContaining("the file that was there is unchanged");
        assertThat(Files.readAllBytes(file)).isEqualTo(before);
        assertThat(stray).doesNotExist();
        try (var all = Files.list(file.getParent())) {
            assertThat(all).containsExactlyInAnyOrder(file, other);
        }
        Path numbered = Files.writeString(dir.resolve("a/step-7.txt.999999999999.part"), "of an earlier step");
        AtomicFile.writeText(dir.resolve("a/step-12.txt"), "whole");
        assertThat(numbered).doesNotExist();
        assertThat(dir.resolve("a/step-12.txt")).hasContent("whole");
        Path under = file.resolve("x");
        assertThatThrownBy(() -> AtomicFile.writeText(under, "a file is no folder")).isInstanceOf(GraftException.class);
    }
}
