package dev.graft.nn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.autograd.Checkpoint;
import dev.graft.autograd.Gradients;
import dev.graft.autograd.Tape;
import dev.graft.nn.Activation;
import dev.graft.nn.Embedding;
import dev.graft.nn.Linear;
import dev.graft.nn.Module;
import dev.graft.nn.ParamSelector;
import dev.graft.nn.PositionalEmbedding;
import dev.graft.nn.Precision;
import dev.graft.nn.Sequential;
import dev.graft.nn.TransformerEncoderLayer;
import dev.graft.nn.loss.CrossEntropy;
import dev.graft.nn.loss.Loss;
import dev.graft.nn.optim.AdamW;
import dev.graft.nn.optim.GradientClip;
import dev.graft.nn.optim.Sgd;
import dev.graft.nn.optim.Optimizer;
import dev.graft.tensor.Autocast;
import dev.graft.tensor.Context;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Interceptor;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.ElementwiseOp;
import dev.graft.tensor.op.Op;
import dev.graft.tensor.op.ReduceFn;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Mixed precision, on the CPU: the same semantics as on a GPU. */
class PrecisionTest {
    private static final Blobs TRAIN = Blobs.images(128, 1);
    private static final Blobs VAL = Blobs.images(64, 2);

    private static TrainResult cnn(Precision p) {
        Sequential m = Blobs.cnn(3);
        return new Trainer(m, new AdamW(0.01).optimizer(m), new CrossEntropy(),
                new TrainOptions(4, 1).withProgress(false).withPrecision(p)).fit(TRAIN.shuffled(16, 3), VAL.batches(32));
    }

    @ParameterizedTest
    @EnumSource(value = Precision.class, names = {"BF16", "FP16"})
    void aConvolutionalNetworkLearnsAsInFloat(Precision p) {
        TrainResult exact = cnn(Precision.FLOAT32);
        TrainResult low = cnn(p);
        HistoryRow a = exact.history().rows().getLast();
        HistoryRow b = low.history().rows().getLast();
        assertThat(b.trainLoss()).isCloseTo(a.trainLoss(), within(0.05)).isNotEqualTo(a.trainLoss());
        assertThat(b.valLoss()).isCloseTo(a.valLoss(), within(0.1));
        assertThat(b.trainLoss()).isLessThan(0.7 * low.history().rows().getFirst().trainLoss());
    }

    /** Sequences of 6 tokens; the class is the token that stands where the first one, 0 to 3, points to. */
    private static final class Transformer extends Module {
        private final Embedding tokens = child("tokens", new Embedding(4, 16));
        private final PositionalEmbedding places = child("places", new PositionalEmbedding(6, 16));
        private final TransformerEncoderLayer layer = child("layer",
                new TransformerEncoderLayer(16, 4, 32, 0.1, Activation.gelu(), 1e-5, true));
        private final Linear head = child("head", new Linear(16, 4));

        @Override
        protected Tensor forward(Tensor x) {
            return head.call(layer.call(places.call(tokens.call(x))).slice(1, 0, 1).reshape(x.dim(0), 16));
        }
    }

    private static HistoryRow transformer(Precision p) {
        Random r = new Random(4);
        int n = 256;
        int[] x = new int[6 * n];
        int[] y = new int[n];
        for (int i = 0; i < n; i++) {
            for (int t = 0; t < 6; t++) {
                x[6 * i + t] = r.nextInt(4);
            }
            y[i] = x[6 * i + 1];
        }
        Transformer m = new Transformer();
        m.initialize(2);
        return new Trainer(m, new AdamW(0.005).optimizer(m), new CrossEntropy(),
                new TrainOptions(12, 1).withProgress(false).withPrecision(p).withClip(new GradientClip.ByNorm(1)))
                .fit(Batches.shuffled(Tensor.of(x, n, 6), Tensor.of(y, n), 32, 1), null).history().rows().getLast();
    }

    @ParameterizedTest
    @EnumSource(value = Precision.class, names = {"BF16", "FP16"})
    void aTransformerLearnsAsInFloat(Precision p) {
        HistoryRow exact = transformer(Precision.FLOAT32);
        HistoryRow low = transformer(p);
        assertThat(exact.trainLoss()).isLessThan(0.6);
        assertThat(low.trainLoss()).isCloseTo(exact.trainLoss(), within(0.1)).isNotEqualTo(exact.trainLoss());
    }

    @Test
    void gradientsOfParametersAreFloatAlsoThroughCheckpoints() {
        Sequential m = Blobs.mlp(3);
        try (Scope s = Scope.open("test"); Autocast a = new Autocast(DType.BF16)) {
            Loss loss = new CrossEntropy();
            Tensor x = Tensor.uniform(-1, 1, 8, 2);
            Tensor y = Tensor.of(new int[] {0, 1, 0, 1, 1, 1, 0, 0}, 8);
            Tape plain = new Tape();
            Gradients g = plain.backward(a.call(() -> plain.record(() -> loss.of(m.call(x), y))));
            Tape again = new Tape();
            Gradients h = again.backward(a.call(() -> again.record(() -> loss.of(Checkpoint.run(m::call, x), y))));
            m.parameters().forEach((path, p) -> {
                assertThat(g.of(p.value()).dtype()).as(path).isEqualTo(DType.F32);
                assertThat(h.of(p.value()).toFloats()).as(path).isEqualTo(g.of(p.value()).toFloats());
            });
        }
    }

