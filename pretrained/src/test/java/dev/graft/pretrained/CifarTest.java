package dev.graft.pretrained;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.nn.data.image.ImageDecoder;
import dev.graft.nn.data.image.RgbImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Enumeration;
import java.util.List;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** CIFAR-10 images: published weights of PyTorch checkpoints, and Graft's own. */
class CifarTest {
    private record Labelled(List<RgbImage> images, List<Integer> labels) {
        int right(Classifier c) {
            List<float[]> logits = c.logits(images);
            int right = 0;
            for (int i = 0; i < logits.size(); i++) {
                right += RealData.argmax(logits.get(i)) == labels.get(i) ? 1 : 0;
            }
            return right;
        }
    }

    private static Labelled pngs() throws IOException {
        Labelled l = new Labelled(new ArrayList<>(), new ArrayList<>());
        try (Stream<Path> files = Files.list(RealData.of("cifar10/foolbox-png"))) {
            for (Path f : files.sorted().toList()) {
                String name = f.getFileName().toString();
                l.images.add(ImageDecoder.DEFAULT.decode(f));
                l.labels.add(name.charAt(name.length() - 5) - '0');
            }
        }
        return l;
    }

    private static Labelled jpegs(List<String> classes) throws IOException {
        Labelled l = new Labelled(new ArrayList<>(), new ArrayList<>());
        try (ZipFile zip = new ZipFile(RealData.of("cifar10/cifar10-jpeg-subset.zip").toFile())) {
            for (Enumeration<? extends ZipEntry> all = zip.entries(); all.hasMoreElements();) {
                ZipEntry e = all.nextElement();
                int at = e.getName().indexOf("test/");
                if (at >= 0 && e.getName().endsWith(".jpg")) {
                    l.images.add(ImageDecoder.DEFAULT.decode(zip.getInputStream(e).readAllBytes(), e.getName()));
                    l.labels.add(classes.indexOf(e.getName().substring(at + 5).split("/")[0]));
                }
            }
        }
        return l;
    }

    @ParameterizedTest
    @CsvSource({"resnet20_cifar, resnet20-12fca82f.th, 20", "resnet32_cifar, resnet32-d509ac18.th, 19"})
    void publishedWeightsRecogniseTheTestImages(String name, String file, int right) throws IOException {
        Labelled pngs = pngs();
        try (Classifier c = Classifier.open(ModelZoo.find(name), RealData.of("cifar10/" + file))) {
            assertThat(c.model().report().prefix()).isEqualTo("state_dict.module.");
            assertThat(c.model().report().complete()).isTrue();
            assertThat(c.model().report().unused()).isEmpty();
            assertThat(pngs.right(c)).isGreaterThanOrEqualTo(right);
            assertThat(pngs.labels).hasSize(20);
            Labelled jpegs = jpegs(c.model().classes());
            assertThat(jpegs.labels).hasSize(1000).doesNotContain(-1);
            assertThat(jpegs.right(c)).isGreaterThanOrEqualTo(780);
            assertThat(c.predict(pngs.images.getFirst(), 3)).hasSize(3);
        }
    }

    @Test
    void ownBackboneRecognisesTheTestImages() throws IOException {
        try (Classifier c = Classifier.of(ModelZoo.find("graft_cifar").load())) {
            assertThat(c.model().classes()).startsWith("airplane", "automobile", "bird");
            assertThat(jpegs(c.model().classes()).right(c)).isGreaterThan(830);   // 841 when it was trained
        }
    }

    @Test
    void theLikelyModelIsNamed() {
        Path weights = RealData.of("cifar10/resnet32-d509ac18.th");
        assertThatThrownBy(() -> ModelZoo.find("resnet20_cifar").load(weights)).hasMessageContaining("resnet32_cifar");
        assertThatThrownBy(() -> ModelZoo.find("vgg11").load(weights)).hasMessageContaining("they fit resnet32_cifar");
    }
}
