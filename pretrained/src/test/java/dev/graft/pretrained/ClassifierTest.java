package dev.graft.pretrained;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.nn.data.image.BrokenImageException;
import dev.graft.nn.data.image.RgbImage;
import dev.graft.tensor.Context;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Interceptor;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.Op;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ClassifierTest {
    private static Classifier classifier;

    @BeforeAll
    static void open() {
        classifier = Classifier.of(ModelZoo.find("graft_cifar").load());
    }

    @AfterAll
    static void close() {
        classifier.close();
    }

    private static RgbImage noise(int seed, int height, int width) {
        byte[] pixels = new byte[3 * height * width];
        new Random(seed).nextBytes(pixels);
        return new RgbImage(height, width, pixels);
    }

    @Test
    void probabilitiesAreTheSoftmaxOfTheLogitsBestFirst() {
        RgbImage image = noise(3, 40, 50);
        float[] logits = classifier.logits(List.of(image)).getFirst();
        List<Prediction> all = classifier.predict(image, 100);
        assertThat(all).hasSize(10);
        double sum = 0;
        for (float v : logits) {
            sum += Math.exp(v);
        }
        double last = 1;
        for (Prediction p : all) {
            assertThat(p.probability()).isCloseTo(Math.exp(logits[p.index()]) / sum, within(1e-9)).isLessThanOrEqualTo(last);
            assertThat(p.name()).isEqualTo(classifier.model().classes().get(p.index()));
            last = p.probability();
        }
        assertThat(all.stream().mapToDouble(Prediction::probability).sum()).isCloseTo(1, within(1e-9));
        assertThat(classifier.predict(image, 2)).isEqualTo(all.subList(0, 2));
        assertThatThrownBy(() -> classifier.predict(image, 0)).isInstanceOf(GraftException.class);
    }

    /** As many images at once as requests will have, in batches as those, and answers stay what they were. */
    @Test
    void warmingUpRunsTheNetworkAsRequestsDo() {
        List<RgbImage> images = List.of(noise(1, 40, 50), noise(2, 30, 30));
        List<float[]> before = classifier.logits(images);
        List<Integer> batches = new ArrayList<>();
        Interceptor counter = new Interceptor() {
            @Override
            public Tensor[] intercept(Op op, Tensor[] in, Next next) {
                if (in.length > 0 && in[0].rank() == 4 && in[0].dim(3) == 3) {
                    batches.add(in[0].dim(0));
                }
                return next.run(op, in);
            }
        };
        WarmUp done = Context.current().with(counter).call(() -> classifier.warmUp(19));
        assertThat(done.passes()).isGreaterThanOrEqualTo(4);
        assertThat(batches).containsOnly(16, 3);
        assertThat(batches.stream().filter(n -> n == 3).count()).isGreaterThanOrEqualTo(done.passes());
        List<float[]> after = classifier.logits(images);
        for (int i = 0; i < 2; i++) {
            assertThat(after.get(i)).containsExactly(before.get(i));
        }
        assertThatThrownBy(() -> classifier.warmUp(0)).isInstanceOf(GraftException.class)
                .hasMessage("warm-up: 0 images at once were asked for, at least 1 is needed");
    }

    @Test
    void manyImagesGiveWhatEachGivesAlone() {
        List<RgbImage> images = new ArrayList<>();
        for (int i = 0; i < 19; i++) { // more than a batch
            images.add(noise(i, 32 + i, 60 - i));
        }
        List<float[]> together = classifier.logits(images);
        for (int i = 0; i < images.size(); i++) {
            float[] alone = classifier.logits(List.of(images.get(i))).getFirst();
            assertThat(together.get(i)).as("image %d", i).containsExactly(alone, within(1e-4f));
        }
        assertThat(classifier.predict(List.of(), 1)).isEmpty();
    }

    @Test
    void threadsMayShareIt() throws Exception {
        List<RgbImage> images = List.of(noise(1, 32, 32), noise(2, 32, 32), noise(3, 32, 32));
        List<List<Prediction>> expected = classifier.predict(images, 3);
        // A second one whose parts are derived on first use, by all threads at once.
        try (Classifier fresh = Classifier.of(ModelZoo.find("graft_cifar").load());
                ExecutorService threads = Executors.newFixedThreadPool(4)) {
            List<Callable<List<List<Prediction>>>> tasks = new ArrayList<>();
            for (int i = 0; i < 12; i++) {
                tasks.add(() -> fresh.predict(images, 3));
            }
            for (Future<List<List<Prediction>>> f : threads.invokeAll(tasks)) {
                assertThat(f.get()).isEqualTo(expected);
            }
        }
    }

    @Test
    void filesAreDecoded(@TempDir Path folder) throws IOException {
        Path png = folder.resolve("a.png");
        BufferedImage gray = new BufferedImage(33, 35, BufferedImage.TYPE_INT_RGB);
        ImageIO.write(gray, "png", png.toFile());
        assertThat(classifier.predict(png, 1)).isEqualTo(classifier.predict(RgbImage.filled(35, 33, 0, 0, 0), 1));
        Files.writeString(folder.resolve("b.png"), "no image");
        assertThatThrownBy(() -> classifier.predict(folder.resolve("b.png"), 1)).isInstanceOf(BrokenImageException.class);
    }

    @Test
    void labelsCanBeGiven() {
        try (PretrainedModel m = ModelZoo.find("resnet18").random(List.of("a", "b"))) {
            assertThat(m.withLabels(List.of("x", "y")).classes()).containsExactly("x", "y");
            assertThatThrownBy(() -> m.withLabels(List.of("x")))
                    .hasMessageContaining("1 names of classes but the network has 2");
        }
    }
}
