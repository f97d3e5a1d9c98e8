package dev.graft.pretrained;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.nn.ParamSelector;
import dev.graft.nn.Parameter;
import dev.graft.nn.data.image.RgbImage;
import dev.graft.pretrained.format.LoadPlan;
import dev.graft.pretrained.format.SafetensorsWriter;
import dev.graft.pretrained.format.Target;
import dev.graft.pretrained.format.Transform;
import dev.graft.pretrained.format.WeightEntry;
import dev.graft.pretrained.format.WeightFile;
import dev.graft.tensor.DType;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WeightSaverTest {
    private static final List<String> THREE = List.of("cat", "dog", "a \"quoted\" fish");

    @TempDir
    Path folder;

    private static PretrainedModel model() {
        PretrainedModel m = ModelZoo.find("resnet20_cifar").preprocess("tf").random(THREE);
        m.network().initialize(7);
        return m;
    }

    private static RgbImage noise(int seed) {
        byte[] pixels = new byte[3 * 32 * 32];
        new Random(seed).nextBytes(pixels);
        return new RgbImage(32, 32, pixels);
    }

    @Test
    void aSavedModelOpensFromTheFileAlone() {
        try (PretrainedModel m = model()) {
            m.save(folder.resolve("model.safetensors"));
            try (Classifier before = Classifier.of(m); Classifier after = Classifier.open(folder)) {
                assertThat(after.model().description()).isEqualTo(m.description());
                assertThat(after.model().headLoaded()).isTrue();
                assertThat(after.logits(List.of(noise(1))).getFirst())
                        .containsExactly(before.logits(List.of(noise(1))).getFirst());
                assertThat(after.predict(noise(1), 9)).extracting(Prediction::name)
                        .containsExactlyInAnyOrderElementsOf(THREE);
            }
        }
    }

    /** The file has what the network has; it opens widened, and a quantised network takes it, or float32, in its type. */
    @Test
    void quantisedWeightsAreSavedAsStoredAndLoadEverywhere() {
        for (DType type : new DType[] {DType.I8, DType.BF16}) {
            Path file = folder.resolve(type + ".safetensors");
            Path wide = folder.resolve(type + "-wide.safetensors");
            try (PretrainedModel m = model(); PretrainedModel other = model()) {
                m.save(wide);
                m.network().freeze(ParamSelector.ALL);
                String linear = m.network().quantize(type).stored().getFirst();
                byte[] ints = type == DType.I8 ? (byte[]) weight(m, linear).value().toArray() : null;
                float[] values = weight(m, linear).widened().toFloats();
                m.save(file);
                try (WeightFile f = WeightFile.open(file)) {
                    assertThat(f.entry(linear).dtype()).isEqualTo(type);
                    assertThat(f.entries().stream().map(WeightEntry::name).filter(n -> n.endsWith("_scale")).toList())
                            .isEqualTo(type == DType.I8 ? List.of(linear + "_scale") : List.of());
                }
                try (PretrainedModel opened = ModelZoo.open(file)) {
                    assertThat(weight(opened, linear).value().dtype()).isEqualTo(DType.F32);
                    assertThat(weight(opened, linear).value().toFloats()).isEqualTo(values);
                }
                other.network().initialize(99);
                other.network().freeze(ParamSelector.ALL);
                other.network().quantize(type);
                for (Path from : List.of(file, wide)) {
                    assertThat(WeightLoader.load(other.network(), from, LoadOptions.STRICT).unused()).isEmpty();
                    assertThat(weight(other, linear).value().dtype()).isEqualTo(type);
                    assertThat(weight(other, linear).widened().toFloats()).containsExactly(values, within(1e-6f));
                    if (ints != null) {
                        assertThat((byte[]) weight(other, linear).value().toArray()).isEqualTo(ints);
                    }
                }
            }
        }
    }

    @Test
    void aWeightThatHasNoInt8ValueLeavesAQuantisedNetworkAsItWas() {
        Path file = folder.resolve("nan.safetensors");
        try (PretrainedModel broken = model(); PretrainedModel m = model()) {
            float[] values = weight(broken, "linear.weight").value().toFloats();
            values[values.length - 1] = Float.NaN;
            weight(broken, "linear.weight").value().write(values);
            broken.save(file);
            m.network().initialize(99);
            m.network().freeze(ParamSelector.ALL);
            m.network().quantize(DType.I8);
            float[] first = weight(m, "conv1.weight").value().toFloats();
            byte[] last = (byte[]) weight(m, "linear.weight").value().toArray();
            assertThatThrownBy(() -> WeightLoader.load(m.network(), file, LoadOptions.STRICT))
                    .isInstanceOf(GraftException.class).hasMessageContaining("nan.safetensors: linear.weight")
                    .hasMessageContaining("NaN");
            assertThat(weight(m, "conv1.weight").value().toFloats()).isEqualTo(first);
            assertThat((byte[]) weight(m, "linear.weight").value().toArray()).isEqualTo(last);
        }
    }

    @Test
    void axesOfScaledRowsAreNotMoved() {
        Target target = new Target("w", Shape.of(2, 1, 1, 3), DType.F32, Parameter.Kind.CONV_WEIGHT);
        WeightEntry values = new WeightEntry("w", DType.I8, Shape.of(2, 3, 1, 1));
        WeightEntry scale = new WeightEntry("w_scale", DType.F32, Shape.of(2));
        assertThatThrownBy(() -> new LoadPlan.Assignment(target, values, Transform.CHANNELS_LAST, scale))
                .isInstanceOf(GraftException.class).hasMessageContaining("CHANNELS_LAST");
    }

    private static Parameter weight(PretrainedModel m, String path) {
        return m.network().parameters().get(path);
    }

    @Test
    void int8WithoutItsScaleIsRefused() {
        Path file = folder.resolve("m.safetensors");
        try (PretrainedModel m = model()) {
            SafetensorsWriter writer = new SafetensorsWriter();
            m.network().parameters().forEach((path, p) -> writer.put(path, path.equals("linear.weight")
                    ? Tensor.from(DType.I8, new byte[Math.toIntExact(p.size())], p.shape()) : p.value()));
            writer.metadata("graft.layout", "channels_last");
            m.network().buffers().forEach((path, b) -> writer.put(path, b.value()));
            writer.write(file);
            assertThatThrownBy(() -> WeightLoader.load(m.network(), file, LoadOptions.STRICT))
                    .isInstanceOf(GraftException.class)
                    .hasMessageContaining("without its scale linear.weight_scale float32[3]");
        }
    }

    @Test
    void optionsAreSavedToo() {
        Path file = folder.resolve("m.safetensors");
        try (PretrainedModel m = ModelZoo.find("mobilenet_v2").option("padding", "same").random(THREE)) {
            m.save(file, DType.F16);
        }
        try (PretrainedModel m = ModelZoo.open(file)) {
            assertThat(m.options()).isEqualTo(Map.of("padding", "same"));
        }
    }

    @Test
    void layoutIsPyTorchs() {
        Path file = folder.resolve("m.safetensors");
        try (PretrainedModel m = model()) {
            m.save(file);
            try (WeightFile f = WeightFile.open(file)) {
                assertThat(f.entry("layer2.0.conv1.weight").shape()).isEqualTo(Shape.of(32, 16, 3, 3));
                assertThat(f.entry("layer1.0.bn1.num_batches_tracked").dtype()).isEqualTo(DType.I64);
                Tensor ours = m.network().parameters().get("layer2.0.conv1.weight").value();
                float[] stored = f.floats("layer2.0.conv1.weight");
                for (int o = 0; o < 32; o += 5) {
                    for (int i = 0; i < 16; i += 3) {
                        for (int k = 0; k < 9; k++) {
                            assertThat(stored[(o * 16 + i) * 9 + k]).isEqualTo((float) ours.get(o, k / 3, k % 3, i));
                        }
                    }
                }
            }
        }
    }

    @Test
    void namesTypesAndShapesAreThoseOfAPublishedFile() {
        Path published = RealData.of("cifar10/resnet20-12fca82f.th");
        Path file = folder.resolve("m.safetensors");
        try (PretrainedModel m = ModelZoo.find("resnet20_cifar").load(published)) {
            m.save(file);
        }
        try (WeightFile theirs = WeightFile.open(published); WeightFile ours = WeightFile.open(file)) {
            for (WeightEntry e : theirs.entries()) {
                String name = e.name().replace("state_dict.module.", "");
                assertThat(ours.entry(name).shape()).as(name).isEqualTo(e.shape());
                assertThat(ours.doubles(name)).as(name).isEqualTo(theirs.doubles(e.name()));
            }
        }
    }

    @Test
    void halfPrecisionRoundsWeightsAndKeepsStatistics() throws IOException {
        Path full = folder.resolve("full.safetensors");
        Path half = folder.resolve("half.safetensors");
        try (PretrainedModel m = model()) {
            m.save(full);
            m.save(half, DType.F16);
        }
        assertThat(Files.size(half)).isLessThan((long) (0.6 * Files.size(full)));
        try (WeightFile f = WeightFile.open(full); WeightFile h = WeightFile.open(half)) {
            assertThat(h.entry("conv1.weight").dtype()).isEqualTo(DType.F16);
            assertThat(h.entry("bn1.running_var").dtype()).isEqualTo(DType.F32);
            float[] a = f.floats("layer3.2.conv2.weight");
            float[] b = h.floats("layer3.2.conv2.weight");
            for (int i = 0; i < a.length; i++) {
                assertThat(b[i]).isCloseTo(a[i], within(Math.abs(a[i]) / 2048 + 1e-7f));
            }
        }
        try (PretrainedModel m = ModelZoo.open(half)) {
            assertThat(m.report().casts()).isNotEmpty();
            assertThat(m.report().complete()).isTrue();
        }
        try (PretrainedModel m = model()) {
            assertThatThrownBy(() -> m.save(half, DType.I32)).isInstanceOf(GraftException.class)
                    .hasMessageContaining("float16");
        }
    }

    @Test
    void filesThatDoNotDescribeThemselvesAreRefused() {
        Path file = folder.resolve("m.safetensors");
        write(file, Map.of());
        assertThatThrownBy(() -> ModelZoo.open(file)).hasMessageContaining("does not say which model");
        write(file, Map.of("graft.model", "resnet20_cifar", "graft.preprocessing", "{\"resize\":"));
        assertThatThrownBy(() -> ModelZoo.open(file)).hasMessageContaining("cannot be read");
        write(file, Map.of("graft.model", "resnet20_cifar"));
        assertThatThrownBy(() -> ModelZoo.open(file)).hasMessageContaining("cannot be read");
        write(file, Map.of("graft.model", "resnet19"));
        assertThatThrownBy(() -> ModelZoo.open(file)).isInstanceOf(GraftException.class);
        write(file, Map.of("graft.model", "resnet20_cifar",
                "graft.preprocessing", "{\"resize\":2000000000,\"crop\":2000000000}"));
        assertThatThrownBy(() -> ModelZoo.open(file)).isInstanceOf(GraftException.class)
                .hasMessageContaining("cannot be read");
        assertThatThrownBy(() -> ModelZoo.open(folder.resolve("none"))).hasMessageContaining("no such file");
        assertThatThrownBy(() -> ModelZoo.open(folder.resolve("m.safetensors/x"))).isInstanceOf(GraftException.class);
    }

    private static void write(Path file, Map<String, String> metadata) {
        SafetensorsWriter w = new SafetensorsWriter();
        metadata.forEach(w::metadata);
        w.put("conv1.weight", DType.F32, Shape.of(1), new float[1]).write(file);
    }
}
