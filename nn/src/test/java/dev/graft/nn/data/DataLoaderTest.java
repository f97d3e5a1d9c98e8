package dev.graft.nn.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.nn.data.image.CenterCrop;
import dev.graft.nn.data.image.ColorJitter;
import dev.graft.nn.data.image.ImageDecoder;
import dev.graft.nn.data.image.Interpolation;
import dev.graft.nn.data.image.Normalize;
import dev.graft.nn.data.image.Pictures;
import dev.graft.nn.data.image.RandomCrop;
import dev.graft.nn.data.image.RandomHorizontalFlip;
import dev.graft.nn.data.image.Resize;
import dev.graft.nn.data.image.RgbImage;
import dev.graft.nn.data.image.SampleRandom;
import dev.graft.nn.data.image.Transforms;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.cpu.WorkerPool;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntFunction;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class DataLoaderTest {
    private static final Transforms RANDOM = Transforms.of(Normalize.IMAGENET, new Resize(18, Interpolation.BILINEAR),
            new RandomCrop(16, 2), new RandomHorizontalFlip(0.5), new ColorJitter(0.3, 0.3, 0.3, 0.1));
    private static final Transforms PLAIN = Transforms.of(Normalize.ZERO_TO_255, new CenterCrop(4));

    /** What a loader delivered, copied out of its buffers. */
    private record Seen(int position, List<Integer> indices, List<Integer> labels, int pixels) {
    }

    @AfterEach
    void noThreadIsLeft() {
        assertThat(Thread.getAllStackTraces().keySet()).extracting(Thread::getName)
                .noneMatch(name -> name.startsWith("graft-data"));
    }

    private static Dataset pictures(int n) {
        List<RgbImage> images = new ArrayList<>();
        int[] labels = new int[n];
        for (int i = 0; i < n; i++) {
            images.add(Pictures.pattern(20 + i % 5, 19 + i % 7));
            labels[i] = i % 3;
        }
        return new ImageArrays(images, labels, List.of("a", "b", "c"));
    }

    /** A data set of n samples whose images come from a function, as slow or broken as a test wants. */
    private record Made(int size, IntFunction<RgbImage> make) implements Dataset {
        @Override
        public List<String> classes() {
            return List.of("even", "odd");
        }

        @Override
        public int label(int i) {
            return i % 2;
        }

        @Override
        public RgbImage image(int i) {
            return make.apply(i);
        }

        @Override
        public String name(int i) {
            return "sample-" + i + ".jpg";
        }

        @Override
        public String key(int i) {
            return name(i);
        }
    }

    private static RgbImage broken(int i) {
        return ImageDecoder.DEFAULT.decode(new byte[] {1, 2, 3}, "sample-" + i + ".jpg");
    }

    private static List<Seen> run(DataLoader loader, int epoch, int from) {
        List<Seen> seen = new ArrayList<>();
        for (Batch batch : loader.epoch(epoch, from)) {
            try (batch) {
                assertThat(batch.epoch()).isEqualTo(epoch);
                seen.add(new Seen(batch.position(), Arrays.stream(batch.indices()).boxed().toList(),
                        Arrays.stream(batch.labels()).boxed().toList(),
                        Arrays.hashCode(Arrays.copyOf(batch.pixels(), batch.pixelCount()))));
            }
        }
        return seen;
    }

    private static List<Seen> run(Dataset data, Transforms transforms, LoaderOptions options, int epoch, int from) {
        try (DataLoader loader = new DataLoader(data, transforms, options)) {
            return run(loader, epoch, from);
        }
    }

    @Test
    void theSameForAnyNumberOfWorkersPrefetchAndCache() {
        Dataset data = new Made(53, i -> Pictures.pattern(20 + i % 5, 19 + i % 7));
        LoaderOptions options = LoaderOptions.train(8, 42);
        List<Seen> first = run(data, RANDOM, options.withWorkers(1).withPrefetch(1).withCacheBytes(0), 3, 0);
        assertThat(first).hasSize(7);
        assertThat(run(data, RANDOM, options.withWorkers(4).withPrefetch(5), 3, 0)).isEqualTo(first);
        assertThat(run(data, RANDOM, options.withWorkers(0), 3, 0)).isEqualTo(first);
        assertThat(run(data, RANDOM, options.withWorkers(3).withCacheBytes(5000), 3, 0)).isEqualTo(first);
        assertThat(run(data, RANDOM, options, 4, 0)).isNotEqualTo(first);
        assertThat(run(data, RANDOM, LoaderOptions.train(8, 43), 3, 0)).isNotEqualTo(first);
    }

    @Test
    void asManyWorkersAsHalfOfThePoolAndTheSameForAnyPool() {
        Dataset data = pictures(21);
        int before = WorkerPool.shared().threads();
        Set<List<Seen>> seen = new HashSet<>();
        try {
            for (int[] pair : new int[][] {{1, 1}, {2, 1}, {3, 1}, {6, 3}, {40, 8}}) {
                WorkerPool.setThreads(pair[0]);
                assertThat(LoaderOptions.defaultWorkers()).as(pair[0] + " threads").isEqualTo(pair[1]);
                assertThat(LoaderOptions.train(4, 5).workers()).isEqualTo(pair[1]);
                assertThat(LoaderOptions.eval(4).workers()).isEqualTo(pair[1]);
                seen.add(run(data, RANDOM, LoaderOptions.train(4, 5), 1, 0));
            }
        } finally {
            WorkerPool.setThreads(before);
        }
        assertThat(seen).hasSize(1);
    }

    @Test
    void batchesHoldWhatTheTransformsGive() {
        Dataset data = pictures(11);
        try (DataLoader loader = DataLoader.train(data, RANDOM, 4, 9)) {
            int[] order = loader.order(2);
            int at = 0;
            for (Batch batch : loader.epoch(2)) {
                assertThat(batch.size()).isEqualTo(at < 8 ? 4 : 3);
                for (int i = 0; i < batch.size(); i++, at++) {
                    int index = batch.indices()[i];
                    assertThat(index).isEqualTo(order[at]);
                    assertThat(batch.labels()[i]).isEqualTo(data.label(index));
                    float[] expected = RANDOM.apply(data.image(index), SampleRandom.of(9, 2, index));
                    assertThat(Arrays.copyOfRange(batch.pixels(), i * 768, (i + 1) * 768)).isEqualTo(expected);
                }
            }
            assertThat(at).isEqualTo(11);
            assertThat(order).containsExactlyInAnyOrder(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
        }
    }

    @Test
    void evaluationKeepsTheOrder() {
        List<Seen> seen = run(pictures(7), PLAIN, LoaderOptions.eval(3), 0, 0);
        assertThat(seen).extracting(Seen::indices).containsExactly(List.of(0, 1, 2), List.of(3, 4, 5), List.of(6));
        assertThat(seen).extracting(Seen::labels).containsExactly(List.of(0, 1, 2), List.of(0, 1, 2), List.of(0));
    }

    @Test
    void dropLastLeavesOutTheRest() {
        assertThat(run(pictures(7), PLAIN, LoaderOptions.eval(3).withDropLast(true), 0, 0)).hasSize(2);
        assertThatThrownBy(() -> new DataLoader(pictures(7), PLAIN, LoaderOptions.eval(8).withDropLast(true)))
                .isInstanceOf(GraftException.class).hasMessageContaining("7 samples do not fill one batch of 8");
    }

    @Test
    void resumesInTheMiddleOfAnEpoch() {
        Dataset data = pictures(30);
        LoaderOptions options = LoaderOptions.train(4, 5).withWorkers(2);
        List<Seen> all = run(data, RANDOM, options, 6, 0);
        assertThat(run(data, RANDOM, options, 6, 5)).isEqualTo(all.subList(5, 8));
        assertThat(run(data, RANDOM, options, 6, 8)).isEmpty();
        assertThatThrownBy(() -> run(data, RANDOM, options, 6, 9)).isInstanceOf(GraftException.class)
                .hasMessageContaining("batch 9");
    }

    @Test
    void leavingEarlyAndStartingAnew() {
        try (DataLoader loader = new DataLoader(pictures(40), RANDOM, LoaderOptions.train(4, 5).withWorkers(3))) {
            List<Seen> whole = run(loader, 1, 0);
            DataLoader.Epoch left = loader.epoch(0);
            left.next().close();
            left.next();
            assertThat(run(loader, 1, 0)).isEqualTo(whole);
            assertThatThrownBy(left::next).isInstanceOf(GraftException.class).hasMessageContaining("was ended");
        }
    }

    @Test
    void prefetchIsBounded() throws InterruptedException {
        AtomicInteger made = new AtomicInteger();
        Dataset data = new Made(100, i -> {
            made.incrementAndGet();
            return Pictures.pattern(4, 4);
        });
        try (DataLoader loader = new DataLoader(data, PLAIN, LoaderOptions.eval(5).withWorkers(3).withPrefetch(2))) {
            DataLoader.Epoch epoch = loader.epoch(0);
            epoch.next();
            for (int i = 0; i < 50 && made.get() < 15; i++) {
                Thread.sleep(10);
            }
            Thread.sleep(30);
            assertThat(made.get()).isEqualTo(15); // the one in use and two ahead
        }
    }

    @Test
    void buffersComeBackOnlyWhenClosed() {
        try (DataLoader loader = new DataLoader(pictures(64), PLAIN, LoaderOptions.eval(2).withWorkers(2))) {
            Set<Integer> closed = new HashSet<>();
            for (Batch batch : loader.epoch(0)) {
                closed.add(System.identityHashCode(batch.pixels()));
                batch.close();
                assertThatThrownBy(batch::pixels).isInstanceOf(IllegalStateException.class);
            }
            assertThat(closed).hasSizeLessThanOrEqualTo(6);
            List<float[]> kept = new ArrayList<>();
            for (Batch batch : loader.epoch(1)) {
                kept.add(batch.pixels());
            }
            assertThat(kept.stream().map(System::identityHashCode).distinct()).hasSize(32);
        }
    }

    @Test
    void decodedImagesAreKeptUpToTheLimit() {
        AtomicInteger made = new AtomicInteger();
        Dataset data = new Made(10, i -> {
            made.incrementAndGet();
            return Pictures.pattern(8, 8);
        });
        Transforms crops = Transforms.of(Normalize.ZERO_TO_255, new CenterCrop(6), new RandomCrop(4, 0));
        try (DataLoader loader = new DataLoader(data, crops, LoaderOptions.eval(3).withCacheBytes(1 << 20))) {
            run(loader, 0, 0);
            run(loader, 1, 0);
            assertThat(made.get()).isEqualTo(10);
            assertThat(loader.cachedBytes()).isEqualTo(10 * 6 * 6 * 3);
        }
        made.set(0);
        try (DataLoader loader = new DataLoader(data, crops, LoaderOptions.eval(3).withCacheBytes(4 * 6 * 6 * 3 + 5))) {
            run(loader, 0, 0);
            run(loader, 1, 0);
            assertThat(made.get()).isEqualTo(16);
        }
    }

    @Test
    void aBrokenImageIsLeftOutOfItsBatch() {
        Dataset data = new Made(9, i -> i == 4 ? broken(i) : RgbImage.filled(4, 4, i, i, i));
        for (int workers : new int[] {0, 1, 4}) {
            try (DataLoader loader = new DataLoader(data, PLAIN, LoaderOptions.eval(3).withWorkers(workers))) {
                List<float[]> pixels = new ArrayList<>();
                for (Batch batch : loader.epoch(0)) {
                    pixels.add(Arrays.copyOf(batch.pixels(), batch.pixelCount()));
                    if (batch.position() == 1) {
                        assertThat(batch.indices()).containsExactly(3, 5);
                        assertThat(batch.labels()).containsExactly(1, 1);
                    }
                }
                assertThat(pixels.get(1)).hasSize(2 * 48);
                assertThat(Math.round(pixels.get(1)[48])).isEqualTo(5);
                assertThat(loader.skipped()).containsOnlyKeys(4);
                assertThat(loader.skipped().get(4)).contains("sample-4.jpg");
            }
        }
    }

    @Test
    void errorsOfWorkersReachTheCaller() {
        Dataset strict = new Made(9, i -> i == 4 || i == 5 ? broken(i) : Pictures.pattern(4, 4));
        Dataset failing = new Made(9, i -> {
            if (i == 7) {
                throw new IllegalStateException("disk on fire");
            }
            return Pictures.pattern(4, 4);
        });
        Dataset unequal = new Made(4, i -> Pictures.pattern(4, 4 + i / 3));
        for (int workers : new int[] {0, 1, 4}) {
            assertThatThrownBy(() -> run(strict, PLAIN, LoaderOptions.eval(3).withWorkers(workers).failOnBroken(), 0, 0))
                    .isInstanceOf(GraftException.class).hasMessageContaining("sample-4.jpg");
            assertThatThrownBy(() -> run(failing, PLAIN, LoaderOptions.eval(3).withWorkers(workers), 0, 0))
                    .isInstanceOf(GraftException.class).hasMessageContaining("sample-7.jpg")
                            .hasMessageContaining("disk on fire");
            assertThatThrownBy(() -> run(unequal, Transforms.of(Normalize.IMAGENET), LoaderOptions.eval(4)
                    .withWorkers(workers), 0, 0))
                    .isInstanceOf(GraftException.class).hasMessageContaining("sample-3.jpg is [4, 5]")
                            .hasMessageContaining("ResizeExact");
        }
        Dataset nothing = new Made(4, DataLoaderTest::broken);
        assertThatThrownBy(() -> run(nothing, PLAIN, LoaderOptions.eval(2), 0, 0)).isInstanceOf(GraftException.class)
                .hasMessageContaining("All 2 images of batch 0");
        assertThatThrownBy(() -> run(nothing, Transforms.of(Normalize.IMAGENET), LoaderOptions.eval(2), 0, 0))
                .isInstanceOf(GraftException.class).hasMessageContaining("sample-3.jpg");
    }

    @Test
    void closedMeansClosed() {
        DataLoader loader = new DataLoader(pictures(20), PLAIN, LoaderOptions.eval(2).withWorkers(2));
        DataLoader.Epoch epoch = loader.epoch(0);
        epoch.next();
        loader.close();
        loader.close();
        assertThatThrownBy(epoch::next).isInstanceOf(GraftException.class).hasMessageContaining("closed");
        assertThatThrownBy(() -> loader.epoch(1)).isInstanceOf(GraftException.class).hasMessageContaining("closed");
    }

    @Test
    void tensorsAreCopies() {
        try (Scope scope = Scope.open(); DataLoader loader = new DataLoader(pictures(5), PLAIN, LoaderOptions.eval(3))) {
            assertThat(scope).isNotNull();
            Batch batch = loader.epoch(0, 1).next();
            Tensor images = batch.images();
            Tensor targets = batch.targets();
            float[] pixels = Arrays.copyOf(batch.pixels(), batch.pixelCount());
            Arrays.fill(batch.pixels(), -1);
            batch.close();
            assertThat(images.shape().dims()).containsExactly(2, 4, 4, 3);
            assertThat(images.toFloats()).isEqualTo(pixels);
            assertThat(targets.toInts()).containsExactly(0, 1);
        }
    }

    @Test
    void antsAndBees() {
        try (ImageFolder folder = ImageFolder.open(RealData.hymenoptera(),
                ImageFolder.Options.DEFAULT.with(ImageFolder.Check.NONE))) {
            Dataset few = folder.train().subset(0, 60, 122, 123, 180, 243);
            Transforms train = Transforms.trainDefault(64);
            List<Seen> one = run(few, train, LoaderOptions.train(4, 1).withWorkers(1), 0, 0);
            List<Seen> four = run(few, train, LoaderOptions.train(4, 1).withWorkers(4), 0, 0);
            assertThat(four).isEqualTo(one).hasSize(2);
            assertThat(one.stream().flatMap(seen -> seen.labels().stream()).sorted()).containsExactly(0, 0, 0, 1, 1, 1);
        }
    }
}
