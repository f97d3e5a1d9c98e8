package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.graft.cli.report.RunFiles;
import dev.graft.pretrained.ModelZoo;
import dev.graft.pretrained.PretrainedModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What goes wrong ends in one sentence and a non-zero exit code, before anything is written. */
class BadInputTest {
    @TempDir
    private Path folder;
    private Path photos;
    private Path out;

    @BeforeEach
    void photos() {
        photos = SmallPhotos.split(folder.resolve("photos"), 2, 4, 2);
        out = folder.resolve("run");
    }

    private Graft finetune(String model, Path weights, Path data) {
        return weights == null ? Graft.run("finetune", "--model", model, "--data", data, "--out", out, "--epochs", 1)
                : Graft.run("finetune", "--model", model, "--weights", weights, "--data", data, "--out", out, "--epochs", 1);
    }

    private void refused(Graft run, String... words) {
        assertThat(run.code()).isEqualTo(1);
        assertThat(run.err().lines()).singleElement().asString().startsWith("graft: ").contains(words)
                .doesNotContain("unexpected");
        assertThat(out).doesNotExist();
    }

    private Path weights() {
        Path file = folder.resolve("weights.safetensors");
        try (PretrainedModel m = ModelZoo.find("graft_cifar").load()) {
            m.save(file);
        }
        return file;
    }

    @Test
    void anEmptyFolder() throws IOException {
        refused(finetune("graft_cifar", null, Files.createDirectory(folder.resolve("empty"))), "empty", "holds no");
    }

    @Test
    void aFolderThatIsNotThere() {
        refused(finetune("graft_cifar", null, folder.resolve("nowhere")), "nowhere");
    }

    @Test
    void aNegativeNumberOfAugmentedCopies() {
        refused(Graft.run("finetune", "--model", "graft_cifar", "--data", photos, "--out", out, "--augmented-copies", -2),
                "augmented copies", "-2", "0 or more");
    }

    @Test
    void oneClassOnly() {
        refused(finetune("graft_cifar", null, SmallPhotos.fill(folder.resolve("one"), 1, 4, 1)), "only one class", "bar");
    }

    @Test
    void aBrokenJpegAmongGoodOnesIsLeftOutAndNamed() throws IOException {
        Path jpeg = photos.resolve("train/disc/1.jpg");
        Files.write(jpeg, Arrays.copyOf(Files.readAllBytes(jpeg), (int) Files.size(jpeg) / 2));
        Graft run = finetune("graft_cifar", null, photos);
        assertThat(run.code()).isZero();
        assertThat(run.out()).contains("left out").contains("1.jpg");
        assertThat(RunFiles.readResult(out).trainImages()).isEqualTo(7);
    }

    @Test
    void truncatedSafetensors() throws IOException {
        Path w = weights();
        Files.write(w, Arrays.copyOf(Files.readAllBytes(w), (int) Files.size(w) - 1000));
        refused(finetune("graft_cifar", w, photos), "weights.safetensors");
    }

    @Test
    void aFlippedBitInSafetensors() throws IOException {
        Path w = weights();
        byte[] bytes = Files.readAllBytes(w);
        bytes[bytes.length - 5000] ^= 4;
        Files.write(w, bytes);
        refused(finetune("graft_cifar", w, photos), "weights.safetensors", "damaged");
    }

    @Test
    void truncatedTorchWeights() throws IOException {
        Path original = Path.of(System.getProperty("graft.test.data", "none"), "cifar10", "resnet20-12fca82f.th");
        assumeTrue(Files.exists(original), original + " is not there");
        Path w = folder.resolve("resnet20.th");
        Files.write(w, Arrays.copyOf(Files.readAllBytes(original), (int) Files.size(original) / 2));
        refused(finetune("resnet20_cifar", w, photos), "resnet20.th");
    }

    @Test
    void weightsOfAnotherModelNameTheRightOne() {
        refused(finetune("mobilenet_v2", weights(), photos), "weights.safetensors", "mobilenet_v2", "cifar");
    }

    @Test
    void aModelThatIsNotThereNamesTheNearest() {
        refused(finetune("mobilenetv2", null, photos), "mobilenetv2", "mobilenet_v2");
    }

    @Test
    void aTargetThatCannotBeWritten() throws IOException {
        Path file = Files.writeString(folder.resolve("file"), "mine");
        Graft run = Graft.run("finetune", "--model", "graft_cifar", "--data", photos, "--out", file.resolve("run"));
        assertThat(run.code()).isEqualTo(1);
        assertThat(run.err().lines()).singleElement().asString().contains("file").doesNotContain("unexpected");
        assertThat(Files.readString(file)).isEqualTo("mine");
    }

    @Test
    void anEmptyNameIsNotTheWorkingFolder() {
        for (Graft run : new Graft[] {Graft.run("predict", "--model", "graft_cifar", ""),
            Graft.run("finetune", "--model", "graft_cifar", "--data", "", "--out", out)}) {
            assertThat(run.code()).isEqualTo(2);
            assertThat(run.err()).contains("the name is empty", "working folder");
            assertThat(out).doesNotExist();
        }
    }

    @Test
    void predictNamesBrokenImagesAndGoesOn() throws IOException {
        Path bad = Files.writeString(photos.resolve("val/bar/bad.png"), "no image");
        Graft run = Graft.run("predict", "--model", "graft_cifar", "--top", 1, photos.resolve("val"),
                folder.resolve("none.jpg"));
        assertThat(run.code()).isEqualTo(1);
        assertThat(run.out().lines()).hasSize(4).allMatch(l -> l.contains(" %"));
        assertThat(run.err().lines()).hasSize(2).anyMatch(l -> l.contains(bad.toString()))
                .anyMatch(l -> l.contains("none.jpg"));
    }
}
