package dev.graft.pretrained;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.nn.Parameter;
import dev.graft.nn.data.image.Transforms;
import dev.graft.nn.transfer.StagedNetwork;
import dev.graft.pretrained.format.Target;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Memory;
import dev.graft.tensor.Shape;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ModelZooTest {
    /** torchvision's own numbers, and those of akamaster's option A networks by hand: see {@link #cifarParameters}. */
    @ParameterizedTest
    @CsvSource({"resnet18, 11689512, 62, 60", "resnet34, 21797672, 110, 108", "resnet50, 25557032, 161, 159",
        "resnet101, 44549160, 314, 312", "resnet152, 60192808, 467, 465", "vgg11, 132863336, 22, 0",
        "vgg13, 133047848, 26, 0", "vgg16, 138357544, 32, 0", "vgg19, 143667240, 38, 0", "vgg11_bn, 132868840, 38, 24",
        "vgg13_bn, 133053736, 46, 30", "vgg16_bn, 138365992, 58, 39", "vgg19_bn, 143678248, 70, 48",
        "mobilenet_v2, 3504872, 158, 156", "squeezenet1_0, 1248424, 52, 0", "squeezenet1_1, 1235496, 52, 0"})
    void parametersAndBuffersAreAsManyAsTorchvisions(String name, long values, int parameters, int buffers) {
        try (StagedNetwork n = ModelZoo.find(name).create()) {
            assertThat(n.parameterCount()).isEqualTo(values).isEqualTo(ModelZoo.find(name).card().parameters());
            assertThat(n.parameters()).hasSize(parameters);
            assertThat(n.buffers()).hasSize(buffers);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {20, 32, 44, 56})
    void cifarParameters(int depth) {
        long n = (depth - 2) / 6;
        long expected = 3 * 9 * 16 + 32; // stem
        long in = 16;
        for (long width : new long[] {16, 32, 64}) {
            expected += 9 * in * width + 9 * width * width * (2 * n - 1) + 2 * n * 2 * width;
            in = width;
        }
        expected += 64 * 10 + 10;
        try (StagedNetwork net = ModelZoo.find("resnet" + depth + "_cifar").create()) {
            assertThat(net.parameterCount()).isEqualTo(expected)
                    .isEqualTo(ModelZoo.find("resnet" + depth + "_cifar").card().parameters());
        }
    }

    @Test
    void namesAndShapesAreTorchvisions() {
        assertThat(shapes("resnet18", "conv1.weight", "bn1.running_var", "layer2.0.downsample.0.weight",
                "layer2.0.downsample.1.num_batches_tracked", "layer4.1.conv2.weight", "fc.bias"))
                .isEqualTo("[64, 3, 7, 7] [64] [128, 64, 1, 1] [] [512, 512, 3, 3] [1000]");
        assertThat(shapes("resnet50", "layer1.0.conv3.weight", "layer1.0.downsample.0.weight", "layer3.5.bn3.bias",
                "fc.weight")).isEqualTo("[256, 64, 1, 1] [256, 64, 1, 1] [1024] [1000, 2048]");
        assertThat(shapes("vgg16", "features.0.weight", "features.28.bias", "classifier.0.weight", "classifier.6.weight"))
                .isEqualTo("[64, 3, 3, 3] [512] [4096, 25088] [1000, 4096]");
        assertThat(shapes("vgg19_bn", "features.49.weight", "features.50.running_mean", "classifier.3.bias"))
                .isEqualTo("[512, 512, 3, 3] [512] [4096]");
        assertThat(shapes("mobilenet_v2", "features.0.0.weight", "features.1.conv.0.0.weight", "features.1.conv.1.weight",
                "features.1.conv.2.bias", "features.2.conv.1.0.weight", "features.17.conv.3.running_var",
                "features.18.0.weight", "classifier.1.weight")).isEqualTo("[32, 3, 3, 3] [32, 1, 3, 3] [16, 32, 1, 1] [16]"
                + " [96, 1, 3, 3] [320] [1280, 320, 1, 1] [1000, 1280]");
        assertThat(shapes("squeezenet1_0", "features.0.weight", "features.7.squeeze.weight", "features.12.expand3x3.bias",
                "classifier.1.weight")).isEqualTo("[96, 3, 7, 7] [32, 256, 1, 1] [256] [1000, 512, 1, 1]");
        assertThat(shapes("squeezenet1_1", "features.0.weight", "features.3.expand1x1.weight", "features.6.squeeze.weight",
                "features.12.expand3x3.weight")).isEqualTo("[64, 3, 3, 3] [64, 16, 1, 1] [32, 128, 1, 1] [256, 64, 3, 3]");
        assertThat(shapes("resnet20_cifar", "conv1.weight", "layer1.0.conv1.weight", "layer3.2.bn2.weight", "linear.weight"))
                .isEqualTo("[16, 3, 3, 3] [16, 16, 3, 3] [64] [10, 64]");
    }

    /** Shapes in PyTorch's layout, as torch prints them. */
    private static String shapes(String model, String... names) {
        try (StagedNetwork net = ModelZoo.find(model).create()) {
            Map<String, Target> all = new TreeMap<>();
            Target.of(net).forEach(t -> all.put(t.name(), t));
            return List.of(names).stream().map(n -> {
                assertThat(all).containsKey(n);
                Parameter.Kind kind = all.get(n).kind();
                Shape s = WeightSaver.torchShape(kind, all.get(n).shape());
                return s.toString();
            }).collect(Collectors.joining(" "));
        }
    }

    @Test
    void buildingALargeModelMakesNoWeights() {
        long before = Memory.report().live();
        try (StagedNetwork net = ModelZoo.find("vgg19").create()) {
            assertThat(net.parameterCount()).isGreaterThan(100_000_000);
            long after = Memory.report().live();
            assertThat(after - before).isLessThan(1 << 20);
        }
    }

    @Test
    void headsHaveAsManyOutputsAsAskedFor() {
        for (ZooModel m : ModelZoo.all()) {
            try (StagedNetwork net = m.create(7)) {
                assertThat(net.classes()).as(m.name()).isEqualTo(7);
                assertThat(net.parameters().get(net.headPath() + ".bias").shape()).isEqualTo(Shape.of(7));
                assertThat(net.replaceHead(3).classes()).isEqualTo(3);
            }
        }
    }

    @Test
    void unknownNamesAndOptionsAreExplained() {
        assertThatThrownBy(() -> ModelZoo.find("resnet_18")).isInstanceOf(GraftException.class)
                .hasMessageContaining("no model 'resnet_18'").hasMessageContaining("resnet18");
        ZooModel m = ModelZoo.find("mobilenet_v2");
        assertThatThrownBy(() -> m.option("pad", "same")).hasMessage("mobilenet_v2 has no option 'pad': it takes [padding]");
        assertThatThrownBy(() -> m.create(10, Map.of("padding", "sam")))
                .hasMessage("mobilenet_v2 option padding=sam is not known: use padding=same (it takes torch or same)");
        assertThatThrownBy(() -> ModelZoo.find("resnet18").option("padding", "same"))
                .hasMessage("resnet18 has no option 'padding': it takes none");
        assertThatThrownBy(() -> m.preprocess("tensorflow")).hasMessageContaining("preprocess 'tensorflow' is not known");
        assertThatThrownBy(() -> m.create(0)).hasMessageContaining("at least 1");
        assertThatThrownBy(m::load).hasMessageContaining("needs a file of weights");
    }

    @Test
    void cardsSayWhatImagesGoThrough() {
        ModelCard card = ModelZoo.find("resnet50").card();
        assertThat(card.inputSize()).isEqualTo(224);
        assertThat(card.preprocessing().evaluation()).isEqualTo(Transforms.evalDefault());
        assertThat(card.preprocessing().training().random()).isTrue();
        assertThat(card.toString()).contains("25,557,032", "arXiv:1512.03385", "resize 256 bilinear, crop 224, torch");
        assertThat(ModelZoo.find("resnet20_cifar").card().preprocessing().training().outputSize()).containsExactly(32, 32);
    }
}