    @Test
    void aCheckpointSeesWeightsWhoseCastsWereKept() {
        Sequential m = Blobs.mlp(3);
        try (Scope s = Scope.open("test"); Autocast a = new Autocast(DType.BF16)) {
            Loss loss = new CrossEntropy();
            Tensor x = Tensor.uniform(-1, 1, 8, 2);
            Tensor y = Tensor.of(new int[] {0, 1, 0, 1, 1, 1, 0, 0}, 8);
            Tape plain = new Tape();
            Gradients g = plain.backward(a.call(() -> plain.record(() -> loss.of(m.call(x), y))));
            a.endStep();
            Tape.noGrad(() -> a.call(() -> m.call(x)));         // as evaluation between steps does
            assertThat(a.keptBytes()).isPositive();
            Tape again = new Tape();
            Gradients h = again.backward(a.call(() -> again.record(() -> loss.of(Checkpoint.run(m::call, x), y))));
            m.parameters().forEach((path, p) ->
                    assertThat(h.of(p.value()).toFloats()).as(path).isEqualTo(g.of(p.value()).toFloats()));
        }
    }

    @Test
    void aWeightThatIsUsedTwiceHasBothGradients() {
        Linear l = new Linear(4, 4, false);
        try (Scope s = Scope.open("test"); Autocast a = new Autocast(DType.BF16); Tape tape = new Tape()) {
            Tensor x = Tensor.of(new float[] {1, 2, -1, 0.5f}, 1, 4);
            Tensor once = Tape.noGrad(() -> l.call(x));
            Gradients g = tape.backward(a.call(() -> tape.record(() -> l.call(x).add(l.call(x)).sum())));
            assertThat(once.size()).isEqualTo(4);
            for (int o = 0; o < 4; o++) {
                assertThat(g.of(l.weight().value()).slice(0, o, o + 1).toFloats()).containsExactly(2, 4, -2, 1);
            }
        }
    }

    @Test
    void validationComputesAsTraining() {
        Sequential m = Blobs.mlp(3);
        List<Boolean> inTraining = new ArrayList<>();
        List<Boolean> inValidation = new ArrayList<>();
        new Trainer(m, new AdamW(0.01).optimizer(m), new CrossEntropy(),
                new TrainOptions(1, 1).withProgress(false).withPrecision(Precision.TF32)).forward(x -> {
                    Context c = Context.current();
                    (c.training() ? inTraining : inValidation).add(c.numerics().tf32());
                    return m.call(x);
                }).fit(Blobs.moons(16, 1).batches(8), Blobs.moons(16, 2).batches(8));
        assertThat(inTraining).containsExactly(true, true);
        assertThat(inValidation).containsExactly(true, true);
    }

    @Test
    void aLossInFloat16IsScaledInItsType() {
        Sequential m = Blobs.mlp(3);
        Blobs data = Blobs.moons(16, 1);
        Map<String, float[]> before = TrainerTest.values(m);
        Loss largest = (p, y) -> p.reduce(ReduceFn.MAX, false).mul(1e-4).reshape(1);       // float16 [1]
        new Trainer(m, new AdamW(0.01).optimizer(m), largest,
                new TrainOptions(1, 1).withProgress(false).withPrecision(Precision.FP16)).fit(data.batches(8), null);
        assertThat(TrainerTest.values(m).get("head.weight")).isNotEqualTo(before.get("head.weight"));
    }

    @Test
    void frozenWeightsAreCastOnceInARun() {
        Sequential m = Blobs.cnn(3);
        m.freeze(ParamSelector.of("conv,bn"));
        int[] casts = {0};
        Interceptor counter = new Interceptor() {
            @Override
            public Tensor[] intercept(Op op, Tensor[] in, Next next) {
                if (op instanceof ElementwiseOp.Cast c && c.to() == DType.BF16 && in[0].rank() == 4
                        && in[0].dim(0) == 6) {
                    casts[0]++;
                }
                return next.run(op, in);
            }
        };
        Trainer trainer = new Trainer(m, new AdamW(0.01).optimizer(m), new CrossEntropy(),
                new TrainOptions(2, 1).withProgress(false).withPrecision(Precision.BF16));
        Context.current().with(counter).run(() -> trainer.fit(TRAIN.shuffled(16, 3), null));
        assertThat(casts[0]).isEqualTo(1);
    }

    // ------------------------------------------------------------------ the loss's scale

