package dev.graft.nn.transfer;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.graft.nn.NearestNames;
import dev.graft.nn.ParamSelector;
import dev.graft.nn.Parameter;
import dev.graft.nn.Precision;
import dev.graft.nn.optim.AdamW;
import dev.graft.nn.optim.Optimizer;
import dev.graft.nn.optim.ParamGroup;
import dev.graft.nn.optim.Schedule;
import dev.graft.nn.optim.UpdateRule;
import dev.graft.tensor.DType;
import dev.graft.tensor.GraftException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;

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
 * @param featureFormat   how it is kept, and with {@link FeatureFormat#AUTO} whether it is worth it
 * @param augmentedCopies with augmentation: how many varied copies of each training image are made, whose features can be
 *                        kept; epoch e sees copy e modulo this number. 0 for new ones in every epoch, which no cache holds
 * @param precision       what forward and backward passes compute in
 */
public record FineTunePlan(String strategy, boolean randomWeights, ParamSelector frozen, List<Unfreeze> unfreezing,
                           ParamSelector fixedStatistics, List<ParamGroup> groups, UpdateRule rule, Schedule schedule,
                           int epochs, int batch, long seed, double labelSmoothing, double clipNorm, int patience,
                           boolean restoreBest, boolean augmentation, boolean cacheFeatures, FeatureFormat featureFormat,
                           int augmentedCopies, Precision precision) {
    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES).build();

    public FineTunePlan {
        unfreezing = List.copyOf(unfreezing);
        groups = List.copyOf(groups);
        featureFormat = featureFormat == null ? FeatureFormat.FLOAT32 : featureFormat;      // as all were kept then
        precision = precision == null ? Precision.FLOAT32 : precision;      // saved before there was a choice
        check(epochs >= 1, "epochs", epochs, "1 or more");
        check(batch >= 1, "batch", batch, "1 or more");
        check(labelSmoothing >= 0 && labelSmoothing < 1, "label smoothing", labelSmoothing, "from 0 to below 1");
        check(clipNorm >= 0, "clip norm", clipNorm, "0 or more");
        check(augmentedCopies >= 0, "augmented copies", augmentedCopies, "0 or more");
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
                List.of(), new AdamW(1e-3), Schedule.cosine(), epochs, 32, 0, 0, 0, 0, true, true, true,
                FeatureFormat.AUTO, 0, Precision.FLOAT32);
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
        return with(d -> d.patience = epochsWithoutProgress);
    }

    public FineTunePlan withRandomWeights(boolean on) {
        return with(d -> d.randomWeights = on);
    }

    public FineTunePlan withFrozen(ParamSelector selector) {
        return with(d -> d.frozen = selector);
    }

    public FineTunePlan withUnfreezing(List<Unfreeze> all) {
        return with(d -> d.unfreezing = all);
    }

    public FineTunePlan withFixedStatistics(ParamSelector selector) {
        return with(d -> d.fixedStatistics = selector);
    }

    public FineTunePlan withGroups(ParamGroup... all) {
        return with(d -> d.groups = List.of(all));
    }

    public FineTunePlan withRule(UpdateRule r) {
        return with(d -> d.rule = r);
    }

    public FineTunePlan withSchedule(Schedule s) {
        return with(d -> d.schedule = s);
    }

    public FineTunePlan withBatch(int images) {
        return with(d -> d.batch = images);
    }

    public FineTunePlan withSeed(long s) {
        return with(d -> d.seed = s);
    }

    public FineTunePlan withLabelSmoothing(double s) {
        return with(d -> d.labelSmoothing = s);
    }

    public FineTunePlan withClipNorm(double norm) {
        return with(d -> d.clipNorm = norm);
    }

    /** Whether the weights of the best epoch are put back at the end (they are by default) or the last ones stay. */
    public FineTunePlan restoreBest(boolean on) {
        return with(d -> d.restoreBest = on);
    }

    public FineTunePlan withAugmentation(boolean on) {
        return with(d -> d.augmentation = on);
    }

    public FineTunePlan withCachedFeatures(boolean on) {
        return with(d -> d.cacheFeatures = on);
    }

    public FineTunePlan withFeatureFormat(FeatureFormat format) {
        return with(d -> d.featureFormat = format);
    }

    /** Each image in {@code n} varied copies in turn instead of new ones in every epoch, so that features can be kept. */
    public FineTunePlan withAugmentedCopies(int n) {
        return with(d -> d.augmentedCopies = n);
    }

    /** Whether frozen stages see the same images in several epochs, and their output is to be kept. */
    boolean cachesFeatures() {
        return cacheFeatures && (!augmentation || augmentedCopies > 0);
    }

    public FineTunePlan withPrecision(Precision p) {
        return with(d -> d.precision = p);
    }

    private FineTunePlan with(Consumer<Draft> change) {
        Draft d = new Draft(this);
        change.accept(d);
        return d.plan();
    }

    /** A plan whose parts can be set one by one: what every {@code with} method goes through. */
    private static final class Draft {
        private final String strategy;
        private boolean randomWeights;
        private ParamSelector frozen;
        private List<Unfreeze> unfreezing;
        private ParamSelector fixedStatistics;
        private List<ParamGroup> groups;
        private UpdateRule rule;
        private Schedule schedule;
        private final int epochs;
        private int batch;
        private long seed;
        private double labelSmoothing;
        private double clipNorm;
        private int patience;
        private boolean restoreBest;
        private boolean augmentation;
        private boolean cacheFeatures;
        private FeatureFormat featureFormat;
        private int augmentedCopies;
        private Precision precision;

        Draft(FineTunePlan p) {
            strategy = p.strategy;
            randomWeights = p.randomWeights;
            frozen = p.frozen;
            unfreezing = p.unfreezing;
            fixedStatistics = p.fixedStatistics;
            groups = p.groups;
            rule = p.rule;
            schedule = p.schedule;
            epochs = p.epochs;
            batch = p.batch;
            seed = p.seed;
            labelSmoothing = p.labelSmoothing;
            clipNorm = p.clipNorm;
            patience = p.patience;
            restoreBest = p.restoreBest;
            augmentation = p.augmentation;
            cacheFeatures = p.cacheFeatures;
            featureFormat = p.featureFormat;
            augmentedCopies = p.augmentedCopies;
            precision = p.precision;
        }

        FineTunePlan plan() {
            return new FineTunePlan(strategy, randomWeights, frozen, unfreezing, fixedStatistics, groups, rule, schedule,
                    epochs, batch, seed, labelSmoothing, clipNorm, patience, restoreBest, augmentation, cacheFeatures,
                    featureFormat, augmentedCopies, precision);
        }
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

    /**
     * Sets {@code net} up for {@code epoch}: what is trainable and which batch norms are fixed. The plan alone decides: what
     * was frozen by hand before is trained unless the plan freezes it.
     *
     * @throws GraftException when a pattern selects nothing, nothing is left to train, or a weight that is stored in fewer
     *                        bits is to be trained, in this epoch or another one; {@code net} is as it was then
     */
    public void applyTo(StagedNetwork net, int epoch) {
        Map<String, Parameter> parameters = net.parameters();
        checkSelection(parameters.keySet(), net.modules().keySet(), null);
        checkStored(net, parameters);
        checkTrains(net, parameters.keySet(), epoch);
        net.freeze(frozenAt(epoch), fixedStatistics);
    }

    /**
     * Refuses what {@link #applyTo} or the optimizer would refuse in any epoch, while nothing of {@code net} has changed.
     *
     * @param newHead whether the head is about to be replaced: only then it is known what is in the new one, so patterns
     *                that select nothing yet and could select something there are left to {@link #applyTo}
     */
    void check(StagedNetwork net, boolean newHead) {
        Map<String, Parameter> parameters = net.parameters();
        String head = newHead ? net.headPath() : null;
        checkSelection(parameters.keySet(), net.modules().keySet(), head);
        if (!randomWeights) {           // else they all begin anew, in float32
            Map<String, Parameter> kept = new LinkedHashMap<>(parameters);
            kept.keySet().removeIf(path -> newHead && net.head().matches(path));
            checkStored(net, kept);
        }
        for (int e = 0; e < epochs; e++) {
            if ((e == 0 || changesAt(e)) && !mayTrain(frozenAt(e), parameters.keySet(), head)) {
                checkTrains(net, parameters.keySet(), e);
            }
        }
        Optimizer.check(groups.stream().filter(g -> !isOfHead(g.selector(), head)
                || parameters.keySet().stream().anyMatch(g.selector()::matches)).toList(), parameters.keySet());
    }

    /** Whether what {@code frozen} takes away from may be in the new head at {@code head} only. */
    private static boolean mayTrain(ParamSelector frozen, Set<String> parameters, String head) {
        return frozen.patterns().stream().filter(p -> p.startsWith("!")).map(FineTunePlan::alone)
                .anyMatch(s -> isOfHead(s, head) && parameters.stream().noneMatch(s::matches));
    }

    /** What {@code pattern} selects, or takes away. */
    private static ParamSelector alone(String pattern) {
        return new ParamSelector(List.of(pattern.startsWith("!") ? pattern.substring(1) : pattern));
    }

    private void checkSelection(Set<String> parameters, Set<String> modules, String head) {
        Set<String> paths = new LinkedHashSet<>(parameters);
        paths.addAll(modules);
        checkSelects("freeze", frozen, paths, head);
        unfreezing.forEach(u -> checkSelects("unfreeze", u.selector(), paths, head));
    }

    /** Whether {@code selector} could select something in the new module at {@code head}; false when that is null. */
    private static boolean isOfHead(ParamSelector selector, String head) {
        return head != null && selector.mayMatchBelow(head);
    }

    private void checkTrains(StagedNetwork net, Set<String> parameters, int epoch) {
        ParamSelector now = frozenAt(epoch);
        if (parameters.stream().allMatch(now::matches)) {
            throw new GraftException("plan: everything is frozen in epoch " + epoch + " ('" + now
                    + "'): leave at least the head, " + net.headPath() + ", trainable");
        }
    }

    /** A mistyped pattern would train what should be frozen, or never train what should be unfrozen. */
    private static void checkSelects(String what, ParamSelector selector, Set<String> paths, String head) {
        for (String p : selector.patterns()) {
            ParamSelector alone = alone(p);
            if (paths.stream().noneMatch(alone::matches) && !isOfHead(alone, head)) {
                throw new GraftException("plan: " + what + " pattern '" + p + "' selects no parameter and no layer of the"
                        + " network: the nearest names are " + String.join(", ", NearestNames.ofPattern(p, paths, 3)));
            }
        }
    }

    /** Of all epochs, so that a run does not end hours later, when a weight of few bits would be unfrozen. */
    private void checkStored(StagedNetwork net, Map<String, Parameter> parameters) {
        parameters.forEach((path, p) -> {
            for (int e = 0; p.dtype() != DType.F32 && e < epochs; e++) {
                if ((e == 0 || changesAt(e)) && !frozenAt(e).matches(path)) {
                    String stage = net.stages().stream().filter(s -> s.parameters().matches(path)).map(Stage::name)
                            .findFirst().map(name -> " of stage " + name).orElse("");
                    throw new GraftException("plan: " + path + stage + " is to be trained from epoch " + (e + 1) + " of "
                            + epochs + " on, but is stored as " + p.dtype() + " and cannot become trainable: call"
                            + " quantize(DType.F32) on the network first, or keep it frozen");
                }
            }
        });
    }

    /** How many stages from the input on stay frozen in every epoch. Leaves {@code net} as in epoch 0. */
    public int lastingPrefix(StagedNetwork net) {
        int prefix = net.stages().size();
        for (int e = epochs - 1; e >= 0; e--) {
            if (e == 0 || changesAt(e)) {
                applyTo(net, e);
                prefix = Math.min(prefix, net.frozenPrefix());
            }
        }
        return prefix;
    }

    private boolean changesAt(int epoch) {
        return unfreezing.stream().anyMatch(u -> u.epoch() == epoch);
    }

    /** The plan as a table over the parameters of {@code net}, head already in place. Leaves {@code net} as in epoch 0. */
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
