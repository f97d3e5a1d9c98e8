package dev.graft.nn.transfer;

import dev.graft.nn.data.DataSplit;
import dev.graft.nn.data.Dataset;
import dev.graft.nn.data.image.BrokenImageException;
import dev.graft.nn.data.image.Transforms;
import dev.graft.tensor.Context;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/**
 * Whether the features of the stages that stay frozen are computed once, before the run.
 *
 * @param prefix     how many stages; 0 when none are
 * @param training   one request for each augmented copy, or one alone
 * @param validation of the validation data
 * @param format     how they are kept
 * @param reason     why none are although some stages stay frozen, or why {@code auto} has become int8; else null
 */
record FeatureChoice(int prefix, List<FeatureRequest> training, FeatureRequest validation, FeatureFormat format,
                     String reason) {
    /** The share of the heap that features without a file, and decoded ones, may take. */
    static final int SHARE = 4;

    static FeatureChoice none(String reason) {
        return new FeatureChoice(0, List.of(), null, null, reason);
    }

    static FeatureChoice of(StagedNetwork net, FineTunePlan plan, DataSplit data, Transforms train, Transforms eval,
                            FeatureCache cache, int workers) {
        int prefix = plan.lastingPrefix(net);
        if (prefix == 0) {
            return none(null);
        }
        if (!plan.cacheFeatures()) {
            return none("that is switched off");
        }
        if (!plan.cachesFeatures()) {
            return none("training images are varied at random. Without augmentation, or with a number of augmented copies,"
                    + " they could be");
        }
        String network = FeatureKey.ofStages(net, prefix, plan.precision());
        List<FeatureRequest> training = new ArrayList<>();
        int copies = train.random() ? Math.max(1, plan.augmentedCopies()) : 1;     // else they would all be the same
        for (int copy = 0; copy < copies; copy++) {
            training.add(new FeatureRequest(net, prefix, network, data.train(), train, plan.precision(), plan.seed(),
                    copy, workers));
        }
        FeatureRequest validation = new FeatureRequest(net, prefix, network, data.validation(), eval, plan.precision(),
                0, 0, workers);
        return new FeatureChoice(prefix, List.copyOf(training), validation, plan.featureFormat(), null).fitting(cache);
    }

    private boolean isStored(FeatureCache cache) {
        return Stream.concat(training.stream(), Stream.of(validation)).allMatch(r -> {
            try (Features f = cache.find(r, format)) {
                return f != null;
            }
        });
    }

    /** This choice, where the features are worth their room and find it; {@code auto} as int8, where only that does. */
    private FeatureChoice fitting(FeatureCache cache) {
        if (isStored(cache)) {
            return this;
        }
        Probe probe = probe();
        long perImage = format.bytes() * probe.values();
        if (format == FeatureFormat.AUTO && perImage > probe.pixels()) {
            return none("the features of an image take " + bytes(perImage) + ", more than its " + bytes(probe.pixels())
                    + " of pixels");
        }
        long images = (long) training.size() * training.getFirst().data().size() + validation.data().size();
        long values = images * probe.values();
        if (fits(cache, format, values)) {
            return this;
        }
        String tooLarge = " would take " + bytes(format.bytes() * values) + ", more than "
                + (cache.limit() > 0 ? "the " + bytes(cache.limit()) + " of the cache's folder and " : "")
                + bytes(cache.memory()) + " of memory";
        // a set is float32 until it is complete; in memory it keeps that room, and float16 would have fitted
        long largest = Math.max(training.getFirst().data().size(), validation.data().size()) * probe.values();
        long whileWritten = FeatureFormat.INT8.bytes() * (values - largest) + Float.BYTES * largest;
        return format == FeatureFormat.AUTO && whileWritten <= cache.limit()
                ? new FeatureChoice(prefix, training, validation, FeatureFormat.INT8, format.stored().label() + tooLarge)
                : none("the features of " + images + " images" + tooLarge);
    }

    /** Whether there is room for {@code values} in the folder, or in memory, where int8 begins as float32. */
    private static boolean fits(FeatureCache cache, FeatureFormat format, long values) {
        long inMemory = format == FeatureFormat.INT8 ? Float.BYTES : format.bytes();
        return format.bytes() * values <= cache.limit() || inMemory * values <= cache.memory();
    }

    /** Sizes of one image: bytes that the network sees, and values behind the stages. */
    private record Probe(long pixels, long values) {
    }

    /** Sends the first image that can be read through the stages. */
    private Probe probe() {
        Dataset set = training.getFirst().data();
        for (int i = 0; i < set.size(); i++) {
            try (Scope s = Scope.open("probe")) {
                StagedNetwork net = validation.net();
                Tensor one = validation.transforms().toTensor(set.image(i)).to(net.device());
                return new Probe(one.size(), Context.inference().call(() -> net.callStages(one, 0, prefix)).size());
            } catch (BrokenImageException e) {
                continue;
            }
        }
        throw new GraftException("fine-tuning: none of the " + set.size() + " training images could be read");
    }

    /** Whether a set of {@code bytes} may be kept in the heap. */
    static boolean fitsHeap(long bytes) {
        return bytes <= Runtime.getRuntime().maxMemory() / SHARE / 2;
    }

    static String bytes(long n) {
        return n < 1 << 10 ? n + " B" : n < 1 << 20 ? String.format(Locale.ROOT, "%.1f KiB", n / 1024.0)
                : n < 1 << 30 ? String.format(Locale.ROOT, "%.1f MiB", n / 1048576.0)
                : String.format(Locale.ROOT, "%.1f GiB", n / 1073741824.0);
    }
}
