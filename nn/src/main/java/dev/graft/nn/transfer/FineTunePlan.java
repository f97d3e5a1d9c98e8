package dev.graft.nn.transfer;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.graft.nn.ParamSelector;
import dev.graft.nn.optim.AdamW;
import dev.graft.nn.optim.ParamGroup;
import dev.graft.nn.optim.Schedule;
import dev.graft.nn.optim.UpdateRule;
import dev.graft.tensor.GraftException;
import java.util.ArrayList;
import java.util.List;

/**
 * What is trained, when and how: a value, made step by step, printed before training, saved with every checkpoint.
 *
 * <pre>{@code
 * var plan = FineTunePlan.of(Strategy.FINETUNE, net, 10)
 *         .freeze("features.0.*")                  // no gradient, no state, no penalty, batch norm fixed, dropout off
 *         .unfreezeAt(3, "features.0.*")
 *         .withRule(new AdamW(1e-3))
 *         .stopEarly(5);
 * System.out.println(plan.describe(net));
 * }</pre>
 *
 * @param strategy        the strategy it began as, for reports
 * @param randomWeights   whether all weights begin at random
 * @param frozen          what is not trained
 * @param unfreezing      what becomes trainable later although frozen
 * @param fixedStatistics batch norms that keep their running statistics although their weights may learn
 * @param groups          learning rates, weight decay and regularizers by path; what none selects has the rule's own
 * @param rule            the optimizer
 * @param schedule        of the learning rate
 * @param epochs          passes over the training data, at most
 * @param batch           images a step
 * @param seed            of the head's weights, the order, the augmentation and dropout
 * @param labelSmoothing  of the cross-entropy, from 0 to 1
 * @param clipNorm        largest global gradient norm; 0 for no clipping
 * @param patience        epochs without a better validation accuracy before it stops; 0 to run all
 * @param restoreBest     whether the weights of the best epoch are put back at the end
 * @param augmentation    whether training images are varied at random; without it frozen stages are computed once
 * @param cacheFeatures   whether the output of stages that stay frozen is kept, in memory and on disk
 */
