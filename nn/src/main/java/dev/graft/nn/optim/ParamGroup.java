package dev.graft.nn.optim;

import dev.graft.nn.ParamSelector;
import java.util.List;

/**
 * Parameters that are trained alike. The first group whose selector matches a parameter's path takes it.
 *
 * @param name             for reports and history columns
 * @param selector         which parameters, by path
 * @param lr               learning rate, or null for the rule's
 * @param lrFactor         multiplies the learning rate: 0.1 for a backbone that should move less than its head
 * @param weightDecay      or null for the rule's
 * @param decayBiasAndNorm whether weight decay and regularizers also apply to biases and scales of normalisations
 * @param regularizers     penalties of this group
 * @param schedule         of this group alone, or null for the run's
 */
public record ParamGroup(String name, ParamSelector selector, Double lr, double lrFactor, Double weightDecay,
                         boolean decayBiasAndNorm, List<Regularizer> regularizers, Schedule schedule) {
    public ParamGroup {
        Range.check(name != null && !name.isBlank(), "group: it needs a name");
        Range.check(selector != null && !selector.isEmpty(), "group '" + name + "': its selector is empty");
        if (lr != null) {
            Range.rate("group '" + name + "'", "lr", lr);
        }
        Range.rate("group '" + name + "'", "lrFactor", lrFactor);
        if (weightDecay != null) {
            Range.rate("group '" + name + "'", "weightDecay", weightDecay);
        }
        regularizers = regularizers == null ? List.of() : List.copyOf(regularizers);
    }

    /** A group with the rule's learning rate and decay; {@code patterns} as in {@link ParamSelector#of}. */
    public static ParamGroup of(String name, String... patterns) {
        return of(name, ParamSelector.of(patterns));
    }

    public static ParamGroup of(String name, ParamSelector selector) {
        return new ParamGroup(name, selector, null, 1, null, false, List.of(), null);
    }

    public ParamGroup withLr(double rate) {
        return new ParamGroup(name, selector, rate, lrFactor, weightDecay, decayBiasAndNorm, regularizers, schedule);
    }

    public ParamGroup withLrFactor(double factor) {
        return new ParamGroup(name, selector, lr, factor, weightDecay, decayBiasAndNorm, regularizers, schedule);
    }

    public ParamGroup withWeightDecay(double decay) {
        return new ParamGroup(name, selector, lr, lrFactor, decay, decayBiasAndNorm, regularizers, schedule);
    }

    public ParamGroup withDecayOfBiasAndNorm() {
        return new ParamGroup(name, selector, lr, lrFactor, weightDecay, true, regularizers, schedule);
    }

    public ParamGroup withRegularizers(Regularizer... all) {
        return new ParamGroup(name, selector, lr, lrFactor, weightDecay, decayBiasAndNorm, List.of(all), schedule);
    }

    public ParamGroup withSchedule(Schedule s) {
        return new ParamGroup(name, selector, lr, lrFactor, weightDecay, decayBiasAndNorm, regularizers, s);
    }

    /** The learning rate before schedules. */
    public double baseLr(UpdateRule rule) {
        return (lr == null ? rule.lr() : lr) * lrFactor;
    }

    /** The weight decay of this group's weights. */
    public double baseDecay(UpdateRule rule) {
        return weightDecay == null ? rule.weightDecay() : weightDecay;
    }
}
