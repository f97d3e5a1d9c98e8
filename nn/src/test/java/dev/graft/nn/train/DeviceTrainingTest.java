package dev.graft.nn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.autograd.Tape;
import dev.graft.nn.ParamSelector;
import dev.graft.nn.Precision;
import dev.graft.nn.Sequential;
import dev.graft.nn.fake.FakeBackend;
import dev.graft.nn.loss.CrossEntropy;
import dev.graft.nn.loss.Loss;
import dev.graft.nn.optim.AdamW;
import dev.graft.nn.optim.GradientClip;
import dev.graft.nn.optim.Monitor;
import dev.graft.nn.optim.Optimizer;
import dev.graft.nn.optim.ParamGroup;
import dev.graft.nn.optim.Regularizer;
import dev.graft.nn.optim.Schedule;
import dev.graft.nn.optim.Sgd;
import dev.graft.nn.optim.UpdateRule;
import dev.graft.tensor.Context;
import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Tensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Training on another device, op by op and with recorded steps, must give the bits of training on the CPU. */
class DeviceTrainingTest {
    private static final Device GPU = Device.cuda(1);
    private static final Blobs TRAIN = Blobs.images(72, 1);       // batches of 14, the last one of 2
    private static final Blobs VAL = Blobs.images(40, 2);
    private static final List<ParamGroup> GROUPS = List.of(ParamGroup.of("backbone", "conv,bn").withLrFactor(0.3)
            .withRegularizers(new Regularizer.L2Sp(0.05), new Regularizer.DecoupledDecay(0.1)));

    @TempDir
    Path dir;

    private record Run(Sequential model, Optimizer optimizer, TrainResult result) {
        Map<String, float[]> values() {
            return TrainerTest.values(model);
        }
    }

    private static TrainOptions options() {
        return new TrainOptions(4, 3).withProgress(false).withSchedule(Schedule.cosine().warmedUp(3))
                .withClip(new GradientClip.ByNorm(0.5)).withEarlyStopping(EarlyStopping.never(Monitor.VAL_LOSS));
    }

    private static Run train(Device device, TrainOptions options, UpdateRule rule, Loss loss) {
        Sequential model = Blobs.cnn(5);
        model.to(device);
        Optimizer optimizer = new Optimizer(model, rule, GROUPS);
        Trainer trainer = new Trainer(model, optimizer, loss, options);
        trainer.on(e -> {
            if (e instanceof TrainEvent.EpochStart s) {
                model.freeze(s.epoch() == 0 ? ParamSelector.of("conv") : ParamSelector.NONE);
            }
        });
        return new Run(model, optimizer, trainer.fit(TRAIN.shuffled(14, 9), VAL.batches(16)));
    }

    private static void assertSame(Run a, Run b) {
        Map<String, float[]> expected = a.values();
        b.values().forEach((path, v) -> assertThat(v).as(path).isEqualTo(expected.get(path)));
        assertThat(b.optimizer.state().steps()).isEqualTo(a.optimizer.state().steps());
        a.optimizer.state().tensors().forEach((name, t) ->
                assertThat(b.optimizer.state().tensors().get(name).toFloats()).as(name).isEqualTo(t.toFloats()));
        for (int i = 0; i < a.result.history().rows().size(); i++) {
            HistoryRow x = a.result.history().rows().get(i);
            HistoryRow y = b.result.history().rows().get(i);
            assertThat(y.trainLoss()).isEqualTo(x.trainLoss());
            assertThat(y.trainAccuracy()).isEqualTo(x.trainAccuracy());
            assertThat(y.valLoss()).isEqualTo(x.valLoss());
            assertThat(y.valAccuracy()).isEqualTo(x.valAccuracy());
        }
    }

    @ParameterizedTest
    @CsvSource({"true, 1, FLOAT32", "false, 1, FLOAT32", "true, 3, FLOAT32", "true, 1, BF16", "true, 2, FP16"})
    void anotherDeviceGivesTheSameBits(boolean graphs, int accumulate, Precision precision) {
        TrainOptions o = options().withAccumulation(accumulate).withPrecision(precision).withGraphs(graphs);
        FakeBackend gpu = FakeBackend.of(GPU);
        int replays = gpu.replays();
        int captured = gpu.captured();
        Run there = train(GPU, o, new AdamW(0.02), new CrossEntropy().labelSmoothing(0.1).classWeights(1, 2, 1, 0.5));
        assertThat(there.model().parameters().values()).allMatch(p -> p.value().device().equals(GPU));
        Run here = train(Device.CPU, o, new AdamW(0.02), new CrossEntropy().labelSmoothing(0.1).classWeights(1, 2, 1, 0.5));
        assertSame(here, there);
        assertThat(gpu.openGraphs()).isZero();
        // 4 epochs of 5 full steps and a small one, the freezing changes after the first: of the full ones one runs op by op
        // and one is recorded, before and after the change
        if (graphs && accumulate == 1) {
            assertThat(gpu.captured() - captured).isEqualTo(2);
            assertThat(gpu.replays() - replays).isEqualTo(16);
        } else if (!graphs) {
            assertThat(gpu.captured()).isEqualTo(captured);
        }
    }

    @ParameterizedTest
    @EnumSource(value = Precision.class, names = {"FLOAT32", "FP16"})
    void momentumDropoutAndPlainClippingSurviveReplays(Precision precision) {
        TrainOptions o = options().withClip(new GradientClip.ByValue(0.05)).withPrecision(precision);
        UpdateRule rule = new Sgd(0.1, 0.9, 0, 1e-3, true);
        assertSame(train(Device.CPU, o, rule, new CrossEntropy()), train(GPU, o, rule, new CrossEntropy()));
    }

