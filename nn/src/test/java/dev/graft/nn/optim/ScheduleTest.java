package dev.graft.nn.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.graft.nn.ParamSelector;
import dev.graft.tensor.GraftException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ScheduleTest {
    private static double[] perEpoch(Schedule s, int epochs) {
        double[] f = new double[epochs];
        for (int e = 0; e < epochs; e++) {
            f[e] = s.factor(new Progress(e * 4L + 3, epochs * 4L, 4));   // the last step of each epoch of four
        }
        return f;
    }

    private static double[] perStep(Schedule s, int steps) {
        double[] f = new double[steps];
        for (int i = 0; i < steps; i++) {
            f[i] = s.factor(new Progress(i, steps, 1));
        }
        return f;
    }

    @Test
    void stepwise() {
        assertThat(perEpoch(Schedule.constant(), 3)).containsExactly(1, 1, 1);
        assertThat(perEpoch(new Schedule.Step(2, 0.5), 5)).containsExactly(1, 1, 0.5, 0.5, 0.25);
        assertThat(perEpoch(new Schedule.MultiStep(List.of(1, 3), 0.5), 5)).containsExactly(1, 0.5, 0.5, 0.25, 0.25);
        assertThat(perEpoch(new Schedule.Exponential(0.5), 4)).containsExactly(1, 0.5, 0.25, 0.125);
    }

    @Test
    void cosine() {
        assertThat(perStep(Schedule.cosine(), 4)).containsExactly(new double[] {1, 0.5 + Math.sqrt(0.5) / 2, 0.5,
            0.5 - Math.sqrt(0.5) / 2}, within(1e-12));
        assertThat(new Schedule.Cosine(0.2).factor(new Progress(4, 4, 1))).isCloseTo(0.2, within(1e-12));
    }

    /** The peak lies at warm·steps − 1, where PyTorch has it; the values around it by the cosine's closed form. */
    @Test
    void oneCycle() {
        double[] f = perStep(Schedule.oneCycle(), 10);
        assertThat(f[0]).isCloseTo(0.04, within(1e-12));
        assertThat(f[1]).isCloseTo((1 + 0.04) / 2, within(1e-12));
        assertThat(f[2]).isCloseTo(1, within(1e-12));
        assertThat(f[9]).isCloseTo(0.04 / 1e4, within(1e-12));
        for (int i = 3; i < 10; i++) {
            double share = (i - 2) / 7.0;
            double sin = Math.sin(Math.PI * share / 2);
            assertThat(f[i]).isCloseTo(1 - (1 - 4e-6) * sin * sin, within(1e-12));
        }
    }

    @Test
    void warmUpThenAnother() {
        assertThat(perStep(Schedule.cosine().warmedUp(4), 8)).containsExactly(new double[] {0.25, 0.5, 0.75, 1, 1,
            0.5 + Math.sqrt(0.5) / 2, 0.5, 0.5 - Math.sqrt(0.5) / 2}, within(1e-12));
    }

    @Test
    void plateauWaitsItsPatienceThenReduces() {
        Schedule.Plateau p = new Schedule.Plateau(Monitor.VAL_LOSS, 0.1, 1, 0.01, 0.02);
        LearningRates rates = new LearningRates(List.of(ParamGroup.of("a", "a"),
                ParamGroup.of("b", "b").withSchedule(Schedule.constant())), p.warmedUp(2));
        double[] losses = {1, 0.5, 0.495, 0.6, 0.4, 0.4, 0.4, 0.4, 0.4};
        List<Double> seen = new ArrayList<>();
        for (double loss : losses) {
            rates.epochEnd(Map.of("val_loss", loss));
            double[] f = rates.factors(new Progress(10, 100, 5));
            seen.add(f[0]);
            assertThat(f[1]).isEqualTo(1);
        }
        // 0.495 is not better by 0.01 and 0.6 is the second bad epoch; then three more pairs, down to the floor
        assertThat(seen).containsExactly(1.0, 1.0, 1.0, 0.1, 0.1, 0.1, 0.02, 0.02, 0.02);

        LearningRates resumed = new LearningRates(List.of(ParamGroup.of("a", "a"), ParamGroup.of("b", "b")), p);
        resumed.load(rates.state());
        assertThat(resumed.factors(new Progress(10, 100, 5))[0]).isEqualTo(0.02);
        assertThatThrownBy(() -> resumed.epochEnd(Map.of("train_loss", 1.0))).isInstanceOf(GraftException.class)
                .hasMessageContaining("'val_loss'").hasMessageContaining("[train_loss]");
    }

    @Test
    void valuesSurviveJson() throws Exception {
        ObjectMapper json = new ObjectMapper();
        List<Schedule> schedules = List.of(Schedule.constant(), new Schedule.Step(2, 0.5),
                new Schedule.MultiStep(List.of(1, 3), 0.5), new Schedule.Exponential(0.9), Schedule.cosine(),
                Schedule.oneCycle().warmedUp(5), new Schedule.Plateau(0.1, 3));
        for (Schedule s : schedules) {
            assertThat(json.readValue(json.writeValueAsString(s), Schedule.class)).isEqualTo(s);
        }
        for (UpdateRule r : List.of(new Sgd(0.1, 0.9), new Adam(0.1), new AdamW(0.1), new RmsProp(0.1))) {
            assertThat(json.readValue(json.writeValueAsString(r), UpdateRule.class)).isEqualTo(r);
        }
        for (GradientClip c : List.of(new GradientClip.ByNorm(1), new GradientClip.ByValue(2))) {
            assertThat(json.readValue(json.writeValueAsString(c), GradientClip.class)).isEqualTo(c);
        }
        ParamGroup g = ParamGroup.of("head", ParamSelector.of("head.*,!head.bias")).withLr(0.3)
                .withSchedule(Schedule.cosine())
                .withRegularizers(new Regularizer.L1(1), new Regularizer.L2(2), new Regularizer.ElasticNet(1, 2),
                        new Regularizer.DecoupledDecay(3), new Regularizer.L2Sp(4));
        assertThat(json.readValue(json.writeValueAsString(g), ParamGroup.class)).isEqualTo(g);
    }
}
