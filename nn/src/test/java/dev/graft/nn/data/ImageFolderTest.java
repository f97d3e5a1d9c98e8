package dev.graft.nn.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.nn.data.image.RgbImage;
import dev.graft.tensor.GraftException;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImageFolderTest {
    @TempDir
    private Path root;

    static byte[] encoded(String format, int red) {
        BufferedImage image = new BufferedImage(8, 6, BufferedImage.TYPE_INT_RGB);
        for (int i = 0; i < 48; i++) {
            image.setRGB(i % 8, i / 8, red << 16 | 0x2040);
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try {
            ImageIO.write(image, format, out);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
        return out.toByteArray();
    }

    private void put(String file, byte[] data) throws IOException {
        Path path = root.resolve(file);
        Files.createDirectories(path.getParent());
        Files.write(path, data);
    }

    private void put(String... files) throws IOException {
        for (int i = 0; i < files.length; i++) {
            put(files[i], encoded(files[i].toLowerCase().endsWith("png") ? "png" : "jpg", i));
        }
    }

    @Test
    void readsTrainAndValidation() throws IOException {
        put("train/cat/2.png", "train/cat/10.PNG", "train/ant/x.JPeG", "val/cat/a.png", "val/ant/deep/er/b.jpg",
                "train/cat/.hidden.png", "__MACOSX/train/cat/q.png");
        put("train/cat/notes.txt", new byte[] {1});
        try (ImageFolder folder = ImageFolder.open(root)) {
            assertThat(folder.classes()).containsExactly("ant", "cat");
            Dataset train = folder.train();
            assertThat(train.size()).isEqualTo(3);
            assertThat(train.labels()).containsExactly(0, 1, 1);
            assertThat(train.name(1)).endsWith("10.PNG");
            assertThat(train.image(2)).isEqualTo(RgbImage.filled(6, 8, 0, 0x20, 0x40));
            assertThat(folder.validation()).get().extracting(Dataset::size).isEqualTo(2);
            assertThat(folder.test()).isEmpty();
            assertThat(folder.split().train()).isSameAs(train);
            assertThat(folder.report().warnings()).isEmpty();
            assertThatThrownBy(() -> folder.split(0.5, 1)).isInstanceOf(GraftException.class)
                    .hasMessageContaining("own validation");
        }
    }

    @Test
    void otherNamesOfTheParts() throws IOException {
        put("Train/a/1.png", "Train/b/1.png", "valid/a/1.png", "valid/b/2.png", "test/a/1.png");
        ImageFolder folder = ImageFolder.open(root);
        assertThat(folder.validation()).get().extracting(Dataset::size).isEqualTo(2);
        assertThat(folder.test()).get().extracting(Dataset::size).isEqualTo(1);
        assertThat(folder.report().warnings()).singleElement().asString().contains("class 'b' has no images");
    }

    @Test
    void testServesForValidationAndSaysSo() throws IOException {
        put("train/a/1.png", "train/b/1.png", "test/a/1.png", "test/b/2.png");
        ImageFolder folder = ImageFolder.open(root);
        assertThat(folder.validation()).get().extracting(Dataset::size).isEqualTo(2);
        assertThat(folder.report().warnings()).singleElement().asString().contains("'test' serves for validation");
    }

    @Test
    void splitsEveryClass() throws IOException {
        for (int i = 0; i < 20; i++) {
            put("big/" + i + ".png");
        }
        put("small/0.png", "small/1.png", "one/0.png");
        ImageFolder folder = ImageFolder.open(root);
        DataSplit split = folder.split(0.25, 7);
        assertThat(split.train().classCounts()).containsExactly(15, 1, 1);
        assertThat(split.validation().classCounts()).containsExactly(5, 0, 1);
        Set<String> names = new HashSet<>();
        for (Dataset part : List.of(split.train(), split.validation())) {
            for (int i = 0; i < part.size(); i++) {
                assertThat(names.add(part.key(i))).isTrue();
                assertThat(part.name(i)).contains(part.classes().get(part.label(i)));
            }
        }
        assertThat(names).hasSize(23);
        assertThat(names(folder.split(0.25, 7).validation())).isEqualTo(names(split.validation()));
        assertThat(names(folder.split(0.25, 8).validation())).isNotEqualTo(names(split.validation()));
        assertThatThrownBy(() -> folder.split(1.5, 1)).isInstanceOf(GraftException.class)
                .hasMessageContaining("between 0 and 1");
    }

    private static List<String> names(Dataset data) {
        return IntStream.range(0, data.size()).mapToObj(data::name).toList();
    }

    @Test
    void brokenImagesAreLeftOutAndListed() throws IOException {
        put("a/1.png", "a/2.jpg", "b/1.png", "b/2.png");
        byte[] jpeg = encoded("jpg", 5);
        put("a/broken.jpg", Arrays.copyOf(jpeg, jpeg.length / 2));
        put("b/text.png", "hello".getBytes());
        put("b/nothing.jpg", new byte[0]);
        put("b/photo.webp", new byte[] {1, 2, 3});
        for (ImageFolder.Check check : List.of(ImageFolder.Check.STRUCTURE, ImageFolder.Check.DECODE)) {
            ImageFolder folder = ImageFolder.open(root, ImageFolder.Options.DEFAULT.with(check));
            assertThat(folder.train().classCounts()).containsExactly(2, 2);
            assertThat(folder.report().broken()).extracting(FolderReport.Broken::file)
                    .containsExactly("a/broken.jpg", "b/nothing.jpg", "b/text.png");
            assertThat(folder.report().warnings()).singleElement().asString().contains("photo.webp");
            assertThat(folder.report().toString()).contains("left out: ", "broken.jpg", "note: ");
        }
        assertThatThrownBy(() -> ImageFolder.open(root, ImageFolder.Options.DEFAULT.failOnBroken()))
                .isInstanceOf(GraftException.class).hasMessageContaining("broken.jpg");
    }

    @Test
    void everyMisuseHasItsSentence() throws IOException {
        assertThatThrownBy(() -> ImageFolder.open(root.resolve("none"))).isInstanceOf(GraftException.class)
                .hasMessageContaining("none does not exist");
        assertThatThrownBy(() -> ImageFolder.open(root)).isInstanceOf(GraftException.class)
                .hasMessageContaining("holds no JPEG");
        put("1.png");
        assertThatThrownBy(() -> ImageFolder.open(root)).isInstanceOf(GraftException.class)
                .hasMessageContaining("no folders in it");
        assertThatThrownBy(() -> ImageFolder.open(root.resolve("1.png"))).isInstanceOf(GraftException.class)
                .hasMessageContaining("is a file");
        Files.delete(root.resolve("1.png"));
        put("only/1.png");
        assertThatThrownBy(() -> ImageFolder.open(root)).isInstanceOf(GraftException.class)
                .hasMessageContaining("only one class, 'only'");
        Files.createDirectories(root.resolve("empty"));
        assertThatThrownBy(() -> ImageFolder.open(root)).isInstanceOf(GraftException.class)
                .hasMessageContaining("empty holds no readable image");
        put("empty/bad.jpg", "text".getBytes());
        assertThatThrownBy(() -> ImageFolder.open(root)).isInstanceOf(GraftException.class).hasMessageContaining("bad.jpg");
    }

    @Test
    void partsMustFitTogether() throws IOException {
        put("val/a/1.png", "test/a/1.png");
        assertThatThrownBy(() -> ImageFolder.open(root)).isInstanceOf(GraftException.class)
                .hasMessageContaining("no folder 'train'");
        put("train/a/1.png", "train/b/1.png", "val/c/1.png");
        assertThatThrownBy(() -> ImageFolder.open(root)).isInstanceOf(GraftException.class)
                .hasMessageContaining("the class 'c'");
    }

    @Test
    void readsAZipInPlace() throws IOException {
        Path zip = root.resolve("data.zip");
        try (OutputStream out = Files.newOutputStream(zip); ZipOutputStream entries = new ZipOutputStream(out)) {
            for (String name : new String[] {"wrap/train/b/1.png", "wrap/train/a/1.png", "wrap/train/a/2.jpg",
                    "wrap/val/a/1.png",
                "wrap/val/b/1.png", "__MACOSX/wrap/train/a/._1.png", "wrap/train/a/../../../evil.txt"}) {
                entries.putNextEntry(new ZipEntry(name));
                entries.write(encoded(name.endsWith("png") ? "png" : "jpg", name.length()));
                entries.closeEntry();
            }
            entries.putNextEntry(new ZipEntry("wrap/train/b/broken.jpg"));
            entries.write(new byte[] {1, 2, 3});
        }
        ImageFolder folder = ImageFolder.open(zip);
        assertThat(folder.classes()).containsExactly("a", "b");
        assertThat(folder.train().labels()).containsExactly(0, 0, 1);
        assertThat(folder.report().broken()).singleElement().extracting(FolderReport.Broken::file)
                .isEqualTo("wrap/train/b/broken.jpg");
        assertThat(folder.train().image(0)).isEqualTo(RgbImage.filled(6, 8, "wrap/train/a/1.png".length(), 0x20, 0x40));
        assertThat(folder.train().key(0)).isNotEqualTo(folder.train().key(1));
        folder.close();
        assertThatThrownBy(() -> folder.train().image(0)).isInstanceOf(GraftException.class).hasMessageContaining("closed");
        Path fake = Files.write(root.resolve("fake.zip"), new byte[] {1, 2, 3});
        assertThatThrownBy(() -> ImageFolder.open(fake)).isInstanceOf(GraftException.class)
                .hasMessageContaining("fake.zip cannot be opened");
    }

    @Test
    void arraysAreADatasetToo() {
        ImageArrays data = new ImageArrays(List.of(RgbImage.filled(2, 2, 1, 2, 3), RgbImage.filled(2, 2, 4, 5, 6)),
                new int[] {1, 0},
                List.of("x", "y"));
        assertThat(data.subset(1).image(0)).isEqualTo(RgbImage.filled(2, 2, 4, 5, 6));
        assertThat(data.key(0)).isNotEqualTo(data.key(1));
        assertThatThrownBy(() -> new ImageArrays(data.images(), new int[] {0, 2}, List.of("x", "y")))
                .isInstanceOf(GraftException.class).hasMessageContaining("label 2");
        assertThatThrownBy(() -> data.subset(2)).isInstanceOf(GraftException.class).hasMessageContaining("index 2");
    }

    @Test
    void hymenoptera() {
        ImageFolder folder = ImageFolder.open(RealData.hymenoptera());
        assertThat(folder.classes()).containsExactly("ants", "bees");
        assertThat(folder.train().size()).isEqualTo(244);
        assertThat(folder.validation()).get().extracting(Dataset::size).isEqualTo(153);
        assertThat(folder.train().classCounts()).containsExactly(123, 121);
        assertThat(folder.report().broken()).isEmpty();
    }

    @Test
    void cifarZip() {
        Path zip = RealData.path("cifar10/cifar10-jpeg-subset.zip");
        Assumptions.assumeTrue(Files.exists(zip), "no CIFAR-10 images at " + zip);
        try (ImageFolder folder = ImageFolder.open(zip)) {
            assertThat(folder.classes()).hasSize(10).startsWith("airplane", "automobile");
            assertThat(folder.train().classCounts()).containsOnly(200);
            assertThat(folder.split().validation().classCounts()).containsOnly(100);
            assertThat(folder.train().image(1999)).extracting(RgbImage::height, RgbImage::width).containsExactly(32, 32);
        }
    }
}
