package dev.graft.nn.transfer;

import dev.graft.nn.Inference;
import dev.graft.nn.Precision;
import dev.graft.nn.data.Batch;
import dev.graft.nn.data.DataLoader;
import dev.graft.nn.data.Dataset;
import dev.graft.nn.data.LoaderOptions;
import dev.graft.nn.data.image.Transforms;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.function.IntConsumer;

/**
 * Computes the output of a network's first stages once for every image and keeps it: in memory for the run, and on disk
 * for later runs with the same weights, images and transforms. A file that is damaged or cannot be written costs time,
 * never the run.
 *
 * @param folder where the files lie
 * @param limit  bytes that all of them may take: the ones unused for longest make room, and what does not fit is not written
 */
public record FeatureCache(Path folder, long limit) {
    private static final System.Logger LOG = System.getLogger(FeatureCache.class.getName());
    private static final long DEFAULT_LIMIT = 4L << 30;
    /** Images at once, whatever the plan's batch: kernels are chosen by size, so the last bits of features depend on it. */
    private static final int BATCH = 32;

    /** Property {@code graft.cache} names the folder; {@code ~/.cache/graft} otherwise. */
    public static FeatureCache standard() {
        String set = System.getProperty("graft.cache");
        Path base = set != null ? Path.of(set) : Path.of(System.getProperty("user.home"), ".cache", "graft");
        return new FeatureCache(base.resolve("features"), DEFAULT_LIMIT);
    }

    /** The features of {@code data} behind the first {@code prefix} stages; {@code progress} hears of every image. */
    Features of(StagedNetwork net, int prefix, Dataset data, Transforms transforms, Precision precision,
                IntConsumer progress) {
        String key = FeatureKey.of(net, prefix, data, transforms, precision);
        Path file = folder.resolve(key + ".features");
        if (Files.isRegularFile(file)) {
            try {
                Features f = Features.read(file, key, data.size());
                if (Arrays.equals(f.labels(), data.labels())) {
                    touch(file);
                    progress.accept(data.size());
                    return f;
                }
            } catch (IOException e) {
                LOG.log(Level.WARNING, "feature cache: {0} is damaged ({1}) and is computed anew", file, e.getMessage());
            }
        }
        Features f = compute(net, prefix, data, transforms, precision, progress);
        long bytes = Features.bytes(f.shape(), data.size());
        if (bytes <= limit) {
            try {
                Files.createDirectories(folder);
                makeRoom(bytes);
                f.write(file, key);
            } catch (IOException e) {
                LOG.log(Level.WARNING, "feature cache: {0} cannot be written ({1}); the next run computes again", file, e);
            }
        }
        return f;
    }

    /** Marks a file as used now. */
    private static void touch(Path file) {
        try {
            Files.setLastModifiedTime(file, FileTime.from(Instant.now()));
        } catch (IOException e) {
            LOG.log(Level.DEBUG, "feature cache: {0} keeps its old time ({1})", file, e);
        }
    }

    /** Deletes the files unused for longest until {@code bytes} more fit, and what killed runs left half written. */
    private void makeRoom(long bytes) throws IOException {
        record Entry(Path file, long size, Instant used) {}
        List<Entry> entries = new ArrayList<>();
        try (DirectoryStream<Path> all = Files.newDirectoryStream(folder, "*.{features,tmp}")) {
            for (Path p : all) {
                BasicFileAttributes a = Files.readAttributes(p, BasicFileAttributes.class);
                if (p.toString().endsWith(".features")) {
                    entries.add(new Entry(p, a.size(), a.lastModifiedTime().toInstant()));
                } else if (a.lastModifiedTime().toInstant().isBefore(Instant.now().minus(1, ChronoUnit.DAYS))) {
                    Files.deleteIfExists(p);
                }
            }
        }
        entries.sort(Comparator.comparing(Entry::used));
        long taken = bytes + entries.stream().mapToLong(Entry::size).sum();
        for (Entry e : entries) {
            if (taken <= limit) {
                return;
            }
            Files.deleteIfExists(e.file());
            taken -= e.size();
        }
    }

    private static Features compute(StagedNetwork net, int prefix, Dataset data, Transforms transforms,
                                    Precision precision, IntConsumer progress) {
        float[][] rows = new float[data.size()][];
        Shape[] shape = {null};
        try (Inference inference = new Inference(net, x -> net.callStages(x, 0, prefix), precision);
                DataLoader loader = new DataLoader(data, transforms, LoaderOptions.eval(BATCH).withCacheBytes(0));
                DataLoader.Epoch epoch = loader.epoch(0)) {
            for (Batch b : epoch) {
                try (b; Scope step = Scope.open("features")) {
                    Tensor y = inference.apply(b.images());
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
