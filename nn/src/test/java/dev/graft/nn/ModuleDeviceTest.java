package dev.graft.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.nn.fake.FakeBackend;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Moving a network, and using it where it is. */
class ModuleDeviceTest {
    private static final Device GPU = Device.cuda(0);
    private Scope scope;

    @BeforeEach
    void open() {
        scope = Scope.open("test");
    }

    @AfterEach
    void close() {
        scope.close();
    }

    private static Sequential net(long seed) {
        Sequential m = new Sequential();
        m.add("conv", new Conv2d(3, 4, 3, ConvSpec.DEFAULT)).add("bn", new BatchNorm2d(4)).add("act", Activation.relu())
                .add("flat", new Flatten()).add("head", new Linear(64, 5));
        return Samples.randomize(m, seed);
    }

    @Test
    void parametersBuffersAndTheirStateMove() {
        long live = FakeBackend.of(GPU).live();
        Sequential m = net(1);
        m.freeze(ParamSelector.of("conv"));
        float[] weight = m.parameters().get("head.weight").value().toFloats();
        float[] mean = m.buffers().get("bn.running_mean").value().toFloats();
        assertThat(m.device()).isEqualTo(Device.CPU);
        assertThat(m.to(GPU)).isSameAs(m);
        assertThat(m.device()).isEqualTo(GPU);
        assertThat(m.parameters().values()).allMatch(p -> p.value().device().equals(GPU))
                .allMatch(p -> p.value().requiresGrad() == p.trainable());
        assertThat(m.buffers().values()).allMatch(b -> b.value().device().equals(GPU));
        assertThat(m.at("conv").frozen()).isTrue();
        assertThat(m.parameters().get("conv.weight").trainable()).isFalse();
        m.to(Device.CPU);
        assertThat(m.parameters().get("head.weight").value().toFloats()).isEqualTo(weight);
        assertThat(m.buffers().get("bn.running_mean").value().toFloats()).isEqualTo(mean);
        m.close();
        assertThat(FakeBackend.of(GPU).live()).isEqualTo(live);
    }

    @Test
    void whatIsMadeLaterIsMadeThere() {
        Sequential m = new Sequential();
        m.add("a", new Linear(3, 4)).add("b", new BatchNorm2d(4));
        m.to(GPU);
        m.initialize(3);
        Sequential here = new Sequential();
        here.add("a", new Linear(3, 4)).add("b", new BatchNorm2d(4));
        here.initialize(3);
        assertThat(m.parameters().get("a.weight").value().device()).isEqualTo(GPU);
        assertThat(m.parameters().get("a.weight").value().toFloats())
                .isEqualTo(here.parameters().get("a.weight").value().toFloats());
        m.replace("a", new Linear(3, 4));
        assertThat(m.parameters().get("a.bias").value().device()).as("a new layer").isEqualTo(GPU);
        m.parameters().get("a.bias").assign(Tensor.of(new float[] {1, 2, 3, 4}, 4).retain());
        assertThat(m.parameters().get("a.bias").value().device()).as("loaded values").isEqualTo(GPU);
        assertThat(m.parameters().get("a.bias").value().toFloats()).containsExactly(1, 2, 3, 4);
        m.buffers().get("b.running_mean").assign(Tensor.of(new float[] {5, 6, 7, 8}, 4).retain());
        assertThat(m.buffers().get("b.running_mean").value().device()).isEqualTo(GPU);
        m.close();
    }

    @Test
    void aDeviceThatIsNotThereMovesNothing() {
        Sequential m = net(1);
        assertThatThrownBy(() -> m.to(Device.cuda(9))).isInstanceOf(GraftException.class).hasMessageContaining("cuda:9");
        assertThat(m.parameters().values()).allMatch(p -> p.value().device().equals(Device.CPU));
    }

    @Test
    void foldedWeightsMoveToo() {
        Sequential m = net(1);
        Tensor x = Samples.floats(9, 2, 6, 6, 3);
        float[] here = m.call(x).toFloats();
        m.to(GPU);
        assertThat(m.call(x.to(GPU)).toFloats()).isEqualTo(here);
        m.to(Device.CPU);
        assertThat(m.call(x).toFloats()).isEqualTo(here);
    }

    @ParameterizedTest
    @EnumSource(value = DType.class, names = {"I8", "BF16"})
    void aNetworkIsQuantisedWhereItIs(DType type) {
        long live = FakeBackend.of(GPU).live();
        Tensor x = Samples.floats(9, 2, 6, 6, 3);
        Sequential here = net(1);
        here.freeze(ParamSelector.ALL);
        here.quantize(type);
        Sequential m = net(1);
        m.freeze(ParamSelector.ALL);
        m.to(GPU);
        m.quantize(type);
        assertThat(m.parameters().values()).allMatch(p -> p.value().device().equals(GPU));
        assertThat(m.buffers().values()).allMatch(b -> b.value().device().equals(GPU));
        try (Scope s = Scope.open()) {
            assertThat(m.call(x.to(GPU)).toFloats()).isEqualTo(here.call(x).toFloats());
            m.quantize(DType.F32);
            here.quantize(DType.F32);
            assertThat(m.call(x.to(GPU)).toFloats()).isEqualTo(here.call(x).toFloats());
        }
        here.close();
        m.close();
        assertThat(FakeBackend.of(GPU).live()).isEqualTo(live);
    }

