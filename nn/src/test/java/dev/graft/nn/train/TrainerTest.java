package dev.graft.nn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.nn.ParamSelector;
import dev.graft.nn.Sequential;
import dev.graft.nn.loss.CrossEntropy;
import dev.graft.nn.metric.TopK;
import dev.graft.nn.optim.AdamW;
import dev.graft.nn.optim.GradientClip;
import dev.graft.nn.optim.Monitor;
import dev.graft.nn.optim.Optimizer;
import dev.graft.nn.optim.ParamGroup;
import dev.graft.nn.optim.Regularizer;
import dev.graft.nn.optim.Schedule;
import dev.graft.nn.optim.Sgd;
import dev.graft.tensor.Context;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Memory;
import dev.graft.tensor.Profiler;
import dev.graft.tensor.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;

class TrainerTest {
    private static final Blobs TRAIN = Blobs.moons(256, 1);
    private static final Blobs VAL = Blobs.moons(128, 2);

    private static TrainOptions epochs(int n) {
        return new TrainOptions(n, 5).withProgress(false);
    }

    static Map<String, float[]> values(Sequential m) {
        Map<String, float[]> v = new LinkedHashMap<>();
        TrainingCheckpoint.values(m).forEach((path, t) -> v.put(path, t.toFloats()));
        return v;
    }

    @Test
    void aSmallNetworkLearnsWhatNoLineSeparates() {
        Sequential m = Blobs.mlp(1);
        List<TrainEvent> events = new ArrayList<>();
        TrainResult r = new Trainer(m, new AdamW(0.02).optimizer(m), new CrossEntropy(), epochs(15))
                .metric("top2", new TopK(2), k -> k.value()).on(events::add)
                .fit(TRAIN.shuffled(32, 3), VAL.batches(50));
        HistoryRow last = r.history().rows().getLast();
        assertThat(last.valAccuracy()).isGreaterThan(0.95);
        assertThat(last.trainAccuracy()).isGreaterThan(0.95);
        assertThat(last.metrics()).containsEntry("top2", 1.0);
        assertThat(last.lr()).containsEntry("default", 0.02);
        assertThat(last.samples()).isEqualTo(256);
        assertThat(r.steps()).isEqualTo(15 * 8);
        assertThat(r.history().rows()).hasSize(15);
        assertThat(r.bestEpoch()).isEqualTo(-1);
        assertThat(events.subList(0, 2)).hasExactlyElementsOfTypes(TrainEvent.EpochStart.class, TrainEvent.Step.class);
        assertThat(events).filteredOn(TrainEvent.Step.class::isInstance).hasSize(120);
        assertThat(events.get(9)).isInstanceOf(TrainEvent.EpochEnd.class);
        assertThat(events.getLast()).isEqualTo(new TrainEvent.Finished(r));
        Evaluation again = new Evaluator(m, new CrossEntropy()).evaluate(VAL.batches(7));
        assertThat(again.accuracy()).isEqualTo(last.valAccuracy());
        assertThat(again.loss()).isCloseTo(last.valLoss(), within(1e-6));
    }

    /** The rate is multiplied by 200 after the second epoch, which spoils the model; the best weights come back. */
    @Test
    void earlyStoppingEndsWithTheBestWeightsAlsoOfLayersUnfrozenLater() {
        Sequential m = Blobs.mlp(1);
        m.freeze(ParamSelector.of("body"));
        List<Map<String, float[]>> afterEpoch = new ArrayList<>();
        TrainResult r = new Trainer(m, new Sgd(0.1).optimizer(m), new CrossEntropy(), epochs(50)
                .withSchedule(new Schedule.MultiStep(List.of(2), 200)).withClip(new GradientClip.ByNorm(1))
                .withEarlyStopping(new EarlyStopping(Monitor.VAL_LOSS, 3)))
                .on(e -> {
                    if (e instanceof TrainEvent.EpochStart s && s.epoch() == 2) {
                        m.freeze(ParamSelector.NONE);
                    } else if (e instanceof TrainEvent.EpochEnd) {
                        afterEpoch.add(values(m));
                    }
                }).fit(TRAIN.shuffled(32, 3), VAL.batches(64));
        assertThat(r.stoppedEarly()).isTrue();
        assertThat(r.bestEpoch()).isEqualTo(1);
        assertThat(r.history().rows()).hasSize(5);
        assertThat(afterEpoch.get(4).get("body.weight")).isNotEqualTo(afterEpoch.get(1).get("body.weight"));
        values(m).forEach((path, v) -> assertThat(v).as(path).isEqualTo(afterEpoch.get(1).get(path)));
        assertThat(new Evaluator(m, new CrossEntropy()).evaluate(VAL.batches(64)).loss()).isEqualTo(r.best());
        assertThat(r.history().best(Monitor.VAL_LOSS).orElseThrow().epoch()).isEqualTo(1);
    }