    @Test
    void aStepReadsBackOnce() {
        FakeBackend gpu = FakeBackend.of(GPU);
        Sequential m = Blobs.cnn(5);
        m.to(GPU);
        Trainer t = new Trainer(m, new AdamW(0.01).optimizer(m), new CrossEntropy(),
                new TrainOptions(3, 1).withProgress(false));
        int before = gpu.reads();
        t.fit(TRAIN.shuffled(12, 1), null);
        assertThat(gpu.reads() - before).isEqualTo(18);
    }

    @Test
    void aLossThatIsNoNumberHarmsNothing() {
        Sequential m = Blobs.cnn(5);
        m.to(GPU);
        Optimizer optimizer = new Optimizer(m, new AdamW(0.01), GROUPS);
        Loss lost = (p, y) -> new CrossEntropy().of(p, y).mul(0).reciprocal();
        Map<String, float[]> before = TrainerTest.values(m);
        Trainer t = new Trainer(m, optimizer, lost, new TrainOptions(1, 1).withProgress(false));
        assertThatThrownBy(() -> t.fit(TRAIN.batches(14), null)).isInstanceOf(GraftException.class)
                .hasMessageContaining("the loss is Infinity").hasMessageContaining("step 0");
        before.forEach((path, v) -> {
            if (!path.startsWith("bn.running") && !path.startsWith("bn.num")) {
                assertThat(TrainerTest.values(m).get(path)).as(path).isEqualTo(v);
            }
        });
        assertThat(optimizer.state().steps()).isEmpty();
    }

    @Test
    void whatCannotBeRecordedRunsOpByOp() {
        UnaryOperator<Tensor> readsBack = x -> x.mul(x.mean().item() > -1000 ? 1 : 0);
        List<Map<String, float[]>> got = new ArrayList<>();
        for (Device device : List.of(Device.CPU, GPU)) {
            Sequential m = Blobs.cnn(5);
            m.to(device);
            new Trainer(m, new AdamW(0.01).optimizer(m), new CrossEntropy(), new TrainOptions(2, 1).withProgress(false))
                    .forward(x -> m.call(readsBack.apply(x))).fit(TRAIN.shuffled(12, 1), VAL.batches(8));
            got.add(TrainerTest.values(m));
        }
        got.getFirst().forEach((path, v) -> assertThat(got.getLast().get(path)).as(path).isEqualTo(v));
    }

    /** Validation leaves folded and cast weights behind; a step that is recorded right after it must not read them. */
    @ParameterizedTest
    @EnumSource(value = Precision.class, names = {"FLOAT32", "BF16"})
    void aRecordedStepReadsNothingThatWasMadeOfOldWeights(Precision precision) {
        List<Map<String, float[]>> got = new ArrayList<>();
        for (boolean graphs : new boolean[] {false, true}) {
            Sequential m = Blobs.cnn(5);
            m.to(GPU);
            UnaryOperator<Tensor> withTeacher = x -> Tape.noGrad(() -> Context.current().withTraining(false)
                    .call(() -> m.call(x))).mul(0.5).add(m.call(x));
            int replays = FakeBackend.of(GPU).replays();
            new Trainer(m, new AdamW(0.02).optimizer(m), new CrossEntropy(),
                    new TrainOptions(5, 1).withProgress(false).withPrecision(precision).withGraphs(graphs))
                    .forward(withTeacher).fit(TRAIN.batches(72), VAL.batches(20));
            assertThat(FakeBackend.of(GPU).replays() - replays > 2).isEqualTo(graphs);
            got.add(TrainerTest.values(m));
        }
        got.getFirst().forEach((path, v) -> assertThat(got.getLast().get(path)).as(path).isEqualTo(v));
    }

    @ParameterizedTest
    @EnumSource(value = Precision.class, names = {"FLOAT32", "FP16"})
    void aCheckpointOfOneDeviceGoesOnOnAnother(Precision precision) {
        TrainOptions o = new TrainOptions(3, 3).withProgress(false).withPrecision(precision);
        Run whole = fit(GPU, o, null);
        fit(GPU, new TrainOptions(1, 3).withProgress(false).withPrecision(precision)
                .withCheckpoints(new CheckpointPolicy(dir)), null);
        try (TrainingCheckpoint saved = TrainingCheckpoint.latest(dir)) {
            assertThat(saved.state().lossScale() != null).isEqualTo(precision == Precision.FP16);
            Run rest = fit(Device.CPU, o, saved);
            assertSame(whole, rest);
        }
    }

    private static Run fit(Device device, TrainOptions o, TrainingCheckpoint from) {
        Sequential m = Blobs.cnn(from == null ? 5 : 6);
        m.to(device);
        Optimizer optimizer = new Optimizer(m, new AdamW(0.02), GROUPS);
        Trainer t = new Trainer(m, optimizer, new CrossEntropy(), o);
        return new Run(m, optimizer, (from == null ? t : t.resume(from)).fit(TRAIN.shuffled(14, 9), VAL.batches(16)));
    }

    @Test
    void anEndedRunLeavesNoMemoryBehind() {
        FakeBackend gpu = FakeBackend.of(GPU);
        long before = gpu.live();
        Run r = train(GPU, options(), new AdamW(0.02), new CrossEntropy());
        r.optimizer().close();
        r.model().close();
        assertThat(gpu.live()).isEqualTo(before);
    }
}
