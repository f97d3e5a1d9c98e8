package dev.graft.pretrained;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.graft.nn.Parameter;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class VerificationTest {
    @TempDir
    Path folder;

    @ParameterizedTest
    @CsvSource({"mobilenet_v2, same, imagenet-mobilenet_v2/mobilenet_v2_1.0_224.safetensors",
        "mobilenet_v2, torch, imagenet-mobilenet_v2/mobilenet_v2_1.0_224.safetensors",
        "squeezenet1_1, , imagenet-squeezenet1_1/squeezenet1_1_features.safetensors",
        "resnet20_cifar, , cifar10/resnet20-12fca82f.th", "resnet32_cifar, , cifar10/resnet32-d509ac18.th"})
    void knownWeightsGiveTheRecordedOutputs(String model, String padding, String file) {
        ZooModel zoo = ModelZoo.find(model);
        Verification v = (padding == null ? zoo : zoo.option("padding", padding)).verify(RealData.of(file));
        assertThat(v.recorded()).isTrue();
        assertThat(v.passed()).as(v.toString()).isTrue();
        assertThat(v.difference()).isLessThan(1e-4);
        assertThat(v.toString()).contains("verified").contains("recorded for these weights");
    }

    @Test
    void ownBackboneIsVerifiedWithoutAnyFile() {
        Verification v = ModelZoo.find("graft_cifar").verify();
        assertThat(v.recorded()).as("recordings.json has the outputs of the bundled weights: see RecordOutputs").isTrue();
        assertThat(v.passed()).as(v.toString()).isTrue();
    }

    /** Computed anew with every op in float64: the resource holds what the code that is there now gives. */
    @Test
    void recordedValuesAreTheReferences() {
        Recording own = Recording.all().stream().filter(r -> r.model().equals("graft_cifar")).findFirst().orElseThrow();
        try (PretrainedModel m = ModelZoo.find("graft_cifar").load()) {
            assertThat(Recording.make(m, own.sha256()).values()).containsExactly(own.values(), within(1e-9));
        }
    }

    @Test
    void recordingsBelongToTheModelsOfTheZoo() {
        for (Recording r : Recording.all()) {
            ModelCard card = ModelZoo.find(r.model()).card();
            assertThat(r.size()).isEqualTo(card.inputSize());
            assertThat(r.indices()).hasSameSizeAs(r.values()).isSorted();
            assertThat(Arrays.stream(r.values()).filter(v -> Math.abs(v) > 0.1)).as(r.model()).hasSizeGreaterThan(4);
        }
        assertThat(Recording.all()).extracting(Recording::sha256).contains(
                ModelZoo.find("mobilenet_v2").card().weights().getFirst().sha256(),
                ModelZoo.find("resnet20_cifar").card().weights().getFirst().sha256());
    }

    @Test
    void otherWeightsAreComparedWithTheReference() {
        Path file = folder.resolve("m.safetensors");
        try (PretrainedModel m = ModelZoo.find("resnet20_cifar").random(List.of("a", "b"))) {
            m.network().initialize(3);
            m.save(file);
        }
        Verification v = ModelZoo.find("resnet20_cifar").verify(file);
        assertThat(v.recorded()).isFalse();
        assertThat(v.passed()).isTrue();
        assertThat(v.toString()).contains("no outputs are recorded for these weights");
    }

    @Test
    void weightsThatAreNoNumbersFail() {
        Path file = folder.resolve("m.safetensors");
        try (PretrainedModel m = ModelZoo.find("resnet20_cifar").random(List.of("a", "b"))) {
            Parameter bias = m.network().parameters().get("linear.bias");
            bias.assign(Scope.persistent(() -> Tensor.of(new float[] {0, Float.NaN}, 2)));
            m.save(file);
        }
        Verification v = ModelZoo.find("resnet20_cifar").verify(file);
        assertThat(v.finite()).isFalse();
        assertThat(v.passed()).isFalse();
        assertThat(v.toString()).contains("not a finite number");
    }

    @Test
    void aChangedWeightIsSeen() {
        try (PretrainedModel m = ModelZoo.find("graft_cifar").load()) {
            Recording own = Recording.all().stream().filter(r -> r.model().equals("graft_cifar")).findFirst().orElseThrow();
            assertThat(Verification.of(m, "own", own.sha256()).passed()).isTrue();
            Parameter w = m.network().parameters().get("layer2.1.conv1.weight");
            float[] values = w.value().toFloats();
            values[100] += 0.5f;
            w.assign(Scope.persistent(() -> Tensor.of(values, w.shape().dims())));
            Verification v = Verification.of(m, "own", own.sha256());
            assertThat(v.passed()).as(v.toString()).isFalse();
            assertThat(v.toString()).contains("FAILED");
        }
    }
}
