package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.graft.cli.report.RunFiles;
import dev.graft.pretrained.ModelZoo;
import dev.graft.pretrained.PretrainedModel;
import dev.graft.pretrained.format.WeightFile;
import dev.graft.tensor.DType;
import dev.graft.tensor.cpu.WorkerPool;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CommandsTest {
    @TempDir
    private Path folder;

    @Test
    void modelsListsTheZooWithWhatIsInTheJar() {
        Graft run = Graft.run("models");
        assertThat(run.code()).isZero();
        assertThat(run.out().lines()).hasSize(ModelZoo.names().size() + 2)
                .anyMatch(l -> l.startsWith("mobilenet_v2") && l.contains("3,504,872") && l.contains("padding=torch|same")
                        && l.contains(" no "))
                .anyMatch(l -> l.startsWith("graft_cifar") && l.contains("32 x 32") && l.endsWith("yes"));
        assertThat(Graft.run("models", "vgg16_bn").out()).contains("138,365,992").contains("arXiv:1409.1556");
        assertThat(Graft.run("models", "vgg17").err()).contains("vgg");
    }

    @Test
    void verifyComparesAndSaysWhatWith() throws IOException {
        Graft run = Graft.run("verify", "graft_cifar");
        assertThat(run.code()).isZero();
        assertThat(run.out()).contains("graft_cifar").contains("verified").contains("largest difference");
        Path broken = folder.resolve("nan.safetensors");
        try (PretrainedModel model = ModelZoo.find("graft_cifar").load()) {
            float[] values = model.network().parameters().get("conv1.weight").value().toFloats();
            values[0] = Float.NaN;
            model.network().parameters().get("conv1.weight").value().write(values);
            model.save(broken);
        }
        Graft failed = Graft.run("verify", "graft_cifar", "--weights", broken);
        assertThat(failed.code()).isEqualTo(1);
        assertThat(failed.out()).contains("FAILED");
    }

    @Test
    void everyCommandExplainsItself() {
        for (String command : Main.commandLine(new Main()).getSubcommands().keySet()) {
            Graft run = Graft.run(command, "--help");
            assertThat(run.code()).as(command).isZero();
            assertThat(run.out()).contains("Usage: graft " + command);
        }
    }

    @Test
    void whatComputesTakesANumberOfThreads() {
        for (String command : List.of("finetune", "predict", "pretrain", "demo", "verify")) {
            assertThat(Graft.run(command, "--help").out()).as(command).contains("--threads=N");
        }
        int before = WorkerPool.shared().threads();
        try {
            assertThat(Graft.run("verify", "graft_cifar", "--threads", before + 1).code()).isZero();
            assertThat(WorkerPool.shared().threads()).isEqualTo(before + 1);
        } finally {
            WorkerPool.setThreads(before);
        }
    }

    @Test
    void onlyTheNamedCommandIsParsedForAndAllWhenNoneIsKnown() {
        assertThat(Main.commandLine(new Main(), "--debug", "predict", "inspect").getSubcommands())
                .containsOnlyKeys("predict");
        assertThat(Main.commandLine(new Main(), "prdict").getSubcommands()).containsKeys("predict", "inspect", "doctor");
    }

    @Test
    void theRehearsalForFasterStartsGoesThrough() throws IOException {
        assertThat(Rehearsal.run()).isZero();
    }

    @Test
    void predictTakesLabelsAndShowsTheMostProbableFirst() throws IOException {
        SmallPhotos.fill(folder.resolve("photos"), 1, 1, 1);
        Path labels = Files.writeString(folder.resolve("labels.txt"), "k0\nk1\nk2\nk3\nk4\nk5\nk6\nk7\nk8\nk9\n");
        Graft run = Graft.run("predict", "--model", "graft_cifar", "--labels", labels, "--top", 10,
                folder.resolve("photos"));
        assertThat(run.code()).isZero();
        String line = run.out().strip();
        assertThat(line).contains("k0", "k9").doesNotContain("airplane");
        double[] shares = Stream.of(line.substring(line.indexOf(": ") + 2).split(", "))
                .mapToDouble(s -> Double.parseDouble(s.split(" ")[1])).toArray();
        assertThat(shares).hasSize(10).isSortedAccordingTo((a, b) -> Double.compare(b, a));
        assertThat(java.util.Arrays.stream(shares).sum()).isBetween(99.0, 101.0);
    }

    @Test
    void predictStoresLinearWeightsInFewerBits() throws IOException {
        SmallPhotos.fill(folder.resolve("photos"), 1, 1, 1);
        double[] exact = probabilities();
        assertThat(probabilities("--quantize", "int8")).isNotEqualTo(exact)
                .satisfies(p -> assertThat(p).containsExactly(exact, within(0.02)));
        assertThat(probabilities("--quantize", "bf16")).isNotEqualTo(exact)
                .satisfies(p -> assertThat(p).containsExactly(exact, within(0.02)));
    }

    /** Of the classes of the one photo, in the order of the classes. */
    private double[] probabilities(Object... more) throws IOException {
        Object[] words = {"predict", "--model", "graft_cifar", "--top", 10, "--json", folder.resolve("photos")};
        Graft run = Graft.run(Stream.concat(Stream.of(words), Stream.of(more)).toArray());
        assertThat(run.err()).isEmpty();
        assertThat(run.code()).isZero();
        double[] all = new double[10];
        new ObjectMapper().readTree(run.out()).get("top").forEach(p -> all[p.get("index").asInt()] =
                p.get("probability").asDouble());
        return all;
    }

    @Test
    void predictSaysWhatCannotBeQuantised() throws IOException {
        SmallPhotos.fill(folder.resolve("photos"), 1, 1, 1);
        Graft word = Graft.run("predict", "--model", "graft_cifar", "--quantize", "int4", folder.resolve("photos"));
        assertThat(word.code()).isEqualTo(2);
        assertThat(word.err()).contains("--quantize").contains("'int4' is neither int8 nor bfloat16");
        try (PretrainedModel model = ModelZoo.find("squeezenet1_1").random(List.of("a", "b"))) {
            model.save(folder.resolve("model.safetensors"));
        }
        Graft none = Graft.run("predict", "--run", folder, "--quantize", "int8", folder.resolve("photos"));
        assertThat(none.code()).isEqualTo(1);
        assertThat(none.err()).contains("there is no linear layer here");
        assertThat(none.out()).isEmpty();
    }

    @Test
    void predictNeedsARunOrAModel() {
        assertThat(Graft.run("predict", "x.png").code()).isEqualTo(2);
        Graft none = Graft.run("predict", "--run", folder, "x.png");
        assertThat(none.code()).isEqualTo(1);
        assertThat(none.err().lines()).singleElement().asString().contains("model.safetensors");
    }

    @Test
    void pretrainWritesHalfPrecisionWeightsThatPredictAndResumes() throws Exception {
        Path photos = SmallPhotos.split(folder.resolve("photos"), 2, 8, 3);
        resize(photos);
        Path out = folder.resolve("backbone");
        Object[] words = {"pretrain", "--data", photos, "--epochs", 2, "--batch", 8, "--lr", 0.02, "--out", out};
        Graft run = Graft.run(words);
        assertThat(run.err()).isEmpty();
        assertThat(run.code()).isZero();
        byte[] weights = Files.readAllBytes(out.resolve("model.safetensors"));
        try (WeightFile file = WeightFile.open(out.resolve("model.safetensors"))) {
            assertThat(file.entry("conv1.weight").dtype()).isEqualTo(DType.F16);
        }
        try (PretrainedModel model = ModelZoo.open(out)) {
            assertThat(model.classes()).containsExactly("bar", "disc");
        }
        assertThat(Files.readString(out.resolve("log.txt"))).contains("epoch 2").contains("accuracy of the last epoch");
        assertThat(RunFiles.readResult(out).bestEpoch()).isEqualTo(2);

        assertThat(Graft.run(words).err()).contains("is not empty");
        try (Stream<Path> all = Files.list(out)) {
            Files.delete(all.filter(p -> p.getFileName().toString().startsWith("checkpoint")).sorted().toList().getLast());
        }
        Graft resumed = Graft.run(Stream.concat(Stream.of(words), Stream.of("--resume")).toArray());
        assertThat(resumed.out()).contains("epoch 2/2").doesNotContain("epoch 1/2");
        assertThat(Files.readAllBytes(out.resolve("model.safetensors"))).isEqualTo(weights);
        Graft other = Graft.run(Stream.concat(Stream.of(words), Stream.of("--resume", "--seed", 9)).toArray());
        assertThat(other.code()).isEqualTo(1);
        assertThat(other.err()).contains("another recipe");
    }

    /** Cuts the pictures to the size that the network takes: pretraining does not resize. */
    private static void resize(Path photos) throws IOException {
        try (Stream<Path> all = Files.walk(photos)) {
            for (Path p : all.filter(Files::isRegularFile).toList()) {
                javax.imageio.ImageIO.write(javax.imageio.ImageIO.read(p.toFile()).getSubimage(0, 0, 32, 32),
                        p.toString().endsWith("png") ? "png" : "jpg", p.toFile());
            }
        }
    }
}
