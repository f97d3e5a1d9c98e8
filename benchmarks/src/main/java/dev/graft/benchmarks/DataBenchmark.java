package dev.graft.benchmarks;

import dev.graft.nn.data.Batch;
import dev.graft.nn.data.DataLoader;
import dev.graft.nn.data.ImageFolder;
import dev.graft.nn.data.LoaderOptions;
import dev.graft.nn.data.image.Transforms;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.infra.Blackhole;

/** An epoch of 64 JPEG photos of 500 x 375: decoding, resizing to 256, cropping to 224, normalising; and augmentation. */
@State(org.openjdk.jmh.annotations.Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
public class DataBenchmark {
    private static final int IMAGES = 64;

    @Param({"0", "1", "2"})
    int workers;

    private Path folder;
    private ImageFolder images;
    private DataLoader eval;
    private DataLoader cached;
    private DataLoader augmented;
    private int epoch;

    @Setup
    public void setup() throws IOException {
        folder = Files.createTempDirectory("graft-benchmark");
        Random random = new Random(1);
        for (int i = 0; i < IMAGES; i++) {
            BufferedImage photo = new BufferedImage(500, 375, BufferedImage.TYPE_INT_RGB);
            double phase = random.nextDouble() * 10;
            for (int y = 0; y < 375; y++) {
                for (int x = 0; x < 500; x++) {
                    int v = (int) (128 + 90 * Math.sin(x * 0.03 + phase) * Math.cos(y * 0.05) + random.nextInt(30));
                    photo.setRGB(x, y, v << 16 | (v + i) % 256 << 8 | 255 - v % 256);
                }
            }
            Path file = folder.resolve("train").resolve(i % 2 == 0 ? "even" : "odd").resolve(i + ".jpg");
            Files.createDirectories(file.getParent());
            ImageIO.write(photo, "jpg", file.toFile());
        }
        images = ImageFolder.open(folder);
        LoaderOptions plain = LoaderOptions.eval(16).withWorkers(workers).withCacheBytes(0);
        eval = new DataLoader(images.train(), Transforms.evalDefault(), plain);
        cached = new DataLoader(images.train(), Transforms.evalDefault(), plain.withCacheBytes(1 << 30));
        augmented = new DataLoader(images.train(), Transforms.trainDefault(224), plain);
        if (drain(cached) != IMAGES) {
            throw new IllegalStateException("images are missing");
        }
    }

    @TearDown
    public void remove() throws IOException {
        eval.close();
        cached.close();
        augmented.close();
        images.close();
        try (Stream<Path> all = Files.walk(folder)) {
            for (Path p : all.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(p);
            }
        }
    }

    @Benchmark
    public void decodeResizeCrop(Blackhole sink) {
        sink.consume(drain(eval));
    }

    @Benchmark
    public void decodedBefore(Blackhole sink) {
        sink.consume(drain(cached));
    }

    @Benchmark
    public void decodeAndAugment(Blackhole sink) {
        sink.consume(drain(augmented));
    }

    private int drain(DataLoader loader) {
        int n = 0;
        try (DataLoader.Epoch e = loader.epoch(epoch++)) {
            for (Batch b : e) {
                try (b) {
                    n += b.size();
                }
            }
        }
        return n;
    }
}
