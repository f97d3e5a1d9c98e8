package dev.graft.nn.transfer;

import dev.graft.nn.Inference;
import dev.graft.nn.data.Batch;
import dev.graft.nn.data.DataLoader;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
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
 */
public final class FeatureCache {
    /** Features that neither the folder nor the memory has room for; the message says why. */
    static final class NoRoom extends RuntimeException {
        private static final long serialVersionUID = 1L;

        NoRoom(String message, Throwable cause) {
            super(message, cause);
        }
    }

    private static final System.Logger LOG = System.getLogger(FeatureCache.class.getName());
    private static final long DEFAULT_LIMIT = 4L << 30;
    /** Bytes that are left free on a disk. */
    private static final long SPARE = 64L << 20;
    /** Days until a file that a killed run left half written is removed. */
    private static final int STALE = 1;
    /** Days without use until it is forgotten that a format does not fit. */
    private static final int FORGOTTEN = 30;
    /** Keeps nothing on disk. */
    static final FeatureCache MEMORY = new FeatureCache(Path.of(""), -1);

    private final Path folder;
    private final long limit;
    /** What was used from then on makes no room: sets of one run do not push each other out. */
    private final Instant since;
    /** Bytes that a set without a file may take. */
    private final long memory;

    /**
     * @param folder where the files lie
     * @param limit  bytes that all of them may take: the ones unused for longest make room, and what does not fit is not
     *               written
     */
    public FeatureCache(Path folder, long limit) {
        this(folder, limit, Instant.MAX, Runtime.getRuntime().maxMemory() / FeatureChoice.SHARE);
    }

    private FeatureCache(Path folder, long limit, Instant since, long memory) {
        this.folder = folder;
        this.limit = limit;
        this.since = since;
        this.memory = memory;
    }

    /** As it is to be used by a run that begins now. */
    FeatureCache forRun() {
        return new FeatureCache(folder, limit, Instant.now(), memory);
    }

    /** With another limit of what a set without a file may take. */
    FeatureCache withMemory(long bytes) {
        return new FeatureCache(folder, limit, since, bytes);
    }

    public Path folder() {
        return folder;
    }

    public long limit() {
        return limit;
    }

    long memory() {
        return memory;
    }

    /** Property {@code graft.cache} names the folder; {@code ~/.cache/graft} otherwise. */
    public static FeatureCache standard() {
        String set = System.getProperty("graft.cache");
        Path base = set != null ? Path.of(set) : Path.of(System.getProperty("user.home"), ".cache", "graft");
        return new FeatureCache(base.resolve("features"), DEFAULT_LIMIT);
    }

    /** Features that lie in the folder, as float32 where they are known not to fit {@code format}; null when they do not. */
    Features find(FeatureRequest request, FeatureFormat format) {
        if (isKnownNotToFit(request, format)) {
            return find(request, FeatureFormat.FLOAT32);
        }
        String key = request.key(format);
        Path file = file(key);
        if (Files.isRegularFile(file)) {
            try {
                Features f = FeatureFile.open(file, key, request.data().size());
                if (Arrays.equals(f.labels(), request.data().labels())) {
                    touch(file);
                    return f;
                }
                f.close();
            } catch (IOException e) {
                LOG.log(Level.WARNING, "feature cache: {0} is damaged ({1}) and is computed anew", file, e.getMessage());
            }
        }
        return null;
    }

    /**
     * The features that are asked for, out of the folder or computed; {@code progress} hears of every image. When they do
     * not fit {@code format}, because a value is too large, they are kept as float32. Close them.
     *
     * @throws NoRoom when there is none for them, in the folder or in memory
     */
    Features of(FeatureRequest request, FeatureFormat format, IntConsumer progress) {
        Features found = find(request, format);
        if (found != null) {
            progress.accept(request.data().size());
            return found;
        }
        try {
            return make(request, isKnownNotToFit(request, format) ? FeatureFormat.FLOAT32 : format.stored(), progress);
        } catch (FeatureWriter.DoesNotFit e) {
            rememberNotToFit(request, format);
            LOG.log(Level.WARNING, "feature cache: {0} does not fit {1}, so the features are kept as float32",
                    e.getMessage(), format.stored().label());
            return of(request, FeatureFormat.FLOAT32, progress);
        }
    }

    /** An empty file says so: all images would be computed in vain to find it out again. */
    private Path verdict(FeatureRequest request, FeatureFormat format) {
        return folder.resolve(request.key(format) + ".unfit");
    }

    private boolean isKnownNotToFit(FeatureRequest request, FeatureFormat format) {
        if (limit <= 0 || format.stored() == FeatureFormat.FLOAT32 || !Files.exists(verdict(request, format))) {
            return false;
        }
        touch(verdict(request, format));
        return true;
    }

    private void rememberNotToFit(FeatureRequest request, FeatureFormat format) {
        try {
            if (limit > 0) {
                Files.createDirectories(folder);
                Files.write(verdict(request, format), new byte[0]);
            }
        } catch (IOException e) {
            LOG.log(Level.DEBUG, "feature cache: {0} is not written ({1})", verdict(request, format), e);
        }
    }

    private Path file(String key) {
        return folder.resolve(key + ".features");
    }