    @Test
    void theScaleGrowsAndBacksOffAsPyTorchs() {
        try (LossScaler s = new LossScaler(Device.CPU)) {
            assertThat(s.scale().item()).isEqualTo(65536);
            s.stepped(false);
            assertThat(s.scale().item()).isEqualTo(32768);
            assertThat(s.inverse().item()).isEqualTo(1.0 / 32768);
            for (int i = 0; i < 1999; i++) {
                s.stepped(true);
            }
            assertThat(s.scale().item()).isEqualTo(32768);
            assertThat(s.state()).isEqualTo(new TrainingState.LossScale(32768, 1999));
            s.stepped(true);
            assertThat(s.scale().item()).isEqualTo(65536);
            assertThat(s.state().good()).isZero();
            assertThatThrownBy(() -> s.load(new TrainingState.LossScale(Double.NaN, 0))).hasMessageContaining("damaged");
            for (int i = 0; i < 30; i++) {
                s.stepped(false);
            }
            assertThatThrownBy(() -> s.stepped(false)).isInstanceOf(GraftException.class).hasMessageContaining("use bf16");
        }
    }

    @Test
    void anOverflowSkipsTheStepAndHalvesTheScale() {
        Sequential m = Blobs.mlp(3);
        Optimizer optimizer = new AdamW(0.01).optimizer(m);
        Blobs data = Blobs.moons(32, 1);
        double[] factor = {1e4};        // times the first scale it is beyond float16, the loss itself is not
        Loss loss = (p, y) -> new CrossEntropy().of(p, y).mul(factor[0]);
        try (MixedPrecision precision = new MixedPrecision(Precision.FP16, Device.CPU);
                DeviceBatches batches = new DeviceBatches(data.batches(8).open(0, 0), Device.CPU)) {
            StepWork work = new StepWork(m::call, loss, optimizer, null, precision);
            TrainStep step = new TrainStep(work, null, optimizer, precision, 1);
            Map<String, float[]> before = TrainerTest.values(m);
            Tally tally = new Tally();
            TrainStep.Done done = step.run(batches, 1, 0, new double[] {1}, tally);
            assertThat(done.skipped()).isTrue();
            assertThat(done.loss()).isGreaterThan(1000);
            TrainerTest.values(m).forEach((path, v) -> assertThat(v).as(path).isEqualTo(before.get(path)));
            assertThat(optimizer.state().steps()).isEmpty();
            assertThat(precision.state().factor()).isEqualTo(32768);
            factor[0] = 1;
            assertThat(step.run(batches, 1, 1, new double[] {1}, tally).skipped()).isFalse();
            assertThat(optimizer.state().steps().values()).containsOnly(1L);
            assertThat(TrainerTest.values(m).get("head.weight")).isNotEqualTo(before.get("head.weight"));
            assertThat(precision.state()).isEqualTo(new TrainingState.LossScale(32768, 1));
            assertThat(tally.samples()).isEqualTo(16);
        }
    }

    /** One step of SGD with rate 1, so that a weight changes by its gradient. */
    private static Map<String, float[]> changes(Precision p, GradientClip clip) {
        Sequential m = Blobs.mlp(3);
        Map<String, float[]> before = TrainerTest.values(m);
        TrainOptions o = new TrainOptions(1, 1).withProgress(false).withPrecision(p);
        Loss small = (y, target) -> new CrossEntropy().of(y, target).mul(0.2);     // no overflow in the first step
        new Trainer(m, new Sgd(1).optimizer(m), small, clip == null ? o : o.withClip(clip))
                .fit(Blobs.moons(16, 1).batches(16), null);
        Map<String, float[]> after = TrainerTest.values(m);
        after.forEach((path, v) -> {
            for (int i = 0; i < v.length; i++) {
                v[i] -= before.get(path)[i];
            }
        });
        return after;
    }

    /** The scaled loss has gradients that are 65536 times as large. */
    @Test
    void clippingByValueComesBehindTheScaleOfTheLoss() {
        float limit = 0.01f;
        Map<String, float[]> whole = changes(Precision.FP16, null);
        int clipped = 0;
        int kept = 0;
        for (Map.Entry<String, float[]> e : changes(Precision.FP16, new GradientClip.ByValue(limit)).entrySet()) {
            float[] v = e.getValue();
            for (int i = 0; i < v.length; i++) {
                float want = Math.clamp(whole.get(e.getKey())[i], -limit, limit);
                assertThat(v[i]).as(e.getKey() + " " + i).isCloseTo(want, within(1e-6f));
                clipped += Math.abs(want) == limit ? 1 : 0;
                kept += Math.abs(want) < limit && want != 0 ? 1 : 0;
            }
        }
        assertThat(clipped).isPositive();
        assertThat(kept).isPositive();
    }

    @Test
    void namesOfPrecisions() {
        assertThat(Precision.parse("BF16")).isEqualTo(Precision.BF16);
        assertThatThrownBy(() -> Precision.parse("int8")).hasMessageContaining("float32, tf32, bf16, fp16");
        assertThat(Arrays.stream(Precision.values()).map(Precision::label))
                .containsExactly("float32", "tf32", "bf16", "fp16");
    }
}
