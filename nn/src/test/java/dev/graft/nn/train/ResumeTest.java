package dev.graft.nn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.nn.ParamSelector;
import dev.graft.nn.Sequential;
import dev.graft.nn.loss.CrossEntropy;
import dev.graft.nn.optim.AdamW;
import dev.graft.nn.optim.Monitor;
import dev.graft.nn.optim.Optimizer;
import dev.graft.nn.optim.ParamGroup;
import dev.graft.nn.optim.Regularizer;
import dev.graft.nn.optim.Schedule;
import dev.graft.tensor.GraftException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A run of 4 epochs of 5 steps, with every kind of state: stopped and resumed, it must end with the same bits. */
class ResumeTest {
    private static final Blobs TRAIN = Blobs.images(70, 1);
    private static final Blobs VAL = Blobs.images(40, 2);
    private static final List<ParamGroup> GROUPS = List.of(
            ParamGroup.of("backbone", "conv,bn").withLrFactor(0.3).withRegularizers(new Regularizer.L2Sp(0.05))
                    .withSchedule(new Schedule.Plateau(Monitor.TRAIN_LOSS, 0.5, 0, 10, 0)));

    @TempDir
    Path dir;

    /** A model with its optimizer and trainer; the convolution is frozen in the first epoch. */
    private final class Run {
        final Sequential model;
        final Optimizer optimizer;
        final Trainer trainer;

        Run(long init, long seed) {
            this(init, seed, new CheckpointPolicy(dir, 1, 1, 3));
        }

        Run(long init, long seed, CheckpointPolicy policy) {
            model = Blobs.cnn(init);
            optimizer = new Optimizer(model, new AdamW(0.02), GROUPS);
            trainer = new Trainer(model, optimizer, new CrossEntropy(), new TrainOptions(4, seed).withProgress(false)
                    .withSchedule(Schedule.cosine().warmedUp(3)).withPlan("{\"a\":1}")
                    .withEarlyStopping(EarlyStopping.never(Monitor.VAL_LOSS)).withCheckpoints(policy));
            trainer.on(e -> {
                if (e instanceof TrainEvent.EpochStart s) {
                    model.freeze(s.epoch() == 0 ? ParamSelector.of("conv") : ParamSelector.NONE);
                }
            });
        }

        TrainResult fit() {
            return trainer.fit(TRAIN.shuffled(14, 9), VAL.batches(16));
        }

        Run with(Consumer<TrainEvent> listener) {
            trainer.on(listener);
            return this;
        }
    }

    private static void assertSame(Run a, TrainResult ra, Run b, TrainResult rb) {
        Map<String, float[]> expected = TrainerTest.values(a.model);
        TrainerTest.values(b.model).forEach((path, v) -> assertThat(v).as(path).isEqualTo(expected.get(path)));
        assertThat(b.optimizer.state().steps()).isEqualTo(a.optimizer.state().steps());
        assertThat(b.optimizer.state().tensors().keySet()).isEqualTo(a.optimizer.state().tensors().keySet());
        a.optimizer.state().tensors().forEach((name, t) ->
                assertThat(b.optimizer.state().tensors().get(name).toFloats()).as(name).isEqualTo(t.toFloats()));
        assertThat(withoutTime(rb.history())).isEqualTo(withoutTime(ra.history()));
        assertThat(rb.bestEpoch()).isEqualTo(ra.bestEpoch());
        assertThat(rb.best()).isEqualTo(ra.best());
        assertThat(rb.steps()).isEqualTo(ra.steps());
    }