    // ------------------------------------------------------------------ inference

    @ParameterizedTest
    @EnumSource(value = Precision.class, names = {"FLOAT32", "BF16"})
    void inferenceIsRecordedForEachShape(Precision precision) {
        FakeBackend gpu = FakeBackend.of(GPU);
        long live = gpu.live();
        Sequential m = net(1);
        m.to(GPU);
        int captured = gpu.captured();
        int replays = gpu.replays();
        Sequential twin = net(1);
        try (Inference there = new Inference(m, m::call, precision);
                Inference here = new Inference(twin, twin::call, precision)) {
            for (int i = 0; i < 16; i++) {
                try (Scope call = Scope.open("call")) {
                    Tensor x = Samples.floats(i, i % 2 == 0 ? 2 : 3, 6, 6, 3);
                    Tensor y = there.apply(x);
                    assertThat(y.dtype()).isEqualTo(DType.F32);
                    assertThat(y.toFloats()).as("call " + i).isEqualTo(here.apply(x).toFloats());
                }
            }
            assertThat(gpu.captured() - captured).isEqualTo(2);
            assertThat(gpu.replays() - replays).isGreaterThanOrEqualTo(8);
        }
        assertThat(gpu.openGraphs()).isZero();
        m.close();
        assertThat(gpu.live()).isEqualTo(live);
    }

    @Test
    void changedWeightsAreSeen() {
        Sequential m = net(1);
        m.to(GPU);
        try (Inference net = new Inference(m)) {
            Tensor x = Samples.floats(5, 2, 6, 6, 3);
            for (int i = 0; i < 6; i++) {
                net.apply(x);
            }
            Sequential other = net(2);
            other.parameters().forEach((path, p) -> m.parameters().get(path).value().write(p.value().toFloats()));
            other.buffers().forEach((path, b) -> m.buffers().get(path).value().write(b.value().toArray()));
            for (int i = 0; i < 6; i++) {
                assertThat(net.apply(x).toFloats()).isEqualTo(other.call(x).toFloats());
            }
            m.parameters().get("head.bias").assign(Tensor.full(3, 5).retain());
            other.parameters().get("head.bias").assign(Tensor.full(3, 5).retain());
            assertThat(net.apply(x).toFloats()).isEqualTo(other.call(x).toFloats());
        }
        m.close();
    }

    @Test
    void replacedLayersAreSeen() {
        Sequential m = net(1);
        m.to(GPU);
        Tensor x = Samples.floats(5, 2, 6, 6, 3);
        try (Inference net = new Inference(m)) {
            for (int i = 0; i < 6; i++) {
                net.apply(x);
            }
            m.replace("act", Activation.gelu());
            for (int i = 0; i < 6; i++) {
                assertThat(net.apply(x).toFloats()).as("activation, call " + i).isEqualTo(m.call(x.to(GPU)).toFloats());
            }
            m.replace("head", new Linear(64, 3));
            for (int i = 0; i < 6; i++) {
                assertThat(net.apply(x).toFloats()).as("head, call " + i).hasSize(6)
                        .isEqualTo(m.call(x.to(GPU)).toFloats());
            }
        }
        m.close();
    }

    @Test
    void resultsAreTheCallersOwn() {
        Sequential m = net(1);
        m.to(GPU);
        try (Inference net = new Inference(m)) {
            Tensor[] y = new Tensor[6];
            float[][] values = new float[6][];
            for (int i = 0; i < 6; i++) {
                y[i] = net.apply(Samples.floats(i, 2, 6, 6, 3));
                values[i] = y[i].toFloats();
            }
            for (int i = 0; i < 6; i++) {
                assertThat(y[i].toFloats()).as("result " + i).isEqualTo(values[i]);
            }
        }
        m.close();
    }

    @Test
    void aDeviceThatCannotRecordRunsOpByOp() {
        FakeBackend gpu = FakeBackend.of(GPU);
        Sequential m = net(1);
        m.to(GPU);
        gpu.captures(false);
        int captured = gpu.captured();
        try (Inference net = new Inference(m)) {
            Tensor x = Samples.floats(5, 2, 6, 6, 3);
            for (int i = 0; i < 5; i++) {
                assertThat(net.apply(x).toFloats()).isEqualTo(net(1).call(x).toFloats());
            }
            assertThat(gpu.captured()).isEqualTo(captured);
        } finally {
            gpu.captures(true);
        }
        m.close();
    }
}