    @Test
    void plateauReducesTheRateInTheHistory() {
        Sequential m = Blobs.mlp(1);
        m.freeze(ParamSelector.of("body"));
        TrainResult r = new Trainer(m, new Sgd(1e-9).optimizer(m), new CrossEntropy(), epochs(6)
                .withSchedule(new Schedule.Plateau(Monitor.VAL_LOSS, 0.1, 1, 0.01, 0)))
                .fit(TRAIN.shuffled(64, 3), VAL.batches(64));
        assertThat(r.history().rows()).extracting(row -> row.lr().get("default"))
                .usingElementComparator((a, b) -> Math.abs(a / b - 1) < 1e-9 ? 0 : 1)
                .containsExactly(1e-9, 1e-9, 1e-9, 1e-10, 1e-10, 1e-11);
    }

    @Test
    void accumulationOverUnevenBatchesEqualsTheLargeBatch() {
        Blobs odd = Blobs.moons(30, 4);      // 8 + 8 + 8 + 6
        Sequential many = Blobs.mlp(1);
        Sequential one = Blobs.mlp(1);
        List<TrainEvent.Step> steps = new ArrayList<>();
        new Trainer(many, new Sgd(0.5, 0.9).optimizer(many), new CrossEntropy(), epochs(10).withAccumulation(4))
                .on(e -> {
                    if (e instanceof TrainEvent.Step s) {
                        steps.add(s);
                    }
                }).fit(odd.batches(8), null);
        TrainResult large = new Trainer(one, new Sgd(0.5, 0.9).optimizer(one), new CrossEntropy(), epochs(10))
                .fit(odd.batches(30), null);
        assertThat(large.steps()).isEqualTo(10);
        assertThat(steps).hasSize(10).allMatch(s -> s.samples() == 30 && s.batch() == 4);
        assertThat(steps.getLast().loss()).isCloseTo(large.history().rows().getLast().trainLoss(), within(1e-5));
        Map<String, float[]> expected = values(one);
        values(many).forEach((path, v) -> assertThat(v).as(path).containsExactly(expected.get(path), within(1e-5f)));
    }

    @Test
    void frozenLayersKeepTheirBitsAndTheirStatistics() {
        Blobs images = Blobs.images(64, 1);
        Sequential m = Blobs.cnn(1);
        m.freeze(ParamSelector.of("conv,bn"));
        Map<String, float[]> before = values(m);
        Optimizer o = new AdamW(0.01).optimizer(m, ParamGroup.of("all", "*").withRegularizers(new Regularizer.L2(0.1)));
        new Trainer(m, o, new CrossEntropy(), epochs(2)).fit(images.shuffled(16, 1), null);
        values(m).forEach((path, v) -> {
            if (path.startsWith("head")) {
                assertThat(v).as(path).isNotEqualTo(before.get(path));
            } else {
                assertThat(v).as(path).isEqualTo(before.get(path));
            }
        });
        assertThat(o.state().tensors()).hasSize(4).allSatisfy((name, t) -> assertThat(name).contains("/head."));
    }

    @Test
    void badNumbersStopTheRunWithOneSentence() {
        Sequential m = Blobs.mlp(1);
        Tensor x = TRAIN.x.copy();
        float[] bad = x.toFloats();
        bad[2 * 100] = Float.NaN;
        Trainer t = new Trainer(m, new Sgd(0.1).optimizer(m, ParamGroup.of("head", "head").withLr(0.25)), new CrossEntropy(),
                epochs(2));
        assertThatThrownBy(() -> t.fit(Batches.of(Tensor.of(bad, 256, 2), TRAIN.y, 32), null))
                .isInstanceOf(GraftException.class)
                .hasMessageContaining("training stopped at step 3: the loss is NaN; likely fixes")
                .hasMessageContaining("head 0.250, default 0.100");
        assertThat(values(m).get("head.weight")).doesNotContain(Float.NaN);

        Sequential v = Blobs.mlp(1);
        assertThatThrownBy(() -> new Trainer(v, new Sgd(0.1).optimizer(v), new CrossEntropy(), epochs(2))
                .fit(TRAIN.batches(32), Batches.of(Tensor.of(bad, 256, 2), TRAIN.y, 32)))
                .hasMessageContaining("the validation loss is NaN");
    }

    @Test
    void mistakesAreNamedBeforeTraining() {
        Sequential m = Blobs.mlp(1);
        Optimizer o = new Sgd(0.1).optimizer(m);
        m.freeze(ParamSelector.ALL);
        assertThatThrownBy(() -> new Trainer(m, o, new CrossEntropy(), epochs(1)).fit(TRAIN.batches(32), null))
                .isInstanceOf(GraftException.class).hasMessageContaining("values of the model are frozen");
        m.freeze(ParamSelector.NONE);
        assertThatThrownBy(() -> new Trainer(m, o, new CrossEntropy(),
                epochs(1).withEarlyStopping(new EarlyStopping(Monitor.VAL_ACCURACY, 2))).fit(TRAIN.batches(64), null))
                .hasMessageContaining("watches 'val_accuracy', but an epoch gives [train_loss, train_accuracy]");
        Trainer once = new Trainer(m, o, new CrossEntropy(), epochs(0));
        once.fit(TRAIN.batches(64), null);
        assertThatThrownBy(() -> once.fit(TRAIN.batches(64), null)).hasMessageContaining("has been used");
    }

