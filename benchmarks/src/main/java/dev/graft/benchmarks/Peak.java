package dev.graft.benchmarks;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CyclicBarrier;
import java.util.function.DoubleSupplier;
import java.util.function.IntFunction;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * What the machine can do, by the simplest loops that do it: multiply-adds in registers, and copies of arrays far larger
 * than any cache, on all threads at once.
 *
 * @param gflops    10^9 float32 operations a second, a multiply-add counted as two
 * @param gigabytes 10^9 bytes a second read and written by copies, both counted
 */
record Peak(int threads, double gflops, double gigabytes) {
    private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
    private static final int CHAINS = 12;       // more than latency times ports, and 14 registers with the factors
    private static final int STEPS = 1_000_000;
    private static final int COPIED = 48 << 20;
    private static final int WARM = 150;        // half a second and more: the compiler has come by then
    private static final int ROUNDS = 150;

    static Peak measure(int threads) {
        double fma = best(threads, i -> () -> {
            spin(STEPS, i);
            return 2.0 * CHAINS * SPECIES.length() * STEPS;
        });
        double copy = best(threads, i -> {
            float[] from = new float[COPIED / threads];
            float[] to = new float[COPIED / threads];
            java.util.Arrays.fill(from, 1);
            return () -> {
                System.arraycopy(from, 0, to, 0, to.length);
                return 8.0 * to.length;
            };
        });
        return new Peak(threads, fma / 1e9, copy / 1e9);
    }

    /** The fastest round's work per second over all threads, which begin each round together. */
    private static double best(int threads, IntFunction<DoubleSupplier> work) {
        double[] done = new double[threads];
        long[] began = new long[threads];
        long[] ended = new long[threads];
        List<Double> rates = new ArrayList<>();
        CyclicBarrier start = new CyclicBarrier(threads);
        CyclicBarrier end = new CyclicBarrier(threads, () -> {
            long first = Long.MAX_VALUE;
            long last = Long.MIN_VALUE;
            double sum = 0;
            for (int t = 0; t < threads; t++) {
                first = Math.min(first, began[t]);
                last = Math.max(last, ended[t]);
                sum += done[t];
            }
            rates.add(sum / ((last - first) / 1e9));
        });
        List<Thread> all = new ArrayList<>();
        for (int t = 0; t < threads; t++) {
            int me = t;
            all.add(Thread.ofPlatform().start(() -> {
                DoubleSupplier mine = work.apply(me);
                try {
                    for (int r = 0; r < WARM + ROUNDS; r++) {
                        start.await();
                        began[me] = System.nanoTime();
                        done[me] = mine.getAsDouble();
                        ended[me] = System.nanoTime();
                        end.await();
                    }
                } catch (InterruptedException | BrokenBarrierException e) {
                    throw new IllegalStateException(e);
                }
            }));
        }
        for (Thread t : all) {
            try {
                t.join();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }
        return rates.subList(WARM, rates.size()).stream().mapToDouble(Double::doubleValue).max().orElseThrow();
    }

    /** Returns something of all chains, so that none is left out. */
    private static float spin(int steps, int seed) {
        FloatVector m = FloatVector.broadcast(SPECIES, 0.999f);
        FloatVector c = FloatVector.broadcast(SPECIES, seed + 0.001f);
        FloatVector a0 = c, a1 = c, a2 = c, a3 = c, a4 = c, a5 = c, a6 = c, a7 = c, a8 = c, a9 = c, a10 = c, a11 = c;
        for (int i = 0; i < steps; i++) {
            a0 = a0.fma(m, c);
            a1 = a1.fma(m, c);
            a2 = a2.fma(m, c);
            a3 = a3.fma(m, c);
            a4 = a4.fma(m, c);
            a5 = a5.fma(m, c);
            a6 = a6.fma(m, c);
            a7 = a7.fma(m, c);
            a8 = a8.fma(m, c);
            a9 = a9.fma(m, c);
            a10 = a10.fma(m, c);
            a11 = a11.fma(m, c);
        }
        return a0.add(a1).add(a2).add(a3).add(a4).add(a5).add(a6).add(a7).add(a8).add(a9).add(a10).add(a11).lane(0);
    }
}
