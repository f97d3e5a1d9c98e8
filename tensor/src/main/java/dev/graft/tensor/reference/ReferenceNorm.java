package dev.graft.tensor.reference;

import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.FusedOp;
import dev.graft.tensor.op.NormOp;
import dev.graft.tensor.op.UnaryFn;
import java.util.function.IntUnaryOperator;

/**
 * The norms: the same formulas over groups of elements that share a mean. Element i belongs to channel i % C; its group is
 * the channel in batch norm, the row i / C in layer norm, and the image and its group of channels in group norm.
 */
final class ReferenceNorm {
    private ReferenceNorm() {}

    static void run(NormOp op, Tensor[] in, Tensor[] out) {
        switch (op) {
            case NormOp.BatchNorm b -> forward(channel(in[0]), b.eps(), in, out, FusedOp.Activation.NONE);
            case NormOp.BatchNormActivation b -> forward(channel(in[0]), b.eps(), in, out, b.activation());
            case NormOp.LayerNorm l -> forward(row(in[0]), l.eps(), in, out, FusedOp.Activation.NONE);
            case NormOp.GroupNorm g -> forward(group(in[0], g.groups()), g.eps(), in, out, FusedOp.Activation.NONE);
            case NormOp.BatchNormBackward b -> backward(channel(in[1]), Elements.doubles(in[0]), in[1], in[2], in[3], in[4],
                    out);
            case NormOp.BatchNormActivationBackward b -> activationBackward(b, in, out);
            case NormOp.LayerNormBackward l -> backward(row(in[1]), Elements.doubles(in[0]), in[1], in[2], in[3], in[4],
                    out);
            case NormOp.GroupNormBackward g -> backward(group(in[1], g.groups()), Elements.doubles(in[0]), in[1], in[2],
                    in[3], in[4], out);
        }
    }

    private static IntUnaryOperator channel(Tensor x) {
        int c = x.dim(-1);
        return i -> i % c;
    }

    private static IntUnaryOperator row(Tensor x) {
        int c = x.dim(-1);
        return i -> i / c;
    }

    private static IntUnaryOperator group(Tensor x, int groups) {
        int c = x.dim(-1);
        int image = Math.toIntExact(x.shape().count(1, x.rank()));
        return i -> i / image * groups + i % c / (c / groups);
    }

    private static void forward(IntUnaryOperator group, double eps, Tensor[] in, Tensor[] out, FusedOp.Activation then) {
        double[] x = Elements.doubles(in[0]);
        double[] gamma = Elements.doubles(in[1]);
        double[] beta = Elements.doubles(in[2]);
        double[] residual = in.length == 4 ? Elements.doubles(in[3]) : null;
        int c = gamma.length;
        int groups = Math.toIntExact(out[1].size());
        double[] mean = new double[groups];
        double[] variance = new double[groups];
        double[] invstd = new double[groups];
        double count = groups == 0 ? 0 : x.length / groups;
        for (int i = 0; i < x.length; i++) {
            mean[group.applyAsInt(i)] += x[i] / count;
        }
        for (int i = 0; i < x.length; i++) {
            double d = x[i] - mean[group.applyAsInt(i)];
            variance[group.applyAsInt(i)] += d * d / count;
        }
        for (int g = 0; g < groups; g++) {
            invstd[g] = 1 / Math.sqrt(variance[g] + eps);
        }
        double[] y = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            int g = group.applyAsInt(i);
            double v = (x[i] - mean[g]) * invstd[g] * gamma[i % c] + beta[i % c];
            v = residual == null ? v : v + residual[i];
            y[i] = switch (then) {
                case NONE -> v;
                case RELU -> UnaryFn.RELU.apply(v, 0);
                case RELU6 -> UnaryFn.RELU6.apply(v, 0);
                case GELU, GELU_TANH -> throw new IllegalArgumentException("batch norm and " + then + " is no op");
            };
        }
        Elements.store(y, out[0]);
        Elements.store(mean, out[1]);
        Elements.store(invstd, out[2]);
    }

    /** The gradient that has passed the activation is that of batch norm's result and that of the residual. */
    private static void activationBackward(NormOp.BatchNormActivationBackward op, Tensor[] in, Tensor[] out) {
        double[] g = Elements.doubles(in[0]);
        double[] y = Elements.doubles(in[2]);
        for (int i = 0; i < g.length; i++) {
            g[i] = switch (op.activation()) {
                case NONE -> g[i];
                case RELU -> g[i] * UnaryFn.RELU.derivative(y[i], 0);
                case RELU6 -> g[i] * UnaryFn.RELU6.derivative(y[i], 0);
                case GELU, GELU_TANH ->
                        throw new IllegalArgumentException("batch norm and " + op.activation() + " is no op");
            };
        }
        backward(channel(in[1]), g, in[1], in[3], in[4], in[5], out);
        if (op.residual()) {
            Elements.store(g, out[3]);
        }
    }

    /**
     * With h = (x − mean)·invstd and e = dy·gamma: dbeta = Σ dy, dgamma = Σ dy·h over each channel, and
     * dx = invstd·(e − mean(e) − h·mean(e·h)) with means over each group.
     */
    private static void backward(IntUnaryOperator group, double[] dy, Tensor input, Tensor scale, Tensor centre,
            Tensor inverse, Tensor[] out) {
        double[] x = Elements.doubles(input);
        double[] gamma = Elements.doubles(scale);
        double[] mean = Elements.doubles(centre);
        double[] invstd = Elements.doubles(inverse);
        int c = gamma.length;
        double[] dgamma = new double[c];
        double[] dbeta = new double[c];
        double[] meanE = new double[mean.length];
        double[] meanEh = new double[mean.length];
        double count = mean.length == 0 ? 0 : x.length / mean.length;
        for (int i = 0; i < x.length; i++) {
            int g = group.applyAsInt(i);
            double h = (x[i] - mean[g]) * invstd[g];
            dbeta[i % c] += dy[i];
            dgamma[i % c] += dy[i] * h;
            meanE[g] += dy[i] * gamma[i % c] / count;
            meanEh[g] += dy[i] * gamma[i % c] * h / count;
        }
        double[] dx = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            int g = group.applyAsInt(i);
            double h = (x[i] - mean[g]) * invstd[g];
            dx[i] = invstd[g] * (dy[i] * gamma[i % c] - meanE[g] - h * meanEh[g]);
        }
        Elements.store(dx, out[0]);
        Elements.store(dgamma, out[1]);
        Elements.store(dbeta, out[2]);
    }
}
