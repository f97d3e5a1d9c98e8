package dev.graft.pretrained;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.nn.Conv2d;
import dev.graft.nn.ConvSpec;
import dev.graft.nn.Linear;
import dev.graft.nn.Module;
import dev.graft.nn.Sequential;
import dev.graft.nn.transfer.StagedNetwork;
import dev.graft.pretrained.format.LoadReport;
import dev.graft.pretrained.format.NameMap;
import dev.graft.pretrained.format.SafetensorsWriter;
import dev.graft.tensor.DType;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Shape;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WeightLoaderTest {
    private static final ZooModel ZOO = ModelZoo.find("resnet20_cifar");

    @TempDir
    Path folder;

    private Path file(String model, int classes) {
        Path file = folder.resolve(model + classes + ".safetensors");
        List<String> names = IntStream.range(0, classes).mapToObj(i -> "c" + i).toList();
        try (PretrainedModel m = ModelZoo.find(model).random(names)) {
            m.network().initialize(1);
            m.save(file);
        }
        return file;
    }

    private static float[] values(Module network, String path) {
        return network.parameters().get(path).value().toFloats();
    }

    @Test
    void aHeadForOtherClassesIsLeftAsItIsWhereThatIsWanted() {
        Path file = file("resnet20_cifar", 3);
        try (StagedNetwork net = ZOO.create(5)) {
            float[] head = values(net, "linear.weight");
            assertThatThrownBy(() -> WeightLoader.load(net, file, LoadOptions.STRICT))
                    .hasMessageContaining("different linear.weight (file [3, 64], model [5, 64])");
            LoadReport r = WeightLoader.load(net, file, LoadOptions.EXCEPT_HEAD);
            assertThat(r.mismatched()).extracting(LoadReport.Mismatch::target)
                    .containsExactly("linear.weight", "linear.bias");
            assertThat(values(net, "linear.weight")).isEqualTo(head);
        }
        try (PretrainedModel m = ZOO.load(file)) {
            assertThat(m.network().classes()).isEqualTo(3); // the file's head decides
            assertThat(m.classes()).containsExactly("c0", "c1", "c2");
            assertThat(m.headLoaded()).isTrue();
            PretrainedModel other = m.forClasses(List.of("x", "y"));
            assertThat(other.network().classes()).isEqualTo(2);
            assertThat(other.classes()).containsExactly("x", "y");
        }
    }

    @Test
    void aDeeperNetworksFileIsRefusedAlthoughAllNamesAreInIt() {
        Path file = file("resnet44_cifar", 10);
        assertThatThrownBy(() -> ZOO.load(file)).isInstanceOf(GraftException.class)
                .hasMessageContaining("not the weights of resnet20_cifar")
                .hasMessageContaining("they fit resnet44_cifar (");
        try (StagedNetwork net = ZOO.create()) {
            assertThat(WeightLoader.load(net, file, LoadOptions.WHAT_FITS).unused()).isNotEmpty();
        }
    }

    @Test
    void filesOfNoKnownModelAreRefused() {
        Path file = folder.resolve("other.safetensors");
        new SafetensorsWriter().put("encoder.weight", DType.F32, Shape.of(2), new float[2]).write(file);
        for (LoadOptions o : List.of(LoadOptions.STRICT, LoadOptions.EXCEPT_HEAD, LoadOptions.WHAT_FITS)) {
            assertThatThrownBy(() -> ZOO.load(file, o)).isInstanceOf(GraftException.class)
                    .hasMessageContaining("not the weights of resnet20_cifar").hasMessageContaining("'encoder.weight'");
        }
        new SafetensorsWriter().write(file);
        assertThatThrownBy(() -> ZOO.load(file)).isInstanceOf(GraftException.class).hasMessageContaining("0 tensors");
    }

    @Test
    void aDamagedFileChangesNothing() throws IOException {
        Path file = file("resnet20_cifar", 10);
        byte[] bytes = Files.readAllBytes(file);
        bytes[bytes.length - 9] ^= 4;
        Files.write(file, bytes);
        try (StagedNetwork net = ZOO.create()) {
            float[] before = values(net, "layer1.0.conv1.weight");
            assertThatThrownBy(() -> WeightLoader.load(net, file, LoadOptions.STRICT)).isInstanceOf(GraftException.class)
                    .hasMessageContaining(file.getFileName().toString());
            assertThat(values(net, "layer1.0.conv1.weight")).isEqualTo(before);
        }
    }

    @Test
    void valuesArePermutedCastAndRenamed() {
        Path file = folder.resolve("m.safetensors");
        float[] w = new float[2 * 3 * 2 * 2];
        for (int i = 0; i < w.length; i++) {
            w[i] = i;
        }
        new SafetensorsWriter().put("net.stem.weight", DType.F64, Shape.of(2, 3, 2, 2), w)
                .put("net.stem.bias", DType.F16, Shape.of(2), new float[] {0.5f, -2}).write(file);
        try (Sequential net = new Sequential(new Conv2d(3, 2, 2, ConvSpec.DEFAULT))) {
            LoadReport r = WeightLoader.load(net, file, LoadOptions.STRICT.with(NameMap.standard().rename("stem", "0")));
            assertThat(r.prefix()).isEqualTo("net.");
            assertThat(r.casts()).hasSize(2);
            float[] got = values(net, "0.weight");
            for (int o = 0; o < 2; o++) {
                for (int i = 0; i < 3; i++) {
                    for (int k = 0; k < 4; k++) {
                        assertThat(got[(o * 4 + k) * 3 + i]).isEqualTo(w[(o * 3 + i) * 4 + k]);
                    }
                }
            }
            assertThat(values(net, "0.bias")).containsExactly(0.5f, -2);
        }
    }

    @Test
    void frozenStaysFrozen() {
        Path file = folder.resolve("m.safetensors");
        new SafetensorsWriter().put("0.weight", DType.F32, Shape.of(1, 2), new float[2])
                .put("0.bias", DType.F32, Shape.of(1), new float[1]).write(file);
        try (Sequential net = new Sequential(new Linear(2, 1))) {
            net.parameters().get("0.bias").trainable(false);
            WeightLoader.load(net, file, LoadOptions.STRICT);
            assertThat(net.parameters().get("0.bias").value().requiresGrad()).isFalse();
            assertThat(net.parameters().get("0.weight").value().requiresGrad()).isTrue();
        }
    }
}
