package dev.graft.nn.transfer;

import dev.graft.nn.Precision;
import dev.graft.nn.data.Dataset;
import dev.graft.nn.data.LoaderOptions;
import dev.graft.nn.data.image.Transforms;

/**
 * Features that are asked for: what the first {@code prefix} stages make of {@code data} behind {@code transforms}.
 *
 * @param network the stages' settings and weights, see {@link FeatureKey#ofStages}
 * @param seed of random transforms
 * @param copy which of the augmented copies of the data: that of epoch {@code copy}; 0 where nothing is random
 * @param workers threads that decode; features do not depend on it
 */
record FeatureRequest(StagedNetwork net, int prefix, String network, Dataset data, Transforms transforms,
                      Precision precision, long seed, int copy, int workers) {
    /** Images at once, whatever the plan's batch: kernels are chosen by size, so the last bits of features depend on it. */
    static final int BATCH = 32;

    /** All images in their order, at random as they would be in epoch {@link #copy} of a training. */
    LoaderOptions loading() {
        LoaderOptions o = new LoaderOptions(BATCH, false, false, seed, workers, 2, 0, false);
        return transforms.random() ? o.withCacheBytes(LoaderOptions.eval(BATCH).cacheBytes()) : o;
    }

    String key(FeatureFormat format) {
        return FeatureKey.of(this, format);
    }
}
