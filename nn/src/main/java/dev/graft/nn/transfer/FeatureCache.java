package dev.graft.nn.transfer;

import dev.graft.nn.data.Batch;
import dev.graft.nn.data.DataLoader;
import dev.graft.nn.data.Dataset;
import dev.graft.nn.data.LoaderOptions;
import dev.graft.nn.data.image.Transforms;
import dev.graft.tensor.Context;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.function.IntConsumer;

/**
 * Computes the output of a network's first stages once for every image and keeps it: in memory for the run, and on disk
 * for later runs with the same weights, images and transforms. A file that is damaged or cannot be written costs time,
 * never the run.
 *
 * @param folder where the files lie
 * @param limit  bytes above which a set of features is not written to disk
 */
public record FeatureCache(Path folder, long limit) {
    private static final System.Logger LOG = System.getLogger(FeatureCache.class.getName());
    private static final long DEFAULT_LIMIT = 4L << 30;

    /** Property {@code graft.cache} names the folder; {@code ~/.cache/graft} otherwise. */
    public static FeatureCache standard() {
        String set = System.getProperty("graft.cache");
        Path base = set != null ? Path.of(set) : Path.of(System.getProperty("user.home"), ".cache", "graft");
        return new FeatureCache(base.resolve("features"), DEFAULT_LIMIT);
    }

    /** The features of {@code data} behind the first {@code prefix} stages; {@code progress} hears of every image. */
    Features of(StagedNetwork net, int prefix, Dataset data, Transforms transforms, int batch, IntConsumer progress) {
        String key = FeatureKey.of(net, prefix, data, transforms);
        Path file = folder.resolve(key + ".features");
        if (Files.isRegularFile(file)) {
            try {
                Features f = Features.read(file, key, data.size());
                if (Arrays.equals(f.labels(), data.labels())) {
                    progress.accept(data.size());
                    return f;
                }
            } catch (IOException e) {
                LOG.log(Level.WARNING, "feature cache: {0} is damaged ({1}) and is computed anew", file, e.getMessage());
            }
        }
        Features f = compute(net, prefix, data, transforms, batch, progress);
        if (Features.bytes(f.shape(), data.size()) <= limit) {
            try {
                f.write(file, key);
            } catch (IOException e) {
                LOG.log(Level.WARNING, "feature cache: {0} cannot be written ({1}); the next run computes again", file, e);
            }
        }
        return f;
    }

    private static Features compute(StagedNetwork net, int prefix, Dataset data, Transforms transforms, int batch,
                                    IntConsumer progress) {
        float[][] rows = new float[data.size()][];
        Shape[] shape = {null};
        try (DataLoader loader = new DataLoader(data, transforms, LoaderOptions.eval(batch).withCacheBytes(0));
                DataLoader.Epoch epoch = loader.epoch(0)) {
            for (Batch b : epoch) {
                try (b; Scope step = Scope.open("features")) {
                    Tensor x = b.images();
                    Tensor y = Context.inference().call(() -> net.callStages(x, 0, prefix));
                    shape[0] = y.shape().range(1, y.rank());
                    int n = Math.toIntExact(shape[0].size());
                    float[] all = y.toFloats();
                    for (int i = 0; i < b.size(); i++) {
                        rows[b.indices()[i]] = Arrays.copyOfRange(all, i * n, (i + 1) * n);
                    }
                    progress.accept(b.size());
                }
            }
        }
        return new Features(shape[0] == null ? Shape.of(0) : shape[0], rows, data.labels());
    }
}
