package dev.graft.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.autograd.Tape;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.LiveBytes;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.TensorSpec;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** What quantising does to weights, results, gradients and what it refuses. */
class QuantizationTest {
    private static Sequential network() {
        Sequential net = new Sequential(new Linear(40, 33), Activation.relu(), new Linear(33, 3, false));
        net.initialize(3);
        net.freeze(ParamSelector.ALL);
        return net;
    }

    private static Tensor noise(int... dims) {
        Random r = new Random(4);
        float[] v = new float[Math.toIntExact(Shape.of(dims).size())];
        for (int i = 0; i < v.length; i++) {
            v[i] = (float) r.nextGaussian();
        }
        return Tensor.of(v, dims);
    }

    private static Linear linear(Sequential net, int i) {
        return (Linear) net.get(i);
    }

    @Test
    void int8IsTheRowsLargestOver127RoundedHalfToEven() {
        try (Linear l = new Linear(4, 3, false)) {
            l.weight().assign(Scope.persistent(() -> Tensor.of(new float[] {
                254, 1, 3, -5,          // scale 2: 0.5 and 1.5 and -2.5 round to 0, 2 and -2
                -0.127f, 0.0634f, 0, 0.001f,
                0, 0, 0, 0}, 3, 4)));
            l.freeze(ParamSelector.ALL);
            l.quantize(DType.I8);
            assertThat((byte[]) l.weight().value().toArray()).containsExactly(127, 0, 2, -2, -127, 63, 0, 1, 0, 0, 0, 0);
            float[] scale = l.buffers().get("weight_scale").value().toFloats();
            assertThat(scale[0]).isEqualTo(2);
            assertThat(scale[1]).isCloseTo(0.001f, within(1e-9f));
            assertThat(l.weight().widened().toFloats()).startsWith(254, 0, 4, -4).endsWith(0, 0, 0, 0);
        }
    }

    /** The documented bounds: half a scale, and 1/256 of the value. */
    @Test
    void noWeightIsFurtherOffThanPromised() {
        for (DType type : new DType[] {DType.I8, DType.BF16}) {
            try (Sequential net = network()) {
                float[] before = linear(net, 0).weight().value().toFloats();
                net.quantize(type);
                float[] after = linear(net, 0).weight().widened().toFloats();
                for (int r = 0; r < 33; r++) {
                    float most = 0;
                    for (int i = 0; i < 40; i++) {
                        most = Math.max(most, Math.abs(before[r * 40 + i]));
                    }
                    for (int i = r * 40; i < (r + 1) * 40; i++) {
                        double bound = type == DType.I8 ? most / 254 : Math.abs(before[i]) / 256;
                        assertThat((double) Math.abs(after[i] - before[i])).isLessThanOrEqualTo(bound * (1 + 1e-5));
                    }
                }
                assertThat(after).isNotEqualTo(before);
            }
        }
    }

    @Test
    void resultsAndGradientsAreThoseOfTheWidenedWeights() {
        for (DType type : new DType[] {DType.I8, DType.BF16}) {
            try (Sequential net = network(); Scope s = Scope.open()) {
                Quantization done = net.quantize(type);
                assertThat(done.stored()).containsExactly("0.weight", "2.weight");
                assertThat(done.before()).isEqualTo(4 * (40 * 33 + 33 * 3));
                assertThat(done.after()).isEqualTo(type == DType.BF16 ? 2 * (40 * 33 + 33 * 3) : 40 * 33 + 33 * 3 + 4 * 36);
                Tensor x = noise(5, 40);
                float[] y = net.call(x).toFloats();
                float[] dx = gradient(net, x);
                net.quantize(DType.F32);
                assertThat(net.buffers()).isEmpty();
                assertThat(linear(net, 0).weight().value().dtype()).isEqualTo(DType.F32);
                assertThat(y).containsExactly(net.call(x).toFloats(), within(1e-5f));
                assertThat(dx).containsExactly(gradient(net, x), within(1e-5f));
            }
        }
    }

    private static float[] gradient(Module net, Tensor x) {
        try (Tape tape = new Tape()) {
            tape.watch(x);
            Tensor loss = tape.record(() -> net.call(x).square().sum());
            return tape.backward(loss).of(x).toFloats();
        }
    }

    @Test
    void trainableWeightsAreSkippedAndStoredOnesCannotBecomeTrainable() {
        try (Sequential net = network()) {
            net.freeze(ParamSelector.of("0.*"));
            Quantization done = net.quantize(DType.I8);
            assertThat(done.stored()).containsExactly("0.weight");
            assertThat(done.skipped()).containsExactly("2.weight");
            assertThat(done).hasToString("1 linear weight is stored as int8: 0.0 MiB became 0.0 MiB; 1 trainable one"
                    + " stayed float32: 2.weight");
            assertThatThrownBy(() -> net.freeze(ParamSelector.NONE)).isInstanceOf(GraftException.class)
                    .hasMessage("freeze: 0.weight is stored as int8 and cannot become trainable: call quantize(DType.F32) on"
                            + " the model first, or keep it frozen");
            assertThat(linear(net, 0).bias().trainable()).isFalse();
            net.freeze(ParamSelector.of("0.weight"));       // a bias alone may learn
            Tensor x = noise(2, 40);
            try (Tape tape = new Tape()) {
                Tensor loss = tape.record(() -> net.call(x).square().sum());
                assertThat(tape.backward(loss).of(linear(net, 0).bias().value()).shape()).isEqualTo(Shape.of(33));
            }
            net.quantize(DType.F32);
            net.freeze(ParamSelector.NONE);
            assertThat(linear(net, 0).weight().trainable()).isTrue();
        }
    }

