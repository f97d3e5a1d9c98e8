package dev.graft.nn;

import dev.graft.autograd.GradCheck;
import dev.graft.tensor.Context;
import dev.graft.tensor.DType;
import dev.graft.tensor.RandomStream;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Random values for tests, and the gradient check of a layer by its input and all its parameters. */
public final class Samples {
    private Samples() {}

    /** float64, normal. */
    public static Tensor doubles(long seed, int... dims) {
        Random r = new Random(seed);
        double[] v = new double[Math.toIntExact(Shape.of(dims).size())];
        for (int i = 0; i < v.length; i++) {
            v[i] = r.nextGaussian();
        }
        return Tensor.of(v, dims);
    }

    /** float32, normal. */
    public static Tensor floats(long seed, int... dims) {
        return doubles(seed, dims).cast(DType.F32);
    }

    /** Gives every parameter and running statistic of {@code m} new values, variances positive. */
    public static <M extends Module> M randomize(M m, long seed) {
        long[] s = {seed};
        m.parameters().forEach((path, p) -> p.assign(floats(s[0]++, p.shape().dims()).mul(0.5)));
        m.buffers().forEach((path, b) -> {
            if (b.value().dtype().isFloat()) {
                Tensor t = floats(s[0]++, b.value().shape().dims());
                b.assign(path.endsWith("running_var") ? t.abs().add(0.5) : t);
            }
        });
        return m;
    }

    static Tensor training(java.util.function.Supplier<Tensor> body) {
        return Context.current().withTraining(true).withRandom(RandomStream.of(7, 0)).call(body);
    }

    /** Central differences against the tape for {@code x}, if it is float64, and every parameter. */
    public static void checkGradients(Module m, boolean training, Tensor x) {
        gradients(m, training, x).check();
    }

    public static GradCheck gradients(Module m, boolean training, Tensor x) {
        List<Parameter> ps = List.copyOf(m.parameters().values());
        List<Tensor> in = new ArrayList<>(List.of(x));
        for (int i = 0; i < ps.size(); i++) {
            in.add(doubles(100 + i, ps.get(i).shape().dims()));
        }
        return GradCheck.of(t -> {
            for (int i = 0; i < ps.size(); i++) {
                ps.get(i).assign(t[i + 1].retain());
            }
            return training ? training(() -> m.call(t[0])) : m.call(t[0]);
        }, in.toArray(new Tensor[0]));
    }
}
