package dev.graft.tensor;

import static dev.graft.tensor.OpCatalog.floats;
import static dev.graft.tensor.OpCatalog.of;
import static dev.graft.tensor.OpCatalog.uniform;
import static dev.graft.tensor.OpCatalog.wide;

import dev.graft.tensor.OpCatalog.Case;
import dev.graft.tensor.OpCatalog.Input;
import dev.graft.tensor.OpCatalog.Values;
import dev.graft.tensor.op.FusedOp.Activation;
import dev.graft.tensor.op.NormOp;
import java.util.Arrays;
import java.util.List;
import java.util.stream.DoubleStream;
import java.util.function.IntUnaryOperator;

/** Norms. */
final class NormCases {
    private static final double EPS = 1e-5;

    private NormCases() {}

    static void addTo(List<Case> all) {
        batchNorm(all);
        layerNorm(all);
        mixedNorms(all);
        for (Activation a : List.of(Activation.NONE, Activation.RELU, Activation.RELU6)) {
            batchNormActivation(all, a, false);
            batchNormActivation(all, a, true);
        }
        groupNorm(all);
    }

    private static void batchNorm(List<Case> all) {
        for (int[] s : new int[][] {{4, 3}, {9, 1}, {2, 3, 3, 5}, {3, 4, 5}, {11, 33}}) {
            int c = s[s.length - 1];
            all.add(Case.of(new NormOp.BatchNorm(EPS), 5e-6, floats(uniform(-2, 2), s), floats(uniform(0.5, 1.5), c),
                    floats(uniform(-1, 1), c)).smooth());
            batchNormBackward(all, 1e-5, s);
        }
        batchNorm(all, 1e-3, uniform(-2, 2), 1e-4, 1, 1, 1, 3);           // no variance: 1/sqrt(eps) multiplies rounding
        batchNorm(all, EPS, uniform(99, 101), 2e-4, 64, 16);              // a mean far from zero
        all.add(Case.of(new NormOp.BatchNorm(EPS), 1e-5, floats(uniform(-2, 2), 8, 14, 14, 64),
                floats(uniform(0.5, 1.5), 64), floats(uniform(-1, 1), 64)).isLarge());
        all.add(Case.of(new NormOp.BatchNorm(1e-3), 1e-5, floats(uniform(-2, 2), 5, 40, 41, 13),
                floats(uniform(0.5, 1.5), 13), floats(uniform(-1, 1), 13)).isLarge());
        batchNormBackward(all, 2e-5, 8, 14, 14, 64);
        batchNormBackward(all, 2e-5, 5, 40, 41, 13);
    }

    private static void batchNorm(List<Case> all, double eps, Values x, double tolerance, int... s) {
        int c = s[s.length - 1];
        all.add(Case.of(new NormOp.BatchNorm(eps), tolerance, floats(x, s), floats(uniform(0.5, 1.5), c),
                floats(uniform(-1, 1), c)));
    }

    private static void batchNormBackward(List<Case> all, double tolerance, int... s) {
        int c = s[s.length - 1];
        Case k = Case.of(new NormOp.BatchNormBackward(EPS), tolerance, floats(uniform(-1, 1), s), floats(uniform(-2, 2), s),
                floats(uniform(0.5, 1.5), c), floats(statistic(c, false, false), c), floats(statistic(c, false, true), c));
        all.add(Shape.of(s).size() > 10_000 ? k.isLarge() : k);
    }

