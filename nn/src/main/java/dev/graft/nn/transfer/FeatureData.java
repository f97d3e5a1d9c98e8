package dev.graft.nn.transfer;

import dev.graft.nn.data.DataLoader;
import dev.graft.nn.train.Batches;
import dev.graft.nn.train.TrainingBatch;
import dev.graft.tensor.Context;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/**
 * Batches of images, or of features in their place, and what must be closed behind them.
 *
 * @param samples  which sample of the data each one is; null where they are the data's own
 * @param features what the batches come from; empty for images
 */
record FeatureData(Batches batches, int[] samples, List<Features> features, AutoCloseable behind) implements AutoCloseable {
    /** Bytes of features that are kept on the network's device. */
    private static final long ON_DEVICE = 4L << 30;
    /** A training step against a forward pass: the gradients of weights and inputs cost as much each. */
    private static final double STEP = 3;
    private static final int PROBES = 10;
    private static final long PROBE_NANOS = 200_000_000;

    static FeatureData images(DataLoader loader) {
        return new FeatureData(Batches.of(loader), null, List.of(), loader);
    }

    /**
     * Takes {@code copies} over. Those that fit are widened at once, and closed: then a step only gathers rows.
     */
    static FeatureData features(List<Features> copies, Device device, int batch, boolean shuffle, long seed) {
        Features f = copies.getFirst();
        int[] present = Arrays.stream(f.present()).filter(i -> copies.stream().allMatch(c -> c.has(i))).toArray();
        if (present.length == 0) {
            throw new GraftException("fine-tuning: none of the " + f.samples() + " images could be read");
        }
        int[] all = f.labels();
        int[] labels = Arrays.stream(present).map(i -> all[i]).toArray();
        long values = (long) present.length * f.length();
        if (copies.size() > 1 || values > Integer.MAX_VALUE / 2 || !FeatureChoice.fitsHeap(Float.BYTES * values)) {
            return new FeatureData(new FeatureBatches(copies, present, labels, batch, shuffle, seed), present, copies,
                    () -> copies.forEach(Features::close));
        }
        float[] wide = new float[(int) values];
        IntStream.range(0, present.length).forEach(i -> f.read(present[i], wide, i * f.length()));
        // on the device if they do not take too much of it: then batches are gathered there
        Device place = Float.BYTES * values <= ON_DEVICE ? device : Device.CPU;
        Tensor x = onDevice(place, () -> Tensor.from(DType.F32, wide, Shape.of(present.length).concat(f.shape())));
        Tensor y = onDevice(place, () -> Tensor.of(labels, labels.length));
        Batches b = shuffle ? Batches.shuffled(x, y, batch, seed) : Batches.of(x, y, batch);
        copies.forEach(Features::close);
        return new FeatureData(b, present, copies, () -> {
            x.close();
            y.close();
        });
    }

    private static Tensor onDevice(Device device, Supplier<Tensor> values) {
        try (Scope s = Scope.open("features")) {
            Tensor t = values.get();
            return t.device().equals(device) ? t.retain() : t.to(device).retain();
        }
    }

    /**
     * One sentence on what these features, those of the training images, save in every epoch.
     *
     * @param whyNarrow why they are int8 although nobody asked for it, or null
     */
    String saving(StagedNetwork net, int prefix, FeatureData validation, String whyNarrow) {
        long seen = batches.samples() + validation.batches.samples();
        long bytes = 0;
        for (Features f : features) {
            bytes += f.bytes();
        }
        Features v = validation.features.getFirst();
        long rows = (long) features.size() * features.getFirst().samples() + v.samples();
        double computing = (features.getFirst().secondsPerImage() * batches.samples()
                + v.secondsPerImage() * validation.batches.samples());
        double head = forwardSeconds(net, prefix) * batches.count() * STEP
                + validation.forwardSeconds(net, prefix) * validation.batches.count();
        return String.format(Locale.ROOT, "features of the frozen layers are cached (%d images x %s, %s %s%s): an epoch over"
                        + " %d images takes about %.2g s instead of %.2g s", rows, sizes(v.shape()),
                FeatureChoice.bytes(bytes + v.bytes()), v.format().label(),
                whyNarrow != null && v.format() == FeatureFormat.INT8 ? " because " + whyNarrow : "", seen, head,
                head + computing);
    }

    private static String sizes(Shape shape) {
        return String.join(" x ", Arrays.stream(shape.dims()).mapToObj(Integer::toString).toList());
    }

    /** What a batch takes from the cut to the output, once the code is compiled a little. */
    private double forwardSeconds(StagedNetwork net, int prefix) {
        double best = Double.POSITIVE_INFINITY;
        long first = System.nanoTime();
        for (int i = 0; i < PROBES && (i == 0 || System.nanoTime() - first < PROBE_NANOS); i++) {
            long start = System.nanoTime();
            try (Scope s = Scope.open("probe"); Batches.Cursor cursor = batches.open(0, 0)) {
                TrainingBatch b = cursor.next();
                Scope.adopt(b.input());
                Scope.adopt(b.target());
                Tensor x = b.input().to(net.device());
                Context.inference().call(() -> net.callStages(x, prefix, net.stages().size())).toFloats();
            }
            best = Math.min(best, (System.nanoTime() - start) / 1e9);
        }
        return best;
    }

    @Override
    public void close() {
        try {
            behind.close();
        } catch (Exception e) {
            throw new GraftException("fine-tuning: a data source could not be closed: " + e.getMessage(), e);
        }
    }
}