    @Test
    void threeHundredStepsTakeNoMoreMemoryThanThree() {
        System.gc();        // what other tests left to the collector must not hide a leak
        Blobs images = Blobs.images(48, 1);
        Sequential m = Blobs.cnn(1);
        Optimizer o = new AdamW(0.001).optimizer(m, ParamGroup.of("all", "*").withRegularizers(new Regularizer.L2Sp(0.1)));
        List<Long> live = new ArrayList<>();
        List<Long> tensors = new ArrayList<>();
        new Trainer(m, o, new CrossEntropy(), epochs(75).withClip(new GradientClip.ByNorm(1)).withAccumulation(2)
                .withEarlyStopping(EarlyStopping.never(Monitor.VAL_LOSS)))
                .on(e -> {
                    if (e instanceof TrainEvent.Step) {
                        live.add(Memory.report().live());
                        tensors.add(Memory.report().tensors());
                    }
                }).fit(images.shuffled(6, 1), images.batches(20));
        assertThat(live).hasSize(300);
        long copies = m.parameterCount() * 4 + 2 * 6 * 4 + 8;       // of the best weights, taken after the first epoch
        assertThat(live.subList(3, 300)).allMatch(l -> l <= live.get(2) + 4 * copies);
        assertThat(live.subList(5, 300)).allMatch(l -> l <= live.get(4));
        assertThat(tensors.subList(5, 300)).allMatch(n -> n <= tensors.get(4));
    }

    /** Batches that come late, each after a pause of at least {@code millis}. */
    private record Late(Batches all, int millis) implements Batches {
        @Override
        public int count() {
            return all.count();
        }

        @Override
        public long samples() {
            return all.samples();
        }

        @Override
        public Cursor open(int epoch, int firstBatch) {
            Cursor c = all.open(epoch, firstBatch);
            return new Cursor() {
                @Override
                public boolean hasNext() {
                    return c.hasNext();
                }

                @Override
                public TrainingBatch next() {
                    long end = System.nanoTime() + millis * 1_000_000L;
                    while (System.nanoTime() < end) {
                        LockSupport.parkNanos(end - System.nanoTime());
                    }
                    return c.next();
                }
            };
        }
    }

    @Test
    void theHistorySaysHowLongDataWasWaitedFor() {
        Blobs b = Blobs.moons(20, 1);
        Sequential m = Blobs.mlp(1);
        Batches late = new Late(Batches.of(b.x, b.y, 5), 4);
        HistoryRow row = new Trainer(m, new Sgd(0.1).optimizer(m), new CrossEntropy(), new TrainOptions(1, 1))
                .fit(late, null).history().rows().getFirst();
        double seconds = row.samples() / row.samplesPerSecond();
        assertThat(row.waited() * seconds).isGreaterThanOrEqualTo(4 * 0.004 * 0.999).isLessThanOrEqualTo(seconds);
    }

    @Test
    void theProfileSaysHowLongDataWasWaitedFor() {
        Blobs b = Blobs.moons(20, 1);
        Sequential m = Blobs.mlp(1);
        Batches late = new Late(Batches.of(b.x, b.y, 5), 4);
        Profiler p = new Profiler();
        Context.current().with(p).run(() -> new Trainer(m, new Sgd(0.1).optimizer(m), new CrossEntropy(),
                new TrainOptions(1, 1)).fit(late, late));
        assertThat(p.byOp().rows()).filteredOn(r -> r.name().equals(Profiler.WAIT)).singleElement().satisfies(r -> {
            assertThat(r.calls()).as("batches of training and validation").isEqualTo(4 + 4);
            assertThat(r.micros()).isGreaterThanOrEqualTo(8 * 4000 * 0.999);
        });
        assertThat(p.byOp().table(1)).containsPattern("(?m)^wait for data +8 ");
    }

    @Test
    void theHistoryAsCsv() {
        HistoryRow a = new HistoryRow(0, 1.5, 0.25, Double.NaN, Double.NaN, Map.of(), Map.of("head", 0.1), 10, 2, 5, 0);
        HistoryRow b = new HistoryRow(1, 1, 0.5, 0.75, 1, Map.of(), Map.of("head", 0.05), 10, 2.25, 5, 0.125);
        assertThat(new History(List.of(a, b)).csv()).isEqualTo("""
                epoch,train_loss,train_accuracy,val_loss,val_accuracy,lr head,seconds,samples_per_second,waited
                1,1.5,0.25,,,0.1,2.000,5.0,0.000
                2,1.0,0.5,0.75,1.0,0.05,2.250,5.0,0.125
                """);
        assertThat(b).hasToString("epoch 2, train loss 1.0000, train accuracy 0.5000, val loss 0.75000, val accuracy 1.0000,"
                + " lr head 0.0500, 2.3 s, 5 samples/s, waited for data 13 %");
    }
}