    private static void layerNorm(List<Case> all) {
        for (int[] s : new int[][] {{5}, {3, 7}, {2, 3, 8}, {0, 6}, {4, 33}, {257, 768}, {9000, 12}}) {
            boolean large = Shape.of(s).size() > 10_000;
            int c = s[s.length - 1];
            int[] rows = Arrays.copyOf(s, s.length - 1);
            Case k = Case.of(new NormOp.LayerNorm(EPS), 1e-5, floats(uniform(-2, 2), s), floats(uniform(0.5, 1.5), c),
                    floats(uniform(-1, 1), c));
            all.add(large ? k.isLarge() : k.smooth());
            k = Case.of(new NormOp.LayerNormBackward(EPS), 2e-5, floats(uniform(-1, 1), s), floats(uniform(-2, 2), s),
                    floats(uniform(0.5, 1.5), c), floats(statistic(c, true, false), rows),
                    floats(statistic(c, true, true), rows));
            all.add(large ? k.isLarge() : k);
        }
        all.add(Case.of(new NormOp.LayerNorm(EPS), 2e-4, floats(uniform(99, 101), 7, 64), floats(uniform(0.5, 1.5), 64),
                floats(uniform(-1, 1), 64)));
        all.add(Case.of(new NormOp.LayerNorm(1e-3), 1e-4, floats(uniform(-1, 1), 4, 1), floats(uniform(0.5, 1.5), 1),
                floats(uniform(-1, 1), 1)));
    }

    /** 16-bit values beside float32 scales and statistics. */
    private static void mixedNorms(List<Case> all) {
        for (DType d : List.of(DType.F16, DType.BF16)) {
            for (int[] s : new int[][] {{4, 3}, {3, 4, 37}, {2, 9, 11, 16}}) {
                int c = s[s.length - 1];
                Input x = of(d, uniform(-2, 2), s);
                Input dy = of(d, uniform(-1, 1), s);
                Input gamma = of(DType.F32, uniform(0.5, 1.5), c);
                Input beta = of(DType.F32, uniform(-1, 1), c);
                int[] rows = Arrays.copyOf(s, s.length - 1);
                all.add(Case.of(new NormOp.BatchNorm(EPS), 1e-5, x, gamma, beta));
                all.add(Case.of(new NormOp.BatchNormBackward(EPS), 2e-5, dy, x, gamma,
                        of(DType.F32, statistic(c, false, false), c), of(DType.F32, statistic(c, false, true), c)));
                all.add(Case.of(new NormOp.LayerNorm(EPS), 1e-5, x, gamma, beta));
                all.add(Case.of(new NormOp.LayerNormBackward(EPS), 2e-5, dy, x, gamma,
                        of(DType.F32, statistic(c, true, false), rows), of(DType.F32, statistic(c, true, true), rows)));
            }
        }
    }

    /** Values on both sides of the activation's kinks. Central differences meet a kink in one of many thousand elements. */
    private static void batchNormActivation(List<Case> all, Activation a, boolean residual) {
        Values gamma = a == Activation.RELU6 ? uniform(3, 6) : uniform(0.5, 1.5);
        for (int[] s : new int[][] {{4, 3}, {2, 3, 3, 5}, {11, 33}, {8, 14, 14, 64}, {5, 40, 41, 13}}) {
            int c = s[s.length - 1];
            boolean large = Shape.of(s).size() > 10_000;
            var forward = new NormOp.BatchNormActivation(EPS, a);
            Input x = floats(uniform(-2, 2), s);
            Case k = residual ? Case.of(forward, 1e-5, x, wide(gamma, c), wide(uniform(-1, 1), c), floats(uniform(-2, 2), s))
                    : Case.of(forward, 1e-5, x, wide(gamma, c), wide(uniform(-1, 1), c));
            all.add(large ? k.isLarge() : k.smooth());
            Values y = (r, n, earlier) -> {
                double[] v = r.doubles(n, -2, 8).toArray();
                for (int i = 0; i < n; i++) {
                    v[i] = a == Activation.NONE ? v[i] : Math.clamp(v[i], 0, a == Activation.RELU6 ? 6 : 8);
                }
                return v;
            };
            k = Case.of(new NormOp.BatchNormActivationBackward(EPS, a, residual), 2e-5, floats(uniform(-1, 1), s), x,
                    floats(y, s), wide(gamma, c), wide(statistic(c, false, false), c), wide(statistic(c, false, true), c));
            all.add(large ? k.isLarge() : k);
            if (!residual) {
                all.add(large ? knowingBeta(a, s).isLarge() : knowingBeta(a, s));
            }
        }
        all.add(Case.of(new NormOp.BatchNormActivation(EPS, a), 2e-4, floats(uniform(99, 101), 64, 16),
                wide(uniform(0.5, 1.5), 16), wide(uniform(-1, 1), 16)));
    }

