package dev.graft.nn.transfer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.nn.ParamSelector;
import dev.graft.nn.Parameter;
import dev.graft.nn.Precision;
import dev.graft.nn.data.Dataset;
import dev.graft.nn.data.ImageArrays;
import dev.graft.nn.data.image.ImageDecoder;
import dev.graft.nn.data.image.Normalize;
import dev.graft.nn.data.image.RgbImage;
import dev.graft.nn.data.image.Transforms;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.TensorSpec;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FeatureCacheTest {
    private static final Transforms PLAIN = Transforms.of(Normalize.MINUS_ONE_TO_ONE);

    @TempDir
    private Path folder;
    private final TinyNetwork net = (TinyNetwork) new TinyNetwork(2).initialize(3);

    private static ImageArrays images(int n, int shade) {
        byte[] pixels = new byte[8 * 8 * 3];
        Arrays.fill(pixels, (byte) shade);
        return new ImageArrays(Collections.nCopies(n, new RgbImage(8, 8, pixels)), new int[n], List.of("a", "b"));
    }

    /** Some images of which the second is broken; counts how often an image is read. */
    private record Damaged(ImageArrays all, AtomicInteger reads) implements Dataset {
        @Override
        public int size() {
            return all.size();
        }

        @Override
        public List<String> classes() {
            return all.classes();
        }

        @Override
        public int label(int i) {
            return all.label(i);
        }

        @Override
        public RgbImage image(int i) {
            reads.incrementAndGet();
            if (i == 1) {
                return ImageDecoder.DEFAULT.decode(new byte[] {1, 2, 3}, "#1");
            }
            return all.image(i);
        }

        @Override
        public String name(int i) {
            return all.name(i);
        }

        @Override
        public String key(int i) {
            return all.key(i);
        }
    }

    /** Each byte of a quantised weight counts, the last of many too, and so does its type. */
    @Test
    void storedWeightsGiveTheirOwnKey() {
        try (TinyNetwork big = new TinyNetwork(5000)) {
            big.initialize(1);
            big.freeze(ParamSelector.ALL);
            Set<String> keys = new HashSet<>(Set.of(FeatureKey.ofStages(big, 4, Precision.FLOAT32)));
            for (DType type : new DType[] {DType.BF16, DType.I8}) {
                big.quantize(type);
                String key = FeatureKey.ofStages(big, 4, Precision.FLOAT32);
                assertThat(FeatureKey.ofStages(big, 4, Precision.FLOAT32)).isEqualTo(key);
                assertThat(keys.add(key)).isTrue();
            }
            Parameter weight = big.parameters().get("head.weight");
            byte[] values = (byte[]) weight.value().toArray();
            values[values.length - 1] ^= 1;
            weight.assign(Tensor.from(DType.I8, values, weight.shape()).retain());
            assertThat(keys.add(FeatureKey.ofStages(big, 4, Precision.FLOAT32))).isTrue();
        }
    }

    private FeatureRequest request(Dataset data) {
        return new FeatureRequest(net, 1, FeatureKey.ofStages(net, 1, Precision.FLOAT32), data, PLAIN,
                Precision.FLOAT32, 0, 0, 1);
    }

    private Features features(FeatureCache cache, Dataset data) {
        return cache.of(request(data), FeatureFormat.FLOAT32, n -> { });
    }

    private List<String> files() throws IOException {
        try (Stream<Path> all = Files.list(folder)) {
            return all.map(p -> p.getFileName().toString()).sorted().toList();
        }
    }

    @Test
    void aBrokenImageIsRememberedAsMissing() {
        FeatureCache cache = new FeatureCache(folder, 1 << 20);
        Damaged data = new Damaged(images(4, 9), new AtomicInteger());
        Features first = features(cache, data);
        assertThat(first.has(1)).isFalse();
        int reads = data.reads().get();
        Features second = features(cache, data);
        assertThat(data.reads()).as("images read for features that are cached").hasValue(reads);
        assertThat(second.has(1)).isFalse();
        assertThat(second.row(3)).containsExactly(first.row(3));
    }

    @Test
    void setsOfOneRunDoNotPushEachOtherOut() throws IOException {
        long one = new FeatureFile(FeatureFormat.FLOAT32, Shape.of(8, 8, 8), 4, 0, "").size();
        FeatureCache cache = new FeatureCache(folder, 5 * one / 2);
        features(cache, images(4, 1));
        String old = files().getFirst();
        Files.setLastModifiedTime(folder.resolve(old), FileTime.from(Instant.now().minusSeconds(200)));
        FeatureCache run = cache.forRun();
        features(run, images(4, 2));
        features(run, images(4, 3));
        List<String> kept = files();
        assertThat(kept).as("what an earlier run left makes room").hasSize(2).doesNotContain(old);
        features(run, images(4, 4));
        assertThat(files()).as("a third set of this run stays in memory").isEqualTo(kept);
    }

    @Test
    void theSetsUnusedForLongestMakeRoom() throws IOException {
        long one = new FeatureFile(FeatureFormat.FLOAT32, Shape.of(8, 8, 8), 4, 0, "").size();
        FeatureCache cache = new FeatureCache(folder, 5 * one / 2);
        features(cache, images(4, 1));
        String first = files().getFirst();
        Files.setLastModifiedTime(folder.resolve(first), FileTime.from(Instant.now().minusSeconds(200)));
        features(cache, images(4, 2));
        String second = files().stream().filter(f -> !f.equals(first)).findFirst().orElseThrow();
        Files.setLastModifiedTime(folder.resolve(second), FileTime.from(Instant.now().minusSeconds(100)));
        features(cache, images(4, 1));                  // used again, so the other one goes
        Path half = Files.writeString(folder.resolve("features1.tmp"), "left by a run that was killed");
        Files.setLastModifiedTime(half, FileTime.from(Instant.now().minusSeconds(100_000)));
        features(cache, images(4, 3));
        assertThat(files()).hasSize(2).contains(first).doesNotContain(second);
        features(new FeatureCache(folder, one - 1), images(4, 4));
        assertThat(files()).as("a set that can never fit pushes nothing out").hasSize(2);
    }

    @Test
    void aHostileFileIsAnIOExceptionBeforeMemoryIsTaken() throws IOException {
        FeatureCache cache = new FeatureCache(folder, 1 << 20);
        features(cache, images(4, 1)).close();
        Path file = folder.resolve(files().getFirst());
        String key = files().getFirst().replace(".features", "");
        byte[] good = Files.readAllBytes(file);
        int huge = 1 << 30;
        for (int[] d : new int[][] {{huge, 1, 1}, {huge, huge, 2}, {huge, huge, huge}, {-1, 8, 8}, {1, 1, 1}, {0, 8, 8},
            {8, 8, 9}}) {
            byte[] bad = good.clone();
            little(bad).putInt(20, d[0]).putInt(24, d[1]).putInt(28, d[2]);
            refused(file, bad, key);
        }
        for (int at : new int[] {0, 8, 12, 16, 64}) {           // magic, version, format, rank, samples
            for (int value : new int[] {-1, 0, 9, huge, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
                byte[] bad = good.clone();
                little(bad).putInt(at, value);
                refused(file, bad, key);
            }
        }
        for (int length : new int[] {0, 7, 100, FeatureFile.HEADER, good.length / 2, good.length - 1}) {
            refused(file, Arrays.copyOf(good, length), key);
        }
        refused(file, Arrays.copyOf(good, good.length + 1), key);
        byte[] flipped = good.clone();
        flipped[good.length - 100] ^= 4;
        refused(file, flipped, key);
        Files.write(file, good);
        try (Features f = FeatureFile.open(file, key, 4)) {
            assertThat(f.shape()).isEqualTo(Shape.of(8, 8, 8));
        }
        assertThatThrownBy(() -> FeatureFile.open(file, key, 5)).isInstanceOf(IOException.class);
        assertThatThrownBy(() -> FeatureFile.open(file, "0".repeat(64), 4)).isInstanceOf(IOException.class);
    }

    private static ByteBuffer little(byte[] bytes) {
        return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    private void refused(Path file, byte[] content, String key) throws IOException {
        Files.delete(file);         // a mapped file must not change in place
        Files.write(file, content);
        assertThatThrownBy(() -> FeatureFile.open(file, key, 4)).isInstanceOf(IOException.class);
    }

    /** What a format makes of some rows, in a file and in memory, read backwards. */
    private List<float[]> stored(FeatureFormat format, Shape shape, float[][] rows, boolean inFile) throws IOException {
        FeatureFile layout = new FeatureFile(format, shape, rows.length, 0, "k".repeat(64));
        Path file = inFile ? folder.resolve("rows-" + format) : null;
        int[] labels = IntStream.range(0, rows.length).map(i -> 10 * i).toArray();
        try (FeatureWriter writer = new FeatureWriter(layout, labels, file, 1 << 26)) {
            for (int i = rows.length - 1; i >= 0; i--) {
                if (rows[i] != null) {
                    float[] padded = new float[rows[i].length + 3];
                    System.arraycopy(rows[i], 0, padded, 3, rows[i].length);
                    writer.put(i, padded, 3);
                }
            }
            try (Features f = writer.finish(0.25)) {
                assertThat(f.labels()).isEqualTo(labels);
                assertThat(f.secondsPerImage()).isEqualTo(0.25);
                List<float[]> read = new ArrayList<>();
                for (int i = 0; i < rows.length; i++) {
                    assertThat(f.has(i)).isEqualTo(rows[i] != null);
                    read.add(f.row(i));
                }
                return read;
            }
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void formatsKeepWhatTheyPromise(boolean inFile) throws IOException {
        Random random = new Random(5);
        for (Shape shape : new Shape[] {Shape.of(7), Shape.of(3, 5, 6), Shape.of(20_001)}) {
            int n = Math.toIntExact(shape.size());
            int channels = shape.dim(-1);
            float[][] rows = new float[9][n];
            for (float[] row : rows) {
                for (int k = 0; k < n; k++) {
                    row[k] = k % channels == 0 ? 1.5f : (float) random.nextGaussian() * (1 + k % channels % 50);
                }
            }
            rows[4] = null;
            rows[8] = null;             // at the end, where a file could stay too short
            List<float[]> exact = stored(FeatureFormat.FLOAT32, shape, rows, inFile);
            List<float[]> half = stored(FeatureFormat.FLOAT16, shape, rows, inFile);
            List<float[]> bytes = stored(FeatureFormat.INT8, shape, rows, inFile);
            for (int i = 0; i < rows.length; i++) {
                if (rows[i] == null) {
                    continue;
                }
                assertThat(exact.get(i)).containsExactly(rows[i]);
                for (int k = 0; k < n; k++) {
                    assertThat(half.get(i)[k]).isEqualTo(Float.float16ToFloat(Float.floatToFloat16(rows[i][k])));
                    assertThat(bytes.get(i)[k]).isCloseTo(rows[i][k], within(halfStep(rows, k % channels, channels)));
                }
            }
        }
    }

    @Test
    void aFileShortenedWhileItIsInUseIsAnErrorAndNoCrash() throws IOException {
        FeatureFile layout = new FeatureFile(FeatureFormat.FLOAT32, Shape.of(50_000), 2, 0, "k".repeat(64));
        Path file = folder.resolve("rows");
        try (FeatureWriter writer = new FeatureWriter(layout, new int[2], file, 1 << 26)) {
            writer.put(0, new float[50_000], 0);
            writer.put(1, new float[50_000], 0);
            try (Features f = writer.finish(0); FileChannel c = FileChannel.open(file, StandardOpenOption.WRITE)) {
                c.truncate(1000);
                assertThatThrownBy(() -> f.row(1)).isInstanceOf(GraftException.class).hasMessageContaining("shortened");
            }
        }
    }

    /** Half of a 255th of what a channel spans. */
    private static float halfStep(float[][] rows, int channel, int channels) {
        float low = Float.POSITIVE_INFINITY;
        float high = Float.NEGATIVE_INFINITY;
        for (float[] row : rows) {
            for (int k = channel; row != null && k < row.length; k += channels) {
                low = Math.min(low, row[k]);
                high = Math.max(high, row[k]);
            }
        }
        return (high - low) / 255 / 2 * 1.001f + 1e-6f;
    }

    @Test
    void aValueThatIsTooLargeForFloat16IsKeptAsFloat32() {
        net.parameters().get("first.1.weight").assign(Tensor.fill(new TensorSpec(DType.F32, Shape.of(8)), 1e6, Device.CPU));
        try (Features f = new FeatureCache(folder, 1 << 20).of(request(images(4, 9)), FeatureFormat.FLOAT16, n -> { })) {
            assertThat(f.format()).isEqualTo(FeatureFormat.FLOAT32);
        }
    }

    @Test
    void thatAFormatDoesNotFitIsFoundOutOnce() {
        net.parameters().get("first.1.weight").assign(Tensor.fill(new TensorSpec(DType.F32, Shape.of(8)), 1e6, Device.CPU));
        FeatureCache cache = new FeatureCache(folder, 1 << 20);
        Damaged data = new Damaged(images(4, 9), new AtomicInteger());
        try (Features f = cache.of(request(data), FeatureFormat.FLOAT16, n -> { })) {
            int reads = data.reads().get();
            try (Features again = cache.of(request(data), FeatureFormat.FLOAT16, n -> { })) {
                assertThat(data.reads()).as("images read for features that are cached").hasValue(reads);
                assertThat(again.format()).isEqualTo(FeatureFormat.FLOAT32);
                assertThat(again.row(2)).containsExactly(f.row(2));
            }
        }
    }

    @Test
    void eachFormatHasItsFileAndAutoIsFloat16() throws IOException {
        FeatureCache cache = new FeatureCache(folder, 1 << 20);
        for (FeatureFormat format : FeatureFormat.values()) {
            try (Features f = cache.of(request(images(4, 9)), format, n -> { })) {
                assertThat(f.format()).isEqualTo(format == FeatureFormat.AUTO ? FeatureFormat.FLOAT16 : format);
            }
        }
        assertThat(files()).hasSize(3);
    }

    @Test
    void aFolderThatCannotBeWrittenCostsTimeOnly() throws IOException {
        Path blocked = Files.writeString(folder.resolve("file"), "no folder");
        try (Features f = new FeatureCache(blocked.resolve("features"), 1 << 20)
                .of(request(images(4, 9)), FeatureFormat.INT8, n -> { });
                Features there = features(new FeatureCache(folder, 1 << 20), images(4, 9))) {
            assertThat(f.row(2)[5]).isCloseTo(there.row(2)[5], within(0.01f));
        }
    }

    /** Fills the folder with what no run that has begun may delete. */
    private static void fill(Path folder, int bytes) throws IOException {
        Files.createDirectories(folder);
        Path newer = Files.write(folder.resolve("newer.features"), new byte[bytes]);
        Files.setLastModifiedTime(newer, FileTime.from(Instant.now().plusSeconds(1000)));
    }

    @Test
    void noRoomInTheFolderOrInMemoryIsSaid() throws IOException {
        fill(folder, 1 << 20);
        FeatureCache full = new FeatureCache(folder, 1 << 20).forRun();
        features(full, images(4, 9)).close();
        assertThatThrownBy(() -> features(full.withMemory(1000), images(4, 9))).isInstanceOf(FeatureCache.NoRoom.class)
                .hasMessageContaining("the cache's folder has no room for them, and they would take 8.")
                .hasMessageContaining("KiB of memory, 1000 B are the most");
        Path blocked = Files.writeString(folder.resolve("file"), "no folder").resolve("features");
        assertThatThrownBy(() -> features(new FeatureCache(blocked, 1 << 20).withMemory(1000), images(4, 9)))
                .isInstanceOf(FeatureCache.NoRoom.class).hasMessageContaining("nothing can be written to " + blocked)
                .hasMessageContaining("1000 B are the most");
        assertThat(files()).containsExactly("file", "newer.features");
    }

    @Test
    void whatDoesNotFitIsForgottenWhenNobodyAsksForLong() throws IOException {
        Path old = Files.createFile(folder.resolve("old.unfit"));
        Files.setLastModifiedTime(old, FileTime.from(Instant.now().minusSeconds(100L * 86_400)));
        Path recent = Files.createFile(folder.resolve("recent.unfit"));
        Files.setLastModifiedTime(recent, FileTime.from(Instant.now().minusSeconds(5L * 86_400)));
        features(new FeatureCache(folder, 1 << 20), images(4, 9)).close();
        assertThat(old).doesNotExist();
        assertThat(recent).exists();
    }

    /** Their memory lies outside of the heap, where nothing else would stop it. */
    @Test
    void featuresWithoutAFileAreRefusedWhereTheyWouldTakeTheMachinesMemory() {
        FeatureFile huge = new FeatureFile(FeatureFormat.INT8, Shape.of(1 << 10), 1 << 27, 0, "0".repeat(64));
        assertThatThrownBy(() -> new FeatureWriter(huge, new int[0], null, 1L << 30)).isInstanceOf(IOException.class)
                .hasMessageMatching("they would take 51[23]\\.\\d GiB of memory, 1\\.0 GiB are the most");
        assertThat(FeatureWriter.bytesWhileWritten(huge)).as("as float32 until the scales are known")
                .isGreaterThan(3 * huge.size());
    }
}
