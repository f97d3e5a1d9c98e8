package dev.graft.tensor.reference;

import dev.graft.tensor.GraftException;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.LossOp;

/** Losses, a row at a time. */
final class ReferenceLoss {
    private ReferenceLoss() {}

    static void run(LossOp op, Tensor[] in, Tensor[] out) {
        switch (op) {
            case LossOp.CrossEntropy c -> crossEntropy(c, in[0], in[1], out[0], out[1]);
            case LossOp.CrossEntropyBackward c -> crossEntropyBackward(c, in[0], in[1], in[2], in[3], out[0]);
        }
    }

    private static void crossEntropy(LossOp op, Tensor logits, Tensor target, Tensor lossOut, Tensor lseOut) {
        double[] x = Elements.doubles(logits);
        long[] t = Elements.longs(target);
        int c = logits.dim(1);
        double s = op.labelSmoothing();
        double[] loss = new double[t.length];
        double[] lse = new double[t.length];
        for (int r = 0; r < t.length; r++) {
            int at = r * c;
            double max = Double.NEGATIVE_INFINITY;
            for (int j = 0; j < c; j++) {
                max = Math.max(max, x[at + j]);
            }
            double sum = 0;
            double mean = 0;
            for (int j = 0; j < c; j++) {
                sum += Math.exp(x[at + j] - max);
                mean += x[at + j] / c;
            }
            lse[r] = max + Math.log(sum);
            if (t[r] != op.ignoreIndex()) {
                check(t[r], logits);
                loss[r] = (1 - s) * (lse[r] - x[at + (int) t[r]]) + (s == 0 ? 0 : s * (lse[r] - mean));
            }
        }
        Elements.store(loss, lossOut);
        Elements.store(lse, lseOut);
    }

    private static void check(long target, Tensor logits) {
        if (target < 0 || target >= logits.dim(1)) {
            throw new GraftException("target " + target + " is none of the " + logits.dim(1) + " classes of logits "
                    + logits.shape());
        }
    }

    private static void crossEntropyBackward(LossOp op, Tensor dloss, Tensor logits, Tensor target, Tensor lse, Tensor out) {
        double[] d = Elements.doubles(dloss);
        double[] x = Elements.doubles(logits);
        long[] t = Elements.longs(target);
        double[] l = Elements.doubles(lse);
        int c = logits.dim(1);
        double s = op.labelSmoothing();
        double[] dx = new double[x.length];
        for (int r = 0; r < t.length; r++) {
            if (t[r] == op.ignoreIndex()) {
                continue;
            }
            check(t[r], logits);
            for (int j = 0; j < c; j++) {
                double want = (j == t[r] ? 1 - s : 0) + s / c;
                dx[r * c + j] = d[r] * (Math.exp(x[r * c + j] - l[r]) - want);
            }
        }
        Elements.store(dx, out);
    }
}