    private Features make(FeatureRequest request, FeatureFormat format, IntConsumer progress) {
        IOException unwritten;
        try {
            return new Computation(request, format, this).run(progress);
        } catch (FeatureWriter.NoMemory e) {
            throw new NoRoom((limit > 0 ? "the cache's folder has no room for them, and " : "") + e.getMessage(), e);
        } catch (IOException e) {
            unwritten = e;
        }
        try {
            Features inMemory = new Computation(request, format, new FeatureCache(folder, -1, since, memory)).run(progress);
            LOG.log(Level.WARNING, "feature cache: nothing can be written to {0} ({1}); the next run computes again",
                    folder, unwritten);
            return inMemory;
        } catch (IOException e) {
            e.addSuppressed(unwritten);
            throw new NoRoom("nothing can be written to " + folder + " (" + unwritten.getMessage() + "), and "
                    + e.getMessage(), e);
        }
    }

    /** Room for a file; null when the cache keeps none of that size. */
    private Path place(FeatureFile layout) throws IOException {
        long bytes = layout.size();
        if (bytes > limit) {
            return null;
        }
        Files.createDirectories(folder);
        if (!makeRoom(bytes)) {
            return null;
        }
        long free = Files.getFileStore(folder).getUsableSpace();
        long needed = FeatureWriter.bytesWhileWritten(layout) + SPARE;
        if (free < needed) {
            throw new IOException("the disk has " + (free >> 20) + " MiB left, " + (needed >> 20) + " MiB are needed");
        }
        return file(layout.key());
    }

    /** Marks a file as used now. */
    private static void touch(Path file) {
        try {
            Files.setLastModifiedTime(file, FileTime.from(Instant.now()));
        } catch (IOException e) {
            LOG.log(Level.DEBUG, "feature cache: {0} keeps its old time ({1})", file, e);
        }
    }

    /**
     * Deletes the files unused for longest until {@code bytes} more fit, what killed runs left half written, and what was
     * found out about formats and not asked for in a long time. False, and no set is deleted, when this run's own would have
     * to go.
     */
    private boolean makeRoom(long bytes) throws IOException {
        record Entry(Path file, long size, Instant used) {}
        List<Entry> entries = new ArrayList<>();
        try (DirectoryStream<Path> all = Files.newDirectoryStream(folder, "*.{features,tmp,unfit}")) {
            for (Path p : all) {
                BasicFileAttributes a;
                try {
                    a = Files.readAttributes(p, BasicFileAttributes.class);
                } catch (NoSuchFileException e) {   // another run has finished or deleted it meanwhile
                    continue;
                }
                Instant used = a.lastModifiedTime().toInstant();
                int days = p.toString().endsWith(".tmp") ? STALE : FORGOTTEN;
                if (p.toString().endsWith(".features")) {
                    entries.add(new Entry(p, a.size(), used));
                } else if (used.isBefore(Instant.now().minus(days, ChronoUnit.DAYS))) {
                    Files.deleteIfExists(p);
                }
            }
        }
        entries.sort(Comparator.comparing(Entry::used));
        long taken = bytes + entries.stream().mapToLong(Entry::size).sum();
        entries.removeIf(e -> !e.used.isBefore(since));
        if (taken - entries.stream().mapToLong(Entry::size).sum() > limit) {
            return false;
        }
        for (Entry e : entries) {
            if (taken <= limit) {
                return true;
            }
            Files.deleteIfExists(e.file());
            taken -= e.size();
        }
        return true;
    }

    /** Sends all images through the stages, batch by batch, and writes what comes out. */
    private static final class Computation {
        private final FeatureRequest request;
        private final FeatureFormat format;
        private final FeatureCache cache;
        private FeatureWriter writer;
        private final List<Double> seconds = new ArrayList<>();

        Computation(FeatureRequest request, FeatureFormat format, FeatureCache cache) {
            this.request = request;
            this.format = format;
            this.cache = cache;
        }

        Features run(IntConsumer progress) throws IOException {
            StagedNetwork net = request.net();
            Features done = null;
            try (Inference inference = new Inference(net, x -> net.callStages(x, 0, request.prefix()), request.precision());
                    DataLoader loader = new DataLoader(request.data(), request.transforms(), request.loading());
                    DataLoader.Epoch epoch = loader.epoch(request.copy())) {
                long start = System.nanoTime();
                while (epoch.hasNext()) {
                    try (Batch b = Dispatcher.waiting(net.device(), epoch::next); Scope step = Scope.open("features")) {
                        write(b, inference.apply(b.images()));
                        long end = System.nanoTime();
                        seconds.add((end - start) / 1e9 / b.size());
                        start = end;
                        progress.accept(b.size());
                    }
                }
                done = writer.finish(seconds.stream().sorted().skip(seconds.size() / 2).findFirst().orElse(0.0));
                return done;
            } finally {
                if (writer != null) {
                    writer.close();
                    if (done == null) {
                        writer.abandon();
                    }
                }
            }
        }

        private void write(Batch b, Tensor y) throws IOException {
            if (writer == null) {
                FeatureFile layout = new FeatureFile(format, y.shape().range(1, y.rank()), request.data().size(), 0,
                        request.key(format));
                writer = new FeatureWriter(layout, request.data().labels(), cache.place(layout),
                        cache.memory);
            }
            float[] all = y.toFloats();
            int n = all.length / b.size();
            for (int i = 0; i < b.size(); i++) {
                writer.put(b.indices()[i], all, i * n);
            }
        }
    }
}
