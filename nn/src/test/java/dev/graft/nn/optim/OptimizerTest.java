package dev.graft.nn.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.autograd.Checkpoint;
import dev.graft.autograd.Tape;
import dev.graft.nn.Linear;
import dev.graft.nn.Module;
import dev.graft.nn.ParamSelector;
import dev.graft.nn.Sequential;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Memory;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class OptimizerTest {
    private static final float[] X = {1, -2, 0.5f, 3, 0.25f, -1};

    /** One step on the mean of squared outputs. */
    private static void step(ToyModel m, Optimizer o) {
        try (Scope s = Scope.open(); Tape tape = new Tape()) {
            Tensor x = Tensor.of(X, 3, 2);
            o.step(tape.backward(tape.record(() -> m.call(x).square().mean())));
        }
    }

    private static Map<String, double[]> values(Module m) {
        Map<String, double[]> v = new LinkedHashMap<>();
        m.parameters().forEach((path, p) -> v.put(path, p.value().toDoubles()));
        return v;
    }

    @Test
    void theFirstGroupThatMatchesWinsAndTheRestIsTheDefault() {
        try (ToyModel m = new ToyModel(2, 3, 2)) {
            Optimizer o = new Sgd(0.1).optimizer(m, ParamGroup.of("biases", "*.bias").withLr(0.5),
                    ParamGroup.of("head", "head").withLrFactor(0.1));
            assertThat(o.groups()).extracting(ParamGroup::name).containsExactly("biases", "head", "default");
            assertThat(o.groupOf("head.bias").name()).isEqualTo("biases");
            assertThat(o.groupOf("head.weight").name()).isEqualTo("head");
            assertThat(o.groupOf("body.weight").name()).isEqualTo("default");
            assertThat(o.rates(0.5)).containsExactlyEntriesOf(ordered("biases", 0.25, "head", 0.1 * 0.1 * 0.5,
                    "default", 0.05));
        }
    }

    private static Map<String, Double> ordered(Object... pairs) {
        Map<String, Double> m = new LinkedHashMap<>();
        for (int i = 0; i < pairs.length; i += 2) {
            m.put((String) pairs[i], (Double) pairs[i + 1]);
        }
        return m;
    }

    @Test
    void aGroupThatGetsNothingIsAnErrorWithTheNearestNames() {
        try (ToyModel m = new ToyModel(2, 3, 2)) {
            assertThatThrownBy(() -> new Sgd(0.1).optimizer(m, ParamGroup.of("h", "haed.*")))
                    .isInstanceOf(GraftException.class).hasMessageContaining("'haed.*' selects no parameter")
                    .hasMessageContaining("names are head,");
            assertThatThrownBy(() -> new Sgd(0.1).optimizer(m, ParamGroup.of("a", "*"), ParamGroup.of("b", "head")))
                    .hasMessageContaining("belong to groups before it");
            assertThatThrownBy(() -> new Sgd(0.1).optimizer(m, ParamGroup.of("a", "body"), ParamGroup.of("a", "head")))
                    .hasMessageContaining("two groups are named 'a'");
        }
    }

    @Test
    void groupsStepWithTheirOwnRate() {
        try (ToyModel m = new ToyModel(2, 3, 2).inDouble()) {
            Optimizer o = new Sgd(0.1).optimizer(m, ParamGroup.of("head", "head").withLrFactor(3));
            Map<String, double[]> before = values(m);
            Map<String, Tensor> ones = new HashMap<>();
            m.parameters().forEach((path, p) -> ones.put(path, p.value().onesLike()));
            o.step(new ParamGradients(ones), 0.5, 2);   // the groups' factors: head, default
            values(m).forEach((path, now) -> {
                double lr = path.startsWith("head") ? 0.1 * 3 * 0.5 : 0.1 * 2;
                for (int i = 0; i < now.length; i++) {
                    assertThat(now[i]).isCloseTo(before.get(path)[i] - lr, within(1e-12));
                }
            });
            assertThatThrownBy(() -> o.step(new ParamGradients(ones), 1, 1, 1)).hasMessageContaining("3 learning-rate");
        }
    }

    @Test
    void biasesAreNotDecayedUnlessTheGroupSaysSo() {
        try (ToyModel m = new ToyModel(2, 3, 2).inDouble()) {
            Optimizer o = new Sgd(0.1).withWeightDecay(0.5)
                    .optimizer(m, ParamGroup.of("head", "head").withDecayOfBiasAndNorm().withWeightDecay(0.2));
            Map<String, double[]> before = values(m);
            Map<String, Tensor> zeros = new HashMap<>();
            m.parameters().forEach((path, p) -> zeros.put(path, p.value().zerosLike()));
            o.step(new ParamGradients(zeros), 1);
            Map<String, Double> shrink = Map.of("head.weight", 0.98, "head.bias", 0.98, "body.weight", 0.95,
                    "body.bias", 1.0);
            values(m).forEach((path, now) -> {
                for (int i = 0; i < now.length; i++) {
                    assertThat(now[i]).as(path).isCloseTo(before.get(path)[i] * shrink.get(path), within(1e-12));
                }
            });
        }
    }

    @Test
    void frozenMeansNoChangeNoStateNoPenalty() {
        try (ToyModel m = new ToyModel(2, 3, 2)) {
            Optimizer o = new AdamW(0.1).withWeightDecay(0.5).optimizer(m,
                    ParamGroup.of("all", "*").withRegularizers(new Regularizer.L2(0.1), new Regularizer.L2Sp(0.3)));
            double whole = o.penalty();
            m.freeze(ParamSelector.of("body"));
            double headOnly = 0.1 / 2 * sumOfSquares(m.head.weight.value());
            assertThat(o.penalty()).isCloseTo(headOnly, within(1e-6)).isLessThan(whole);

            Map<String, double[]> before = values(m);
            step(m, o);
            step(m, o);
            assertThat(values(m).get("body.weight")).isEqualTo(before.get("body.weight"));
            assertThat(values(m).get("body.bias")).isEqualTo(before.get("body.bias"));
            assertThat(values(m).get("head.weight")).isNotEqualTo(before.get("head.weight"));
            assertThat(o.state().tensors().keySet()).filteredOn(n -> !n.startsWith("start/"))
                    .containsExactlyInAnyOrder("exp_avg/head.weight", "exp_avg_sq/head.weight", "exp_avg/head.bias",
                            "exp_avg_sq/head.bias");
            assertThat(o.trainableCount()).isEqualTo(2 * 3 + 2);

            m.freeze(ParamSelector.of("head"));         // unfrozen later: state from then on; frozen again: dropped
            step(m, o);
            assertThat(o.state().steps()).containsOnlyKeys("body.weight", "body.bias").containsValue(1L);
            assertThat(values(m).get("body.weight")).isNotEqualTo(before.get("body.weight"));
            o.close();
        }
    }

    private static double sumOfSquares(Tensor t) {
        double s = 0;
        for (double v : t.toDoubles()) {
            s += v * v;
        }
        return s;
    }

    @Test
    void aParameterTheLossDoesNotDependOnIsLeftAlone() {
        try (ToyModel m = new ToyModel(2, 3, 2)) {
            Optimizer o = new Sgd(0.1, 0.9).withWeightDecay(0.5).optimizer(m);
            Map<String, double[]> before = values(m);
            try (Scope s = Scope.open(); Tape tape = new Tape()) {
                o.step(tape.backward(tape.record(() -> m.head.weight.value().square().sum())));
            }
            assertThat(values(m).get("body.weight")).isEqualTo(before.get("body.weight"));
            assertThat(o.state().tensors()).containsOnlyKeys("momentum_buffer/head.weight");
        }
    }

    @Test
    void savedStateGoesOnExactly() {
        try (ToyModel a = new ToyModel(2, 3, 2); ToyModel b = new ToyModel(2, 3, 2)) {
            ParamGroup all = ParamGroup.of("all", "*").withRegularizers(new Regularizer.L2Sp(0.3));
            Optimizer first = new Adam(0.05).optimizer(a, all);
            for (int i = 0; i < 5; i++) {
                step(a, first);
            }
            b.parameters().forEach((path, p) -> p.assign(a.parameters().get(path).value().copy()));
            Optimizer second = new Adam(0.05).optimizer(b, all);
            second.load(first.state());
            for (int i = 0; i < 5; i++) {
                step(a, first);
                step(b, second);
            }
            values(a).forEach((path, v) -> assertThat(values(b).get(path)).isEqualTo(v));
            assertThat(second.state().steps()).isEqualTo(first.state().steps()).containsEntry("body.bias", 10L);

            OptimizerState state = first.state();
            assertThatThrownBy(() -> new Sgd(0.1, 0.9).optimizer(b).load(state)).isInstanceOf(GraftException.class)
                    .hasMessageContaining("Sgd keeps [momentum_buffer]");
            ToyModel wider = new ToyModel(2, 4, 2);
            assertThatThrownBy(() -> new Adam(0.1).optimizer(wider).load(state)).hasMessageContaining("its parameter is");
        }
    }

    @Test
    void stateIsFreedAndStepsNeedNoNewMemory() {
        long start = Memory.report().live();
        ToyModel m = new ToyModel(2, 3, 2);
        Optimizer o = new AdamW(0.01).optimizer(m, ParamGroup.of("all", "*").withRegularizers(
                new Regularizer.ElasticNet(0.1, 0.1), new Regularizer.L2Sp(0.1), new Regularizer.DecoupledDecay(0.1)));
        step(m, o);
        long live = Memory.report().live();
        for (int i = 0; i < 20; i++) {
            step(m, o);
        }
        assertThat(Memory.report().live()).isLessThanOrEqualTo(live);     // less if garbage of other tests went
        o.close();
        m.close();
        assertThat(Memory.report().live()).isLessThanOrEqualTo(start);
        assertThat(List.copyOf(o.state().tensors().keySet())).isEmpty();
    }

    /** Also with penalties, groups' rates, a frozen parameter, rate factors, and gradients of which some are clipped. */
    @ParameterizedTest
    @ValueSource(doubles = {0, 0.3})
    void aStepDuringBackwardIsTheSame(double limit) {
        GradientClip.ByValue clip = limit == 0 ? null : new GradientClip.ByValue(limit);
        try (ToyModel a = new ToyModel(2, 3, 2); ToyModel b = new ToyModel(2, 3, 2)) {
            ParamGroup head = ParamGroup.of("head", "head").withLr(0.03).withRegularizers(new Regularizer.L2Sp(0.3),
                    new Regularizer.DecoupledDecay(0.1));
            Optimizer oa = new AdamW(0.01).optimizer(a, head);
            Optimizer ob = new AdamW(0.01).optimizer(b, head);
            for (int i = 0; i < 4; i++) {
                if (i == 2) {
                    a.freeze(ParamSelector.of("body.bias"));
                    b.freeze(ParamSelector.of("body.bias"));
                }
                try (Scope s = Scope.open(); Tape one = new Tape(); Tape other = new Tape()) {
                    Tensor x = Tensor.of(X, 3, 2);
                    ParamGradients g = oa.gradients(one.backward(one.record(() -> a.call(x).square().mean())));
                    if (clip != null && i == 0) {
                        assertThat(g.byPath().values().stream().flatMapToDouble(t -> Arrays.stream(t.toDoubles()))
                                .mapToObj(v -> Math.abs(v) > limit)).contains(true, false);
                    }
                    oa.step(clip == null ? g : clip.apply(g), 0.5, 2);
                    ob.backwardAndStep(other, other.record(() -> b.call(x).square().mean()), clip, 0.5, 2);
                }
                assertThat(ob.state().steps()).isEqualTo(oa.state().steps());
                Map<String, double[]> expected = values(a);
                values(b).forEach((path, v) -> assertThat(v).as(path).containsExactly(expected.get(path)));
            }
            assertThat(ob.state().tensors().keySet()).isEqualTo(oa.state().tensors().keySet());
            try (Scope s = Scope.open(); Tape tape = new Tape()) {
                Tensor loss = tape.record(() -> b.call(Tensor.of(X, 3, 2)).square().mean());
                assertThatThrownBy(() -> ob.backwardAndStep(tape, loss, 1, 2, 3)).isInstanceOf(GraftException.class)
                        .hasMessageContaining("3 learning-rate factors for 2 groups");
            }
        }
    }

    /** With and without penalties; some gradients are beyond the limit only before they are multiplied, some also after. */
    @ParameterizedTest
    @ValueSource(floats = {0.25f, Float.NaN})
    void aPreparedStepMultipliesGradientsThenClipsThem(float scale) {
        double limit = 0.1;
        try (ToyModel a = new ToyModel(2, 3, 2); ToyModel b = new ToyModel(2, 3, 2)) {
            ParamGroup head = ParamGroup.of("head", "head").withRegularizers(new Regularizer.L2Sp(0.3),
                    new Regularizer.ElasticNet(0.2, 0.5));
            Optimizer oa = new AdamW(0.01).optimizer(a, head);
            Optimizer ob = new AdamW(0.01).optimizer(b, head);
            Map<String, double[]> before = values(b);
            try (Scope s = Scope.open(); Tape one = new Tape(); Tape other = new Tape()) {
                Tensor x = Tensor.of(X, 3, 2);
                ParamGradients g = oa.gradients(one.backward(one.record(() -> a.call(x).square().mean())));
                ParamGradients h = ob.gradients(other.backward(other.record(() -> b.call(x).square().mean())));
                double[] all = g.byPath().values().stream().flatMapToDouble(t -> Arrays.stream(t.toDoubles())).map(Math::abs)
                        .toArray();
                assertThat(Arrays.stream(all).filter(v -> v > limit / 0.25).count()).isPositive();
                assertThat(Arrays.stream(all).filter(v -> v > limit && v < limit / 0.25).count()).isPositive();
                oa.step(new GradientClip.ByValue(limit).apply(g.map(t -> t.mul(0.25f))), 1);
                ob.prepare(h, Tensor.scalar(scale), limit).run(1);
            }
            Map<String, double[]> expected = Float.isNaN(scale) ? before : values(a);
            values(b).forEach((path, v) -> assertThat(v).as(path).containsExactly(expected.get(path)));
        }
    }

    /** A checkpointed segment gives its parameters' gradients beside those of the tape's own leaves. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void backwardAndStepChangesWhatOnlyACheckpointedSegmentUses(boolean clipped) {
        GradientClip.ByValue clip = clipped ? new GradientClip.ByValue(0.01) : null;
        List<Map<String, double[]>> after = new ArrayList<>();
        for (boolean atOnce : new boolean[] {false, true}) {
            Sequential m = new Sequential(new Linear(2, 3), new Linear(3, 1));
            m.initialize(4);
            Map<String, double[]> before = values(m);
            try (Optimizer o = new Sgd(0.1).optimizer(m); Scope s = Scope.open(); Tape tape = new Tape()) {
                Tensor x = Tensor.of(X, 3, 2);
                Tensor loss = tape.record(() ->
                        m.get(1).call(Checkpoint.run(y -> m.get(0).call(y).tanh(), x)).square().mean());
                if (atOnce) {
                    o.backwardAndStep(tape, loss, clip);
                } else {
                    ParamGradients g = o.gradients(tape.backward(loss));
                    o.step(clipped ? clip.apply(g) : g, 1);
                }
            }
            after.add(values(m));
            before.forEach((path, v) -> assertThat(after.getLast().get(path)).as(path).isNotEqualTo(v));
        }
        after.getFirst().forEach((path, v) -> assertThat(after.getLast().get(path)).as(path).containsExactly(v));
    }
}
