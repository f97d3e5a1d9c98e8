package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.graft.cli.report.RunFiles;
import dev.graft.nn.transfer.FineTunePlan;
import dev.graft.pretrained.format.WeightFile;
import dev.graft.tensor.cpu.WorkerPool;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FinetuneTest {
    @TempDir
    private Path folder;
    private Path photos;
    private Path out;

    @BeforeEach
    void photos() {
        photos = SmallPhotos.split(folder.resolve("photos"), 3, 8, 4);
        out = folder.resolve("run");
    }

    private Graft finetune(Object... more) {
        Object[] words = {"finetune", "--model", "graft_cifar", "--data", photos, "--out", out, "--no-cache"};
        return Graft.run(Stream.concat(Stream.of(words), Stream.of(more)).toArray());
    }

    @Test
    void aTraceThatCannotBeWrittenIsToldBeforehand() {
        Graft run = finetune("--epochs", 1, "--profile", folder.resolve("nowhere").resolve("trace.json"));
        assertThat(run.code()).isEqualTo(1);
        assertThat(run.err()).contains("--profile").contains("there is no folder " + folder.resolve("nowhere"));
        assertThat(out).doesNotExist();
        assertThat(finetune("--epochs", 1, "--profile", folder).err()).contains("this is a folder");
    }

    @Test
    void aRunLeavesAllItsFiles() throws Exception {
        Graft run = finetune("--strategy", "finetune", "--epochs", 5, "--lr", 0.005, "--batch", 8, "--seed", 3);
        assertThat(run.err()).isEmpty();
        assertThat(run.code()).isZero();
        assertThat(run.out()).contains("0 missing").contains("plan finetune").contains("epoch 5/5")
                .contains("Best validation accuracy").contains(out.resolve("model.safetensors").toString());
        JsonNode result = new ObjectMapper().readTree(out.resolve("result.json").toFile());
        assertThat(result.fieldNames()).toIterable().containsExactly("model", "strategy", "classes", "train_images",
                "val_images", "best_val_accuracy", "best_epoch", "epochs", "seconds", "images_per_second", "parameters",
                "trainable_parameters", "seed");
        assertThat(result.get("train_images").asInt()).isEqualTo(24);
        assertThat(result.get("val_images").asInt()).isEqualTo(12);
        // 64 features and a bias for each of three classes, in place of ten
        assertThat(result.get("parameters").asLong()).isEqualTo(269_722 - 7 * 65);
        assertThat(result.get("trainable_parameters")).isEqualTo(result.get("parameters"));
        assertThat(result.get("best_val_accuracy").asDouble()).isGreaterThan(0.6);
        assertThat(Files.readAllLines(out.resolve("history.csv"))).hasSize(6);
        FineTunePlan plan = FineTunePlan.fromJson(Files.readString(out.resolve("plan.json")));
        assertThat(plan.seed()).isEqualTo(3);
        assertThat(plan.rule().lr()).isEqualTo(0.005);
        assertThat(Files.readString(out.resolve("report.html"))).contains("Confusion matrix").contains("graft_cifar");
        try (WeightFile weights = WeightFile.open(out.resolve("model.safetensors"))) {
            assertThat(weights.entry("linear.weight").shape().dims()).containsExactly(3, 64);
        }
    }

    @Test
    void predictionsOfARunAreThoseThatWereMeasured() throws Exception {
        finetune("--strategy", "finetune", "--epochs", 5, "--lr", 0.005, "--batch", 8);
        Graft predict = Graft.run("predict", "--run", out, "--json", "--top", 2, photos.resolve("val"));
        assertThat(predict.code()).isZero();
        List<String> lines = predict.out().lines().toList();
        assertThat(lines).hasSize(12);
        int right = 0;
        for (String line : lines) {
            JsonNode json = new ObjectMapper().readTree(line);
            assertThat(json.get("top")).hasSize(2);
            JsonNode best = json.get("top").get(0);
            assertThat(best.get("class").asText()).isEqualTo(SmallPhotos.CLASSES[best.get("index").asInt()]);
            assertThat(best.get("probability").asDouble()).isBetween(1 / 3.0, 1.0);
            right += Path.of(json.get("file").asText()).getParent().endsWith(best.get("class").asText()) ? 1 : 0;
        }
        assertThat(right / 12.0).isEqualTo(RunFiles.readResult(out).bestValAccuracy());
    }

    @Test
    void featuresTrainOnlyTheHead() throws Exception {
        Graft run = finetune("--epochs", 2);
        assertThat(run.out()).contains("computed once per image");
        assertThat(RunFiles.readResult(out).trainableParameters()).isEqualTo(3 * 65);
        assertThat(RunFiles.readResult(out).strategy()).isEqualTo("features");
    }

    @Test
    void aFinishedFolderIsNotWrittenOver() throws Exception {
        Files.createDirectories(out);
        Files.writeString(out.resolve("result.json"), "mine");
        Graft run = finetune("--epochs", 1);
        assertThat(run.code()).isEqualTo(1);
        assertThat(run.err().lines()).singleElement().asString().contains("is not empty").contains("--out");
        assertThat(Files.readString(out.resolve("result.json"))).isEqualTo("mine");
    }

    @Test
    void resumeNeedsNothingElseAndGivesTheSameBitsFromAnEarlierCheckpoint() throws Exception {
        finetune("--strategy", "gradual", "--epochs", 5, "--batch", 8, "--seed", 4);
        byte[] whole = Files.readAllBytes(out.resolve("model.safetensors"));
        List<Path> checkpoints;
        try (Stream<Path> all = Files.list(out.resolve("checkpoints"))) {
            checkpoints = all.sorted().toList();
        }
        assertThat(checkpoints).hasSize(2);
        // the newest one is cut off, as by a crash of the machine: the one before it serves
        Path newest = checkpoints.getLast();
        Files.write(newest, java.util.Arrays.copyOf(Files.readAllBytes(newest), (int) Files.size(newest) / 2));
        Files.delete(out.resolve("model.safetensors"));
        Graft run = Graft.run("finetune", "--resume", out);
        assertThat(run.err()).isEmpty();
        assertThat(run.out()).contains("after epoch 4 of 5").contains("epoch 5/5").doesNotContain("epoch 4/5");
        assertThat(Files.readAllBytes(out.resolve("model.safetensors"))).isEqualTo(whole);
        assertThat(Files.readAllLines(out.resolve("history.csv"))).hasSize(6);
    }

    @Test
    void threadsAndWorkersDoNotChangeWhatComesOut() throws Exception {
        int before = WorkerPool.shared().threads();
        try {
            Graft run = finetune("--strategy", "finetune", "--epochs", 2, "--batch", 8, "--threads", 2, "--workers", 0);
            assertThat(run.code()).as(run.err()).isZero();
            assertThat(WorkerPool.shared().threads()).isEqualTo(2);
        } finally {
            WorkerPool.setThreads(before);
        }
        byte[] model = Files.readAllBytes(out.resolve("model.safetensors"));
        JsonNode config = new ObjectMapper().readTree(out.resolve("run.json").toFile());
        assertThat(config.get("workers").asInt(-1)).isZero();
        assertThat(config.get("threads").asInt()).isEqualTo(2);
        out = folder.resolve("other");
        assertThat(finetune("--strategy", "finetune", "--epochs", 2, "--batch", 8, "--workers", 3).code()).isZero();
        assertThat(Files.readAllBytes(out.resolve("model.safetensors"))).isEqualTo(model);
    }

    /** Also a run that was begun when there was no choice. */
    @Test
    void aResumedRunMayHaveOtherThreadsAndWorkers() throws Exception {
        finetune("--epochs", 1, "--workers", 1);
        byte[] model = Files.readAllBytes(out.resolve("model.safetensors"));
        Path config = out.resolve("run.json");
        String text = Files.readString(config);
        String old = text.replaceAll("(?m)^ *\"workers\".*\\R", "");
        assertThat(old).isNotEqualTo(text);
        Files.writeString(config, old);
        assertThat(Graft.run("finetune", "--resume", out).code()).isZero();
        assertThat(Graft.run("finetune", "--resume", out, "--workers", 2).code()).isZero();
        assertThat(Files.readAllBytes(out.resolve("model.safetensors"))).isEqualTo(model);
    }

    @Test
    void numbersOfThreadsAreNotNegative() {
        for (String option : new String[] {"--threads", "--workers"}) {
            Graft run = finetune(option, -1);
            assertThat(run.code()).isEqualTo(2);
            assertThat(run.err()).contains(option).contains("'-1' is no number of threads");
        }
        assertThat(out).doesNotExist();
    }

    @Test
    void resumeRefusesOtherOptionsAndOtherFolders() {
        finetune("--epochs", 1);
        Graft other = Graft.run("finetune", "--resume", out, "--epochs", 9);
        assertThat(other.code()).isEqualTo(1);
        assertThat(other.err()).contains("--epochs").contains("cannot be changed");
        Graft none = Graft.run("finetune", "--resume", photos);
        assertThat(none.code()).isEqualTo(1);
        assertThat(none.err()).contains("is not the folder of a run");
    }

    @Test
    void frozenPatternsAreInThePlanAndWrongOnesAreNamed() {
        Graft run = finetune("--strategy", "finetune", "--freeze", "layer1", "--freeze", "conv1,bn1", "--epochs", 1);
        assertThat(run.out()).contains("frozen: layer1,conv1,bn1");
        Graft wrong = Graft.run("finetune", "--model", "graft_cifar", "--data", photos, "--out", folder.resolve("other"),
                "--freeze", "block7");
        assertThat(wrong.code()).isEqualTo(1);
        assertThat(wrong.err()).contains("block7");
        assertThat(folder.resolve("other")).doesNotExist();
    }

    @Test
    void aModelWithoutWeightsNeedsThemUnlessItBeginsFromScratch() {
        Graft run = Graft.run("finetune", "--model", "squeezenet1_1", "--data", photos, "--out", out);
        assertThat(run.code()).isEqualTo(1);
        assertThat(run.err().lines()).singleElement().asString().contains("--weights").contains("graft_cifar")
                .contains("--strategy scratch");
        assertThat(out).doesNotExist();
        assertThat(Graft.run("finetune", "--model", "resnet20_cifar", "--data", photos, "--out", out, "--strategy",
                "scratch", "--epochs", 1).code()).isZero();
    }

    @Test
    void aDeviceThatIsNotThereIsCode3() {
        Graft run = finetune("--device", "cuda");
        assertThat(run.code()).isEqualTo(3);
        assertThat(run.err().lines()).singleElement().asString()
                .contains("no CUDA device can be used: libcuda.so.1 was not found").contains("graft doctor");
        assertThat(out).doesNotExist();
        assertThat(finetune("--device", "auto", "--epochs", 1).out()).contains("Device: cpu (no CUDA device can be used: ");
    }

    @Test
    void devicesAndPrecisionsThatDoNotExistAreCode2() {
        assertThat(finetune("--device", "tpu").code()).isEqualTo(2);
        assertThat(finetune("--device", "tpu").err()).contains("use cpu, auto, cuda or cuda:N");
        assertThat(finetune("--precision", "int8").err()).contains("float32, tf32, bf16, fp16");
        assertThat(finetune("--device", "cuda:3").code()).isEqualTo(3);
    }

    @Test
    void lowPrecisionProfileAndGuard() throws Exception {
        Path trace = folder.resolve("trace.json");
        Graft run = finetune("--epochs", 1, "--precision", "bf16", "--profile", trace, "--nan-guard");
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.out()).contains("bf16").contains("us/call").containsPattern("(?m)^layer3\\S* +\\d+")
                .containsPattern("(?m)^wait for data +\\d+")
                .contains("Trace: " + trace);
        assertThat(new com.fasterxml.jackson.databind.ObjectMapper().readTree(trace.toFile()).path("traceEvents").size())
                .isGreaterThan(100);
        assertThat(Files.readString(out.resolve("plan.json"))).contains("\"precision\" : \"bf16\"");
    }

    @Test
    void missingOptionsAreCode2() {
        Graft run = Graft.run("finetune", "--model", "graft_cifar", "--out", out);
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("--data").contains("--resume");
    }
}