public record FineTunePlan(String strategy, boolean randomWeights, ParamSelector frozen, List<Unfreeze> unfreezing,
                           ParamSelector fixedStatistics, List<ParamGroup> groups, UpdateRule rule, Schedule schedule,
                           int epochs, int batch, long seed, double labelSmoothing, double clipNorm, int patience,
                           boolean restoreBest, boolean augmentation, boolean cacheFeatures) {
    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES).build();

    public FineTunePlan {
        unfreezing = List.copyOf(unfreezing);
        groups = List.copyOf(groups);
        check(epochs >= 1, "epochs", epochs, "1 or more");
        check(batch >= 1, "batch", batch, "1 or more");
        check(labelSmoothing >= 0 && labelSmoothing < 1, "label smoothing", labelSmoothing, "from 0 to below 1");
        check(clipNorm >= 0, "clip norm", clipNorm, "0 or more");
        check(patience >= 0, "patience", patience, "0 or more");
        for (Unfreeze u : unfreezing) {
            check(u.epoch() < epochs, "unfreezing epoch", u.epoch(), "below the " + epochs + " epochs of the run");
        }
    }

    private static void check(boolean ok, String what, Object value, String want) {
        if (!ok) {
            throw new GraftException("plan: " + what + " is " + value + ", it must be " + want);
        }
    }

    /** The plan of {@code strategy} for {@code net}: AdamW at 0.001, cosine schedule, batches of 32. */
    public static FineTunePlan of(Strategy strategy, StagedNetwork net, int epochs) {
        FineTunePlan base = new FineTunePlan(strategy.label(), false, ParamSelector.NONE, List.of(), ParamSelector.NONE,
                List.of(), new AdamW(1e-3), Schedule.cosine(), epochs, 32, 0, 0, 0, 0, true, true, true);
        return strategy.plan(net, base);
    }

    /** Freezes {@code patterns} as well; see {@link ParamSelector}. */
    public FineTunePlan freeze(String... patterns) {
        return withFrozen(frozen.and(ParamSelector.of(patterns)));
    }

    /** Trains {@code patterns} from {@code epoch} on, counted from 0. */
    public FineTunePlan unfreezeAt(int epoch, String... patterns) {
        List<Unfreeze> more = new ArrayList<>(unfreezing);
        more.add(new Unfreeze(epoch, ParamSelector.of(patterns)));
        return withUnfreezing(more);
    }

    /** Puts {@code group} before the groups there are, so that it wins. */
    public FineTunePlan withGroup(ParamGroup group) {
        List<ParamGroup> more = new ArrayList<>(groups);
        more.addFirst(group);
        return withGroups(more.toArray(new ParamGroup[0]));
    }

    public FineTunePlan stopEarly(int epochsWithoutProgress) {
        return new FineTunePlan(strategy, randomWeights, frozen, unfreezing, fixedStatistics, groups, rule, schedule,
                epochs, batch, seed, labelSmoothing, clipNorm, epochsWithoutProgress, restoreBest, augmentation, cacheFeatures);
    }

    public FineTunePlan withRandomWeights(boolean on) {
        return new FineTunePlan(strategy, on, frozen, unfreezing, fixedStatistics, groups, rule, schedule, epochs, batch,
                seed, labelSmoothing, clipNorm, patience, restoreBest, augmentation, cacheFeatures);
    }

    public FineTunePlan withFrozen(ParamSelector selector) {
        return new FineTunePlan(strategy, randomWeights, selector, unfreezing, fixedStatistics, groups, rule, schedule,
                epochs, batch, seed, labelSmoothing, clipNorm, patience, restoreBest, augmentation, cacheFeatures);
    }

    public FineTunePlan withUnfreezing(List<Unfreeze> all) {
        return new FineTunePlan(strategy, randomWeights, frozen, all, fixedStatistics, groups, rule, schedule, epochs,
                batch, seed, labelSmoothing, clipNorm, patience, restoreBest, augmentation, cacheFeatures);
    }

    public FineTunePlan withFixedStatistics(ParamSelector selector) {
        return new FineTunePlan(strategy, randomWeights, frozen, unfreezing, selector, groups, rule, schedule, epochs,
                batch, seed, labelSmoothing, clipNorm, patience, restoreBest, augmentation, cacheFeatures);
    }

    public FineTunePlan withGroups(ParamGroup... all) {
        return new FineTunePlan(strategy, randomWeights, frozen, unfreezing, fixedStatistics, List.of(all), rule, schedule,
                epochs, batch, seed, labelSmoothing, clipNorm, patience, restoreBest, augmentation, cacheFeatures);
    }

    public FineTunePlan withRule(UpdateRule r) {
        return new FineTunePlan(strategy, randomWeights, frozen, unfreezing, fixedStatistics, groups, r, schedule, epochs,
                batch, seed, labelSmoothing, clipNorm, patience, restoreBest, augmentation, cacheFeatures);
    }

    public FineTunePlan withSchedule(Schedule s) {
        return new FineTunePlan(strategy, randomWeights, frozen, unfreezing, fixedStatistics, groups, rule, s, epochs,
                batch, seed, labelSmoothing, clipNorm, patience, restoreBest, augmentation, cacheFeatures);
    }

    public FineTunePlan withBatch(int images) {
        return new FineTunePlan(strategy, randomWeights, frozen, unfreezing, fixedStatistics, groups, rule, schedule,
                epochs, images, seed, labelSmoothing, clipNorm, patience, restoreBest, augmentation, cacheFeatures);
    }

    public FineTunePlan withSeed(long s) {
        return new FineTunePlan(strategy, randomWeights, frozen, unfreezing, fixedStatistics, groups, rule, schedule,
                epochs, batch, s, labelSmoothing, clipNorm, patience, restoreBest, augmentation, cacheFeatures);
    }

    public FineTunePlan withLabelSmoothing(double s) {
        return new FineTunePlan(strategy, randomWeights, frozen, unfreezing, fixedStatistics, groups, rule, schedule,
                epochs, batch, seed, s, clipNorm, patience, restoreBest, augmentation, cacheFeatures);
    }

    public FineTunePlan withClipNorm(double norm) {
        return new FineTunePlan(strategy, randomWeights, frozen, unfreezing, fixedStatistics, groups, rule, schedule,
                epochs, batch, seed, labelSmoothing, norm, patience, restoreBest, augmentation, cacheFeatures);
    }

    /** Whether the weights of the best epoch are put back at the end (they are by default) or the last ones stay. */
    public FineTunePlan restoreBest(boolean on) {
        return new FineTunePlan(strategy, randomWeights, frozen, unfreezing, fixedStatistics, groups, rule, schedule,
                epochs, batch, seed, labelSmoothing, clipNorm, patience, on, augmentation, cacheFeatures);
    }

    public FineTunePlan withAugmentation(boolean on) {
        return new FineTunePlan(strategy, randomWeights, frozen, unfreezing, fixedStatistics, groups, rule, schedule,
                epochs, batch, seed, labelSmoothing, clipNorm, patience, restoreBest, on, cacheFeatures);
    }

    public FineTunePlan withCachedFeatures(boolean on) {
        return new FineTunePlan(strategy, randomWeights, frozen, unfreezing, fixedStatistics, groups, rule, schedule,
                epochs, batch, seed, labelSmoothing, clipNorm, patience, restoreBest, augmentation, on);
    }

    /** What is frozen in {@code epoch}. */
    public ParamSelector frozenAt(int epoch) {
        ParamSelector s = frozen;
        for (Unfreeze u : unfreezing) {
            if (u.epoch() <= epoch) {
                s = s.and(new ParamSelector(u.selector().patterns().stream()
                        .map(p -> p.startsWith("!") ? p.substring(1) : "!" + p).toList()));
            }
        }
        return s;
    }

    /** Sets {@code net} up for {@code epoch}: what is trainable and which batch norms are fixed. */
    public void applyTo(StagedNetwork net, int epoch) {
        ParamSelector now = frozenAt(epoch);
        for (String p : now.patterns()) {
            if (!p.startsWith("!") && net.parameters().keySet().stream().noneMatch(ParamSelector.of(p)::matches)) {
                throw new GraftException("plan: freeze pattern '" + p + "' selects no parameter of the network, whose paths"
                        + " begin with " + net.children().keySet());
            }
        }
        net.freeze(now, fixedStatistics);
        if (net.parameters().values().stream().noneMatch(dev.graft.nn.Parameter::trainable)) {
            throw new GraftException("plan: everything is frozen in epoch " + epoch + " ('" + now
                    + "'): leave at least the head, " + net.headPath() + ", trainable");
        }
    }

    /** How many stages from the input on stay frozen in every epoch. Leaves {@code net} as in epoch 0. */
    public int lastingPrefix(StagedNetwork net) {
        int prefix = net.stages().size();
        for (int e = epochs - 1; e >= 0; e--) {
            if (e == 0 || unfreezing.stream().anyMatch(u -> u.epoch() <= epochs) && changesAt(e)) {
                applyTo(net, e);
                prefix = Math.min(prefix, net.frozenPrefix());
            }
        }
        return prefix;
    }

    private boolean changesAt(int epoch) {
        return unfreezing.stream().anyMatch(u -> u.epoch() == epoch);
    }

    /** The plan as a table over the parameters of {@code net}, head already in place. */
    public String describe(StagedNetwork net) {
        return PlanTable.of(this, net);
    }

    public String toJson() {
        try {
            return JSON.writerWithDefaultPrettyPrinter().writeValueAsString(this);
        } catch (JsonProcessingException e) {
            throw new GraftException("plan: it cannot be written as JSON: " + e.getOriginalMessage(), e);
        }
    }

    public static FineTunePlan fromJson(String json) {
        try {
            return JSON.readValue(json, FineTunePlan.class);
        } catch (JsonProcessingException e) {
            throw new GraftException("plan: the JSON is not a fine-tuning plan: " + e.getOriginalMessage(), e);
        }
    }
}
