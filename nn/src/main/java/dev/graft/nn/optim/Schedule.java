package dev.graft.nn.optim;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import java.util.List;

/**
 * How the learning rate changes during a run: a factor on every group's rate, a pure function of the progress. Step and
 * exponential schedules count epochs, as is usual in PyTorch; the smooth ones change with every step.
 */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "type")
@JsonSubTypes({@JsonSubTypes.Type(value = Schedule.Constant.class, name = "constant"),
    @JsonSubTypes.Type(value = Schedule.Step.class, name = "step"),
    @JsonSubTypes.Type(value = Schedule.MultiStep.class, name = "multi_step"),
    @JsonSubTypes.Type(value = Schedule.Exponential.class, name = "exponential"),
    @JsonSubTypes.Type(value = Schedule.Cosine.class, name = "cosine"),
    @JsonSubTypes.Type(value = Schedule.OneCycle.class, name = "one_cycle"),
    @JsonSubTypes.Type(value = Schedule.Warmup.class, name = "warmup"),
    @JsonSubTypes.Type(value = Schedule.Plateau.class, name = "plateau")})
public sealed interface Schedule {
    double factor(Progress p);

    /** The plateau rule inside, or null. */
    default Plateau findPlateau() {
        return null;
    }

    static Schedule constant() {
        return new Constant();
    }

    /** From 1 to 0 along half a cosine. */
    static Schedule cosine() {
        return new Cosine(0);
    }

    /** PyTorch's defaults: up during 30 % of the run from 1/25, down to 1/250,000. */
    static Schedule oneCycle() {
        return new OneCycle(0.3, 25, 1e4);
    }

    /** This schedule after {@code steps} steps of linear warm-up. */
    default Schedule warmedUp(long steps) {
        return new Warmup(steps, this);
    }

    /** 1 throughout. */
    record Constant() implements Schedule {
        @Override
        public double factor(Progress p) {
            return 1;
        }
    }

    /** Times {@code gamma} every {@code epochs} epochs. */
    record Step(int epochs, double gamma) implements Schedule {
        public Step {
            Range.atLeast("step schedule", "epochs", epochs, 1);
            Range.rate("step schedule", "gamma", gamma);
        }

        @Override
        public double factor(Progress p) {
            return Math.pow(gamma, p.epoch() / epochs);
        }
    }

    /** Times {@code gamma} at each of these epochs, counted from 0. */
    record MultiStep(List<Integer> milestones, double gamma) implements Schedule {
        public MultiStep {
            milestones = List.copyOf(milestones);
            Range.rate("multi-step schedule", "gamma", gamma);
        }

        @Override
        public double factor(Progress p) {
            return Math.pow(gamma, milestones.stream().filter(m -> p.epoch() >= m).count());
        }
    }

    /** Times {@code gamma} every epoch. */
    record Exponential(double gamma) implements Schedule {
        public Exponential {
            Range.rate("exponential schedule", "gamma", gamma);
        }

        @Override
        public double factor(Progress p) {
            return Math.pow(gamma, p.epoch());
        }
    }

    /** From 1 to {@code floor} along half a cosine (Loshchilov and Hutter 2016, arXiv:1608.03983), per step. */
    record Cosine(double floor) implements Schedule {
        public Cosine {
            Range.rate("cosine schedule", "floor", floor);
        }

        @Override
        public double factor(Progress p) {
            double done = Math.clamp((double) p.step() / Math.max(1, p.totalSteps()), 0, 1);
            return floor + (1 - floor) * 0.5 * (1 + Math.cos(Math.PI * done));
        }
    }

    /**
     * Up from 1/div to 1 in the first {@code warm} of the run and down to 1/(div·finalDiv), both along half a cosine
     * (Smith and Topin 2017, arXiv:1708.07120; PyTorch's OneCycleLR). The momentum stays as it is.
     */
    record OneCycle(double warm, double div, double finalDiv) implements Schedule {
        public OneCycle {
            Range.check(warm >= 0 && warm <= 1, "one-cycle schedule: warm is " + warm + ", a share in [0, 1] is needed");
            Range.check(div > 0 && finalDiv > 0, "one-cycle schedule: div and finalDiv must be above 0");
        }

        @Override
        public double factor(Progress p) {
            double top = warm * p.totalSteps() - 1;
            double end = p.totalSteps() - 1;
            double s = Math.min(p.step(), end);
            return s <= top ? between(1 / div, 1, top == 0 ? 1 : s / top)
                    : between(1, 1 / (div * finalDiv), end == top ? 1 : (s - top) / (end - top));
        }

        private static double between(double from, double to, double share) {
            return to + (from - to) / 2 * (1 + Math.cos(Math.PI * share));
        }
    }

    /** Linear from 1/steps to 1 in the first {@code steps} steps, then {@code then}, which sees the rest of the run only. */
    record Warmup(long steps, Schedule then) implements Schedule {
        public Warmup {
            Range.atLeast("warm-up", "steps", steps, 0);
            Range.check(then != null, "warm-up: the schedule after it is missing");
        }

        @Override
        public double factor(Progress p) {
            return p.step() < steps ? (p.step() + 1.0) / steps : then.factor(p.after(steps));
        }

        @Override
        public Plateau findPlateau() {
            return then.findPlateau();
        }
    }

    /**
     * Times {@code factor} whenever {@code monitor} has not become better by more than {@code minDelta} for more than
     * {@code patience} epochs; never below {@code floor}. Its memory is a {@link State}, saved in checkpoints.
     */
    record Plateau(Monitor monitor, double factor, int patience, double minDelta, double floor) implements Schedule {
        public Plateau {
            Range.check(monitor != null, "plateau schedule: the monitor is missing");
            Range.check(factor > 0 && factor < 1, "plateau schedule: factor is " + factor + ", one in (0, 1) is needed");
            Range.atLeast("plateau schedule", "patience", patience, 0);
            Range.rate("plateau schedule", "minDelta", minDelta);
            Range.rate("plateau schedule", "floor", floor);
        }

        /** On the validation loss. */
        public Plateau(double factor, int patience) {
            this(Monitor.VAL_LOSS, factor, patience, 0, 0);
        }

        @Override
        public double factor(Progress p) {
            return Math.max(floor, Math.pow(factor, p.reductions()));
        }

        @Override
        public Plateau findPlateau() {
            return this;
        }

        /**
         * What has been seen so far.
         *
         * @param best NaN before the first epoch
         */
        public record State(double best, int badEpochs, int reductions) {
            public static final State START = new State(Double.NaN, 0, 0);
        }

        State next(State s, double value) {
            if (monitor.better(value, s.best(), minDelta)) {
                return new State(value, 0, s.reductions());
            }
            return s.badEpochs() + 1 > patience ? new State(s.best(), 0, s.reductions() + 1)
                    : new State(s.best(), s.badEpochs() + 1, s.reductions());
        }
    }
}
