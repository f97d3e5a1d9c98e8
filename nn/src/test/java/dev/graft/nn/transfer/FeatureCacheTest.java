package dev.graft.nn.transfer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.nn.Precision;
import dev.graft.nn.data.Dataset;
import dev.graft.nn.data.ImageArrays;
import dev.graft.nn.data.image.ImageDecoder;
import dev.graft.nn.data.image.Normalize;
import dev.graft.nn.data.image.RgbImage;
import dev.graft.nn.data.image.Transforms;
import dev.graft.tensor.Shape;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FeatureCacheTest {
    private static final Transforms PLAIN = Transforms.of(Normalize.MINUS_ONE_TO_ONE);

    @TempDir
    private Path folder;
    private final TinyNetwork net = (TinyNetwork) new TinyNetwork(2).initialize(3);

    private static ImageArrays images(int n, int shade) {
        byte[] pixels = new byte[8 * 8 * 3];
        java.util.Arrays.fill(pixels, (byte) shade);
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

    private Features features(FeatureCache cache, Dataset data) {
        return cache.of(net, 1, data, PLAIN, Precision.FLOAT32, n -> { });
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
        assertThat(first.rows()[1]).isNull();
        int reads = data.reads().get();
        Features second = features(cache, data);
        assertThat(data.reads()).as("images read for features that are cached").hasValue(reads);
        assertThat(second.rows()[1]).isNull();
        assertThat(second.rows()[3]).containsExactly(first.rows()[3]);
    }

    @Test
    void theSetsUnusedForLongestMakeRoom() throws IOException {
        long one = Features.bytes(Shape.of(8, 8, 8), 4);
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
        features(cache, images(4, 1));
        Path file = folder.resolve(files().getFirst());
        String key = files().getFirst().replace(".features", "");
        byte[] good = Files.readAllBytes(file);
        int dims = 4 + 2 + key.length() + 4;
        int huge = 1 << 30;
        for (int[] d : new int[][] {{huge, 1, 1}, {huge, huge, 2}, {huge, huge, huge}, {-1, 8, 8}, {1, 1, 1}}) {
            byte[] bad = good.clone();
            ByteBuffer.wrap(bad).putInt(dims, d[0]).putInt(dims + 4, d[1]).putInt(dims + 8, d[2]);
            Files.write(file, bad);
            assertThatThrownBy(() -> Features.read(file, key, 4)).isInstanceOf(IOException.class);
        }
        Files.write(file, good);
        assertThat(Features.read(file, key, 4).shape()).isEqualTo(Shape.of(8, 8, 8));
        assertThatThrownBy(() -> Features.read(file, key, 5)).isInstanceOf(IOException.class);
    }
}
