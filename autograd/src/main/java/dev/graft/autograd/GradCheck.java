package dev.graft.autograd;

import dev.graft.tensor.DType;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import java.util.Random;
import java.util.function.Function;

/**
 * Compares the gradient of a function with central differences, in float64: for new ops, layers and losses.
 *
 * <pre>{@code
 * GradCheck.of(in -> in[0].matmul(in[1]).tanh(), a, b).check();          // throws with the first bad element
 * GradCheck.of(f, a, b).checkTwice();                                    // the gradient's gradient too
 * }</pre>
 *
 * The function's output is reduced to one number by fixed random weights. Float64 inputs are differentiated, others
 * (indices, masks) are passed on.
 */
public final class GradCheck {
    private static final double STEP = 1e-5;

    private final Function<Tensor[], Tensor> f;
    private final Tensor[] inputs;
    private double tolerance = 1e-6;
    private int elements = 64;

    private GradCheck(Function<Tensor[], Tensor> f, Tensor[] inputs) {
        this.f = f;
        this.inputs = inputs;
    }

    public static GradCheck of(Function<Tensor[], Tensor> f, Tensor... inputs) {
        return new GradCheck(f, inputs);
    }

    /** Largest allowed difference, relative to the larger of 1 and the gradient's largest element; 1e-6 by default. */
    public GradCheck tolerance(double t) {
        tolerance = t;
        return this;
    }

    /** How many elements of every input are compared, evenly spread; 64 by default. */
    public GradCheck elements(int n) {
        elements = n;
        return this;
    }

    /** @throws GraftException naming input, element and both values when they differ */
    public void check() {
        compare(this::projected, inputs, "gradient");
    }

    /** Also checks the gradient of the gradient along a fixed random direction. */
    public void checkTwice() {
        check();
        compare(this::projectedGradient, inputs, "second derivative");
    }

    /** Σ w·f(x) with fixed random weights w. */
    private Tensor projected(Tensor[] in) {
        Tensor y = f.apply(in);
        return y.mul(weights(y, 17)).sum();
    }

    /** Σ v·∇(Σ w·f(x)) with fixed random v. */
    private Tensor projectedGradient(Tensor[] in) {
        Tensor[] g = Tape.vjp(x -> new Tensor[] {projected(x)}, in, new Tensor[] {Tensor.of(new double[] {1})});
        Tensor sum = Tensor.of(new double[] {0});
        for (int i = 0; i < g.length; i++) {
            if (g[i] != null) {
                sum = sum.add(g[i].mul(weights(g[i], 29 + i)).sum());
            }
        }
        return sum;
    }

    private static Tensor weights(Tensor like, long seed) {
        Random r = new Random(seed);
        double[] w = new double[Math.toIntExact(like.size())];
        for (int i = 0; i < w.length; i++) {
            w[i] = r.nextDouble() * 2 - 1;
        }
        return Tensor.of(w, like.shape().dims());
    }

    private void compare(Function<Tensor[], Tensor> scalar, Tensor[] in, String what) {
        try (Scope s = Scope.open("grad check")) {
            Tensor[] g;
            try (Tape tape = new Tape()) {
                for (Tensor t : in) {
                    if (t.dtype() == DType.F64) {
                        tape.watch(t);
                    }
                }
                Tensor y = tape.record(() -> scalar.apply(in));
                g = new Tensor[in.length];
                if (tape.tracks(y)) {
                    Gradients all = tape.backward(y);
                    for (int i = 0; i < in.length; i++) {
                        g[i] = all.find(in[i]);
                    }
                }
            }
            for (int i = 0; i < in.length; i++) {
                if (in[i].dtype() == DType.F64) {
                    compare(scalar, in, i, g[i], what);
                }
            }
        }
    }

    private void compare(Function<Tensor[], Tensor> scalar, Tensor[] in, int i, Tensor gradient, String what) {
        int n = Math.toIntExact(in[i].size());
        double[] x = in[i].toDoubles();
        double[] g = gradient == null ? new double[n] : gradient.toDoubles();
        double largest = 1;
        for (double v : g) {
            largest = Math.max(largest, Math.abs(v));
        }
        int stride = Math.max(1, n / elements);
        for (int k = 0; k < n; k += stride) {
            double numeric = (at(scalar, in, i, x, k, STEP) - at(scalar, in, i, x, k, -STEP)) / (2 * STEP);
            if (!(Math.abs(numeric - g[k]) <= tolerance * largest)) {
                throw new GraftException("grad check: " + what + " by input " + i + " " + in[i].spec() + " at element " + k
                        + " is " + g[k] + ", central differences give " + numeric);
            }
        }
    }

    private static double at(Function<Tensor[], Tensor> scalar, Tensor[] in, int i, double[] x, int k, double by) {
        try (Scope s = Scope.open("grad check")) {
            Tensor[] moved = in.clone();
            double[] v = x.clone();
            v[k] += by;
            moved[i] = Tensor.of(v, in[i].shape().dims());
            return scalar.apply(moved).item();
        }
    }
}