    private static List<HistoryRow> withoutTime(History h) {
        return h.rows().stream().map(r -> new HistoryRow(r.epoch(), r.trainLoss(), r.trainAccuracy(), r.valLoss(),
                r.valAccuracy(), r.metrics(), r.lr(), r.samples(), 0, 0, 0)).toList();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3, 5, 7, 14, 19, 20})
    void aResumedRunEndsWithTheSameBits(int stopAfter) {
        Run whole = new Run(1, 5, null);
        TrainResult expected = whole.fit();

        Run first = new Run(1, 5);
        TrainResult part = first.with(e -> {
            if (e instanceof TrainEvent.Step s && s.step() == stopAfter) {
                first.trainer.stop();
            }
        }).fit();
        assertThat(part.steps()).isEqualTo(stopAfter);
        assertThat(part.interrupted()).isEqualTo(stopAfter < 20);

        Run second = new Run(77, 5);                 // other initial weights: all must come from the checkpoint
        try (TrainingCheckpoint c = TrainingCheckpoint.latest(dir)) {
            assertThat(c.state().step()).isEqualTo(stopAfter);
            assertThat(c.plan()).isEqualTo("{\"a\":1}");
            second.trainer.resume(c);
        }
        assertSame(whole, expected, second, second.fit());
    }

    @Test
    void theSeedDecidesEveryBit() {
        Run a = new Run(1, 5, null);
        Run b = new Run(1, 5, null);
        Run other = new Run(1, 6, null);
        TrainResult ra = a.fit();
        assertSame(a, ra, b, b.fit());
        other.fit();
        assertThat(TrainerTest.values(other.model).get("head.weight"))
                .isNotEqualTo(TrainerTest.values(a.model).get("head.weight"));
    }

    @Test
    void anErrorInTheMiddleLeavesTheLastCheckpoint() {
        Run whole = new Run(1, 5, null);
        TrainResult expected = whole.fit();
        Run broken = new Run(1, 5).with(e -> {
            if (e instanceof TrainEvent.Step s && s.step() == 9) {
                throw new IllegalStateException("power cut");
            }
        });
        assertThatThrownBy(broken::fit).hasMessage("power cut");
        Run second = new Run(2, 5);
        try (TrainingCheckpoint c = TrainingCheckpoint.latest(dir)) {
            assertThat(c.state().step()).isEqualTo(8);
            second.trainer.resume(c);
        }
        assertSame(whole, expected, second, second.fit());
    }

    @Test
    void aDamagedCheckpointIsFoundAndTheOneBeforeItUsed() throws IOException {
        new Run(1, 5).fit();
        try (var files = Files.list(dir)) {
            assertThat(files.map(p -> p.getFileName().toString()).sorted()).containsExactly(
                    "checkpoint-000018.safetensors", "checkpoint-000019.safetensors", "checkpoint-000020.safetensors");
        }
        Path newest = TrainingCheckpoint.find(dir).orElseThrow();
        byte[] bytes = Files.readAllBytes(newest);
        bytes[bytes.length - 5] ^= 4;
        Files.write(newest, bytes);
        assertThatThrownBy(() -> TrainingCheckpoint.read(newest)).isInstanceOf(GraftException.class)
                .hasMessageContaining("checkpoint-000020.safetensors is damaged: its checksum does not match");
        Files.writeString(dir.resolve("checkpoint-000021.safetensors.123.part"), "of a killed program");
        try (TrainingCheckpoint c = TrainingCheckpoint.latest(dir)) {
            assertThat(c.state().step()).isEqualTo(19);
        }
        assertThatThrownBy(() -> TrainingCheckpoint.latest(dir.resolve("empty")))
                .hasMessageContaining("has no checkpoint-*.safetensors");
    }

    /** A folder stands where the third checkpoint's file must go: as good as a full disk. */
    @Test
    void aCheckpointThatCannotBeWrittenNamesTheOneBeforeIt() throws IOException {
        Files.createDirectories(dir.resolve("checkpoint-000003.safetensors/x"));
        assertThatThrownBy(() -> new Run(1, 5).fit()).isInstanceOf(GraftException.class)
                .hasMessageContaining("checkpoint-000003.safetensors could not be written")
                .hasMessageEndingWith("the run can be resumed from " + dir.resolve("checkpoint-000002.safetensors"));
        try (TrainingCheckpoint c = TrainingCheckpoint.latest(dir)) {
            assertThat(c.state().step()).isEqualTo(2);
        }
    }

    @Test
    void resumingSomethingElseIsRefused() {
        Run first = new Run(1, 5);
        first.with(e -> {
            if (e instanceof TrainEvent.Step s && s.step() == 7) {
                first.trainer.stop();
            }
        }).fit();
        try (TrainingCheckpoint c = TrainingCheckpoint.latest(dir)) {
            assertThatThrownBy(() -> new Run(1, 6).trainer.resume(c)).isInstanceOf(GraftException.class)
                    .hasMessageContaining("seed 5, this one has 6");
            Sequential mlp = Blobs.mlp(1);
            assertThatThrownBy(() -> c.loadInto(mlp)).hasMessageContaining("saved by another model: 'body.weight'");
            assertThatThrownBy(() -> new Run(1, 5).trainer.resume(c).fit(TRAIN.shuffled(7, 9), null))
                    .hasMessageContaining("5 batches per epoch, the data now gives 10");
            Run frozen = new Run(1, 5);
            frozen.with(e -> frozen.model.freeze(ParamSelector.of("conv"))).trainer.resume(c);
            assertThatThrownBy(frozen::fit).hasMessageContaining("resume with the same freezing");
        }
    }

    @Test
    void aRunThatStoppedEarlyStaysStopped() {
        TrainOptions options = new TrainOptions(9, 1).withProgress(false).withCheckpoints(new CheckpointPolicy(dir))
                .withEarlyStopping(new EarlyStopping(Monitor.TRAIN_LOSS, 2, 100, true));      // nothing is ever that good
        Sequential a = Blobs.cnn(1);
        TrainResult ended = new Trainer(a, new AdamW(0.02).optimizer(a), new CrossEntropy(), options)
                .fit(TRAIN.shuffled(14, 9), null);
        assertThat(ended.stoppedEarly()).isTrue();
        assertThat(ended.history().rows()).hasSize(3);
        Sequential b = Blobs.cnn(2);
        Trainer again = new Trainer(b, new AdamW(0.02).optimizer(b), new CrossEntropy(), options);
        try (TrainingCheckpoint c = TrainingCheckpoint.latest(dir)) {
            again.resume(c);
        }
        assertThat(again.fit(TRAIN.shuffled(14, 9), null)).isEqualTo(ended);
        assertThat(TrainerTest.values(b).get("head.weight")).isEqualTo(TrainerTest.values(a).get("head.weight"));
    }

    @Test
    void aFinishedRunStaysFinished() {
        Run whole = new Run(1, 5);
        TrainResult done = whole.fit();
        Run again = new Run(3, 5);
        try (TrainingCheckpoint c = TrainingCheckpoint.latest(dir)) {
            again.trainer.resume(c);
        }
        assertSame(whole, done, again, again.fit());
    }
}
