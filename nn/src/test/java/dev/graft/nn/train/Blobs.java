package dev.graft.nn.train;

import dev.graft.nn.Activation;
import dev.graft.nn.BatchNorm2d;
import dev.graft.nn.Conv2d;
import dev.graft.nn.ConvSpec;
import dev.graft.nn.Dropout;
import dev.graft.nn.Flatten;
import dev.graft.nn.Linear;
import dev.graft.nn.Sequential;
import dev.graft.tensor.Tensor;
import java.util.Random;

/** Synthetic data: two interleaved half-moons, and small images with a bright quarter. */
final class Blobs {
    final Tensor x;
    final Tensor y;

    private Blobs(Tensor x, Tensor y) {
        this.x = x;
        this.y = y;
    }

    /** Points [n, 2] in two classes that no line separates. */
    static Blobs moons(int n, long seed) {
        Random r = new Random(seed);
        float[] x = new float[2 * n];
        int[] y = new int[n];
        for (int i = 0; i < n; i++) {
            y[i] = i % 2;
            double a = Math.PI * r.nextDouble();
            x[2 * i] = (float) ((y[i] == 0 ? Math.cos(a) : 1 - Math.cos(a)) + 0.1 * r.nextGaussian());
            x[2 * i + 1] = (float) ((y[i] == 0 ? Math.sin(a) : 0.5 - Math.sin(a)) + 0.1 * r.nextGaussian());
        }
        return new Blobs(Tensor.of(x, n, 2), Tensor.of(y, n));
    }

    /** Images [n, 6, 6, 1] of noise; the class, 0 to 3, is the quarter that is brighter. */
    static Blobs images(int n, long seed) {
        Random r = new Random(seed);
        float[] x = new float[36 * n];
        int[] y = new int[n];
        for (int i = 0; i < n; i++) {
            y[i] = r.nextInt(4);
            for (int p = 0; p < 36; p++) {
                boolean lit = (p / 18) * 2 + (p % 6) / 3 == y[i];
                x[36 * i + p] = (float) (r.nextGaussian() + (lit ? 0.8 : 0));
            }
        }
        return new Blobs(Tensor.of(x, n, 6, 6, 1), Tensor.of(y, n));
    }

    /** 2 to 2 through 16 hidden units. */
    static Sequential mlp(long seed) {
        Sequential m = new Sequential();
        m.add("body", new Linear(2, 16)).add("act", Activation.relu()).add("head", new Linear(16, 2));
        m.initialize(seed);
        return m;
    }

    /** A convolution with batch norm, dropout and a head of 4 classes: all kinds of state that a network has. */
    static Sequential cnn(long seed) {
        Sequential m = new Sequential();
        m.add("conv", new Conv2d(1, 6, 3, ConvSpec.DEFAULT)).add("bn", new BatchNorm2d(6)).add("act", Activation.relu())
                .add("flat", new Flatten()).add("drop", new Dropout(0.3)).add("head", new Linear(6 * 16, 4));
        m.initialize(seed);
        return m;
    }

    Batches batches(int size) {
        return Batches.of(x, y, size);
    }

    Batches shuffled(int size, long seed) {
        return Batches.shuffled(x, y, size, seed);
    }
}
