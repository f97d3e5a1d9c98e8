package dev.graft.tensor.reference;

import dev.graft.tensor.DType;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.StoredLinearOp;

/** Products with stored weights by their definition: every weight is widened and scaled first. */
final class ReferenceStoredLinear {
    private ReferenceStoredLinear() {}

    static void run(StoredLinearOp op, Tensor[] in, Tensor out) {
        double[] x = Elements.doubles(in[0]);
        double[] w = Elements.doubles(in[1]);
        int o = in[1].dim(0);
        int i = in[1].dim(1);
        if (in[1].dtype() == DType.I8) {
            double[] scale = Elements.doubles(in[2]);
            for (int k = 0; k < w.length; k++) {
                w[k] *= scale[k / i];
            }
        }
        double[] y = new double[Math.toIntExact(out.size())];
        switch (op) {
            case StoredLinearOp.StoredLinear s -> {
                double[] bias = s.bias() ? Elements.doubles(in[in.length - 1]) : new double[o];
                for (int k = 0; k < y.length; k++) {
                    double sum = 0;
                    for (int q = 0; q < i; q++) {
                        sum += x[k / o * i + q] * w[k % o * i + q];
                    }
                    y[k] = sum + bias[k % o];
                }
            }
            case StoredLinearOp.StoredLinearBackward s -> {
                for (int k = 0; k < y.length; k++) {
                    double sum = 0;
                    for (int q = 0; q < o; q++) {
                        sum += x[k / i * o + q] * w[q * i + k % i];
                    }
                    y[k] = sum;
                }
            }
        }
        Elements.store(y, out);
    }
}
