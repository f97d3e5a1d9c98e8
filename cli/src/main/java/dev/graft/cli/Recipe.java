package dev.graft.cli;

import dev.graft.nn.Precision;
import dev.graft.nn.optim.AdamW;
import dev.graft.nn.optim.Schedule;
import dev.graft.nn.transfer.FeatureFormat;
import dev.graft.nn.transfer.FineTunePlan;
import dev.graft.nn.transfer.StagedNetwork;
import dev.graft.nn.transfer.Strategy;
import java.util.List;

/**
 * What the command line says about training; null or empty where it says nothing and the strategy's default holds.
 *
 * @param augment        whether training images are varied at random
 * @param featureCache   what {@code --feature-cache} says
 * @param copies         augmented copies of each image; 0 for new ones in every epoch
 * @param labelSmoothing 0 for none
 * @param patience       0 to run all epochs
 */
record Recipe(Strategy strategy, List<String> freeze, Integer epochs, Integer batch, Double lr, long seed, Boolean augment,
              String featureCache, int copies, double labelSmoothing, int patience, Precision precision) {
    private static final int BATCH = 32;
    private static final String NO_CACHE = "off";

    FineTunePlan plan(StagedNetwork net) {
        FineTunePlan p = FineTunePlan.of(strategy, net, epochs == null ? epochs(strategy) : epochs)
                .withBatch(batch == null ? BATCH : batch).withSeed(seed).withLabelSmoothing(labelSmoothing)
                .withRule(new AdamW(lr == null ? rate(strategy) : lr)).withSchedule(Schedule.cosine())
                .withPrecision(precision);
        if (!freeze.isEmpty()) {
            p = p.freeze(freeze.toArray(new String[0]));
        }
        if (augment != null) {
            p = p.withAugmentation(augment);
        }
        if (copies != 0) {      // a negative number is refused
            p = p.withAugmentation(true).withAugmentedCopies(copies);
        }
        p = featureCache.equals(NO_CACHE) ? p.withCachedFeatures(false)
                : p.withFeatureFormat(FeatureFormat.parse(featureCache));
        return patience > 0 ? p.stopEarly(patience) : p;
    }

    static int epochs(Strategy strategy) {
        return switch (strategy) {
            case FEATURES, SCRATCH -> 20;
            case FINETUNE -> 8;
            case GRADUAL -> 10;
        };
    }

    /** AdamW's rate; where there is a pretrained backbone, the head's, and the backbone has a part of it. */
    static double rate(Strategy strategy) {
        return switch (strategy) {
            case FEATURES -> 2e-3;
            case SCRATCH, GRADUAL -> 1e-3;
            case FINETUNE -> 5e-4;
        };
    }
}