    /** With beta the output follows from the input: here normalised = x, scale 1 and beta 0.5. */
    private static Case knowingBeta(Activation a, int[] s) {
        int c = s[s.length - 1];
        double top = a == Activation.RELU6 ? 6 : Double.MAX_VALUE;
        Values y = (r, n, earlier) -> Arrays.stream(earlier.get(1))
                .map(x -> a == Activation.NONE ? x + 0.5 : Math.clamp(x + 0.5, 0, top)).toArray();
        return Case.of(new NormOp.BatchNormActivationBackward(EPS, a, false), 2e-5, floats(uniform(-1, 1), s),
                floats(uniform(-8, 8), s), floats(y, s), wide(constant(1), c), wide(constant(0), c), wide(constant(1), c),
                wide(constant(0.5), c));
    }

    private static Values constant(double value) {
        return (r, n, earlier) -> DoubleStream.generate(() -> value).limit(n).toArray();
    }

    private static void groupNorm(List<Case> all) {
        int[][] shapes = {{2, 3, 3, 4}, {3, 6}, {2, 5, 6}, {1, 2, 4, 8}, {0, 3, 4}, {2, 7, 33}, {4, 14, 14, 64},
            {3, 40, 41, 12}, {2, 3, 1000}};
        int[] groups = {2, 3, 6, 1, 2, 11, 32, 4, 10};
        for (int i = 0; i < shapes.length; i++) {
            int[] s = shapes[i];
            int g = groups[i];
            int c = s[s.length - 1];
            int image = (int) Shape.of(s).count(1, s.length);
            boolean large = Shape.of(s).size() > 4_000;
            Input x = floats(uniform(-2, 2), s);
            Input gamma = wide(uniform(0.5, 1.5), c);
            Case k = Case.of(new NormOp.GroupNorm(g, EPS), 1e-5, x, gamma, wide(uniform(-1, 1), c));
            all.add(large ? k.isLarge() : k.smooth());
            IntUnaryOperator group = at -> at / image * g + at % c / (c / g);
            double tolerance = image == 2 * g ? 2e-4 : 2e-5;                // dx of two elements cancels all but eps
            k = Case.of(new NormOp.GroupNormBackward(g, EPS), tolerance, floats(uniform(-1, 1), s), x, gamma,
                    wide(statistic(group, false), s[0], g), wide(statistic(group, true), s[0], g));
            all.add(large ? k.isLarge() : k);
        }
        all.add(Case.of(new NormOp.GroupNorm(2, 1e-3), 2e-4, floats(uniform(99, 101), 2, 9, 16), wide(uniform(0.5, 1.5), 16),
                wide(uniform(-1, 1), 16)));
    }

    /** Mean or 1/sqrt(variance + eps) of the second input, of its rows or of its channels. */
    private static Values statistic(int channels, boolean ofRows, boolean deviation) {
        return statistic(i -> ofRows ? i / channels : i % channels, deviation);
    }

    /** Of the second input's elements that {@code group} puts together. */
    private static Values statistic(IntUnaryOperator group, boolean deviation) {
        return (r, n, earlier) -> {
            double[] x = earlier.get(1);
            double[] sum = new double[n];
            double[] squares = new double[n];
            for (int i = 0; i < x.length; i++) {
                sum[group.applyAsInt(i)] += x[i];
                squares[group.applyAsInt(i)] += x[i] * x[i];
            }
            double count = n == 0 ? 1 : x.length / n;
            for (int g = 0; g < n; g++) {
                double mean = sum[g] / count;
                sum[g] = deviation ? 1 / Math.sqrt(squares[g] / count - mean * mean + EPS) : mean;
            }
            return sum;
        };
    }
}
