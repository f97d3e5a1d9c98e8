package dev.graft.benchmarks;

import dev.graft.nn.data.image.Interpolation;
import dev.graft.nn.data.image.Resize;
import dev.graft.nn.data.image.RgbImage;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.infra.Blackhole;

/** One decoded photo, bilinear to a shorter side of 256, on one thread. A photo reads width x height. */
@State(org.openjdk.jmh.annotations.Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class ResizeBenchmark {
    private static final Resize RESIZE = new Resize(256, Interpolation.BILINEAR);

    @Param({"500x375", "4000x3000"})
    String photo;

    private RgbImage image;

    @Setup
    public void setup() {
        int[] s = Check.sizes(photo);
        byte[] pixels = new byte[3 * s[0] * s[1]];
        new Random(1).nextBytes(pixels);
        image = new RgbImage(s[1], s[0], pixels);
        check(RESIZE.apply(image, null));
    }

    /** By definition: the mean under a triangle as wide as two steps. Each of the two passes may round by a half. */
    private void check(RgbImage small) {
        double[][] rows = triangles(image.height(), small.height());
        double[][] columns = triangles(image.width(), small.width());
        for (int y = 0; y < small.height(); y += 15) {        // the last row and column among them
            for (int x = 0; x < small.width(); x += 17) {
                for (int c = 0; c < 3; c++) {
                    double mean = 0;
                    for (int i = 0; i < image.height(); i++) {
                        for (int j = 0; rows[y][i] > 0 && j < image.width(); j++) {
                            mean += columns[x][j] > 0 ? rows[y][i] * columns[x][j] * image.at(i, j, c) : 0;
                        }
                    }
                    if (!(Math.abs(small.at(y, x, c) - mean) <= 1.01)) {
                        throw new IllegalStateException("wrong pixel at " + y + ", " + x + ": " + small.at(y, x, c)
                                + " in place of " + mean);
                    }
                }
            }
        }
    }

    /** For each of {@code out} places the weight of each of {@code in} pixels. */
    private static double[][] triangles(int in, int out) {
        double step = (double) in / out;
        double[][] w = new double[out][in];
        for (int i = 0; i < out; i++) {
            double sum = 0;
            for (int j = 0; j < in; j++) {
                w[i][j] = Math.max(0, 1 - Math.abs((j + 0.5) / step - (i + 0.5)));
                sum += w[i][j];
            }
            for (int j = 0; j < in; j++) {
                w[i][j] /= sum;
            }
        }
        return w;
    }

    @Benchmark
    public void resize(Blackhole sink) {
        sink.consume(RESIZE.apply(image, null));
    }
}
