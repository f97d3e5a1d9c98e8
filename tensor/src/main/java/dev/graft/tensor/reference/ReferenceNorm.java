package dev.graft.tensor.reference;

import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.NormOp;

/**
 * Batch norm and layer norm: the same formulas over groups of elements that share a mean. Element i belongs to channel
 * i % C; its group is the channel in batch norm and the row i / C in layer norm.
 */
final class ReferenceNorm {
    private ReferenceNorm() {}

    static void run(NormOp op, Tensor[] in, Tensor[] out) {
        switch (op) {
            case NormOp.BatchNorm b -> forward(false, b.eps(), in, out);
            case NormOp.LayerNorm l -> forward(true, l.eps(), in, out);
            case NormOp.BatchNormBackward b -> backward(false, in, out);
            case NormOp.LayerNormBackward l -> backward(true, in, out);
        }
    }

    private static void forward(boolean byRow, double eps, Tensor[] in, Tensor[] out) {
        double[] x = Elements.doubles(in[0]);
        double[] gamma = Elements.doubles(in[1]);
        double[] beta = Elements.doubles(in[2]);
        int c = gamma.length;
        int groups = Math.toIntExact(out[1].size());
        double[] mean = new double[groups];
        double[] variance = new double[groups];
        double[] invstd = new double[groups];
        double count = groups == 0 ? 0 : x.length / groups;
        for (int i = 0; i < x.length; i++) {
            mean[byRow ? i / c : i % c] += x[i] / count;
        }
        for (int i = 0; i < x.length; i++) {
            double d = x[i] - mean[byRow ? i / c : i % c];
            variance[byRow ? i / c : i % c] += d * d / count;
        }
        for (int g = 0; g < groups; g++) {
            invstd[g] = 1 / Math.sqrt(variance[g] + eps);
        }
        double[] y = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            int g = byRow ? i / c : i % c;
            y[i] = (x[i] - mean[g]) * invstd[g] * gamma[i % c] + beta[i % c];
        }
        Elements.store(y, out[0]);
        Elements.store(mean, out[1]);
        Elements.store(invstd, out[2]);
    }

    /**
     * With h = (x − mean)·invstd and e = dy·gamma: dbeta = Σ dy, dgamma = Σ dy·h over each channel, and
     * dx = invstd·(e − mean(e) − h·mean(e·h)) with means over each group.
     */
    private static void backward(boolean byRow, Tensor[] in, Tensor[] out) {
        double[] dy = Elements.doubles(in[0]);
        double[] x = Elements.doubles(in[1]);
        double[] gamma = Elements.doubles(in[2]);
        double[] mean = Elements.doubles(in[3]);
        double[] invstd = Elements.doubles(in[4]);
        int c = gamma.length;
        double[] dgamma = new double[c];
        double[] dbeta = new double[c];
        double[] meanE = new double[mean.length];
        double[] meanEh = new double[mean.length];
        double count = mean.length == 0 ? 0 : x.length / mean.length;
        for (int i = 0; i < x.length; i++) {
            int g = byRow ? i / c : i % c;
            double h = (x[i] - mean[g]) * invstd[g];
            dbeta[i % c] += dy[i];
            dgamma[i % c] += dy[i] * h;
            meanE[g] += dy[i] * gamma[i % c] / count;
            meanEh[g] += dy[i] * gamma[i % c] * h / count;
        }
        double[] dx = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            int g = byRow ? i / c : i % c;
            double h = (x[i] - mean[g]) * invstd[g];
            dx[i] = invstd[g] * (dy[i] * gamma[i % c] - meanE[g] - h * meanEh[g]);
        }
        Elements.store(dx, out[0]);
        Elements.store(dgamma, out[1]);
        Elements.store(dbeta, out[2]);
    }
}