    @Test
    void whatCannotBeQuantisedSaysWhy() {
        try (Sequential net = network(); Linear broken = new Linear(2, 1)) {
            assertThatThrownBy(() -> net.quantize(DType.F16)).hasMessageContaining("float16")
                    .hasMessageContaining("bfloat16");
            net.freeze(ParamSelector.NONE);
            assertThatThrownBy(() -> net.quantize(DType.I8)).hasMessageContaining("none of the 2 linear weights is frozen");
            assertThatThrownBy(() -> Activation.relu().quantize(DType.I8)).hasMessageContaining("no linear layer");
            broken.weight().assign(Scope.persistent(() -> Tensor.of(new float[] {1, Float.NaN}, 1, 2)));
            broken.freeze(ParamSelector.ALL);
            assertThatThrownBy(() -> broken.quantize(DType.I8)).hasMessageContaining("NaN");
            assertThat(broken.weight().dtype()).isEqualTo(DType.F32);
            assertThat(broken.buffers()).isEmpty();
        }
    }

    @Test
    void newValuesAreStoredAsTheOnesBefore() {
        try (Sequential net = network()) {
            net.quantize(DType.I8);
            Parameter w = linear(net, 2).weight();
            w.assign(Scope.persistent(() -> Tensor.fill(new TensorSpec(DType.F32, w.shape()), 0.5,
                    Device.CPU)));
            assertThat(w.value().dtype()).isEqualTo(DType.I8);
            for (float v : w.widened().toFloats()) {
                assertThat(v).isCloseTo(0.5f, within(1e-7f));
            }
            net.initialize(9);
            assertThat(w.value().dtype()).isEqualTo(DType.F32);
            assertThat(net.buffers()).isEmpty();
        }
    }

    /** Four layers of attention and feed-forward parts: results stay near those of float32, the more bits the nearer. */
    @Test
    void anEncoderIsQuantisedAsAWhole() {
        Module[] layers = new Module[4];
        for (int i = 0; i < layers.length; i++) {
            layers[i] = new TransformerEncoderLayer(64, 4, 128, 0.1, Activation.gelu(), 1e-12, i % 2 == 1);
        }
        try (Sequential net = new Sequential(layers); Scope s = Scope.open()) {
            net.initialize(1);
            net.freeze(ParamSelector.ALL);
            Tensor x = noise(2, 9, 64);
            float[] exact = net.call(x).toFloats();
            assertThat(net.quantize(DType.BF16).stored()).hasSize(16).contains("0.self_attn.in_proj_weight",
                    "3.self_attn.out_proj.weight", "2.linear1.weight");
            double bf16 = error(exact, net.call(x).toFloats());
            net.quantize(DType.F32);
            assertThat(net.quantize(DType.I8).after()).isLessThan(4 * (4 * 64 * 64 + 2 * 64 * 128) * 11L / 10);
            double int8 = error(exact, net.call(x).toFloats());
            assertThat(bf16).isBetween(1e-5, 0.01);
            assertThat(int8).isBetween(1e-5, 0.03);
        }
    }

    @Test
    void aWeightThatIsNaNLeavesTheOthersAsTheyWere() {
        for (DType from : new DType[] {DType.F32, DType.BF16}) {
            try (Sequential net = network()) {
                float[] values = new float[3 * 33];
                values[70] = Float.NaN;
                linear(net, 2).weight().assign(Scope.persistent(() -> Tensor.of(values, 3, 33)));
                if (from != DType.F32) {
                    net.quantize(from);
                }
                assertThatThrownBy(() -> net.quantize(DType.I8)).isInstanceOf(GraftException.class)
                        .hasMessageContaining("2.weight is NaN");
                assertThat(linear(net, 0).weight().dtype()).isEqualTo(from);
                assertThat(linear(net, 0).weight().value().dtype()).isEqualTo(from);
                assertThat(net.buffers()).isEmpty();
            }
        }
    }

    @Test
    void goingBackNamesWhatWasStoredInFewerBits() {
        try (Sequential net = network()) {
            assertThat(net.quantize(DType.F32).stored()).isEmpty();
            net.freeze(ParamSelector.of("2.*"));
            net.quantize(DType.I8);
            assertThat(net.quantize(DType.F32).stored()).containsExactly("2.weight");
        }
    }

    /** Every copy that is made on the way is freed, and what is widened goes with its scope. */
    @Test
    void nothingIsLeftInMemory() {
        assertThat(LiveBytes.growthIn(() -> {
            try (Sequential net = network()) {
                for (DType type : new DType[] {DType.BF16, DType.I8, DType.F32, DType.I8, DType.BF16, DType.F32}) {
                    net.quantize(type);
                    Parameter w = linear(net, 0).weight();
                    Tensor wide;
                    try (Scope s = Scope.open()) {
                        wide = w.widened();
                        assertThat(wide.dtype()).isEqualTo(DType.F32);
                    }
                    assertThatThrownBy(wide::toFloats).as("widened from " + type).isInstanceOf(GraftException.class);
                    w.assign(Scope.persistent(() -> Tensor.fill(new TensorSpec(DType.F32, w.shape()), 0.5, Device.CPU)));
                }
            }
        })).isZero();
    }

    private static double error(float[] exact, float[] got) {
        double off = 0;
        double all = 0;
        for (int i = 0; i < exact.length; i++) {
            off += Math.pow(got[i] - exact[i], 2);
            all += Math.pow(exact[i], 2);
        }
        return Math.sqrt(off / all);
    }
}
