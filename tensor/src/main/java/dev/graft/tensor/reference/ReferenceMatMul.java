package dev.graft.tensor.reference;

import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.MatMul;

/** The matrix product by its definition. */
final class ReferenceMatMul {
    private ReferenceMatMul() {}

    static void run(MatMul op, Tensor left, Tensor right, Tensor out) {
        double[] a = Elements.doubles(left);
        double[] b = Elements.doubles(right);
        int rank = out.rank();
        int m = out.dim(-2);
        int n = out.dim(-1);
        int k = left.dim(op.transA() ? -2 : -1);
        Shape batch = out.shape().range(0, rank - 2);
        int[] p = Walk.broadcast(left.shape().range(0, left.rank() - 2), batch);
        int[] q = Walk.broadcast(right.shape().range(0, right.rank() - 2), batch);
        int rowA = op.transA() ? 1 : k;
        int stepA = op.transA() ? m : 1;
        int columnB = op.transB() ? k : 1;
        int stepB = op.transB() ? 1 : n;
        double[] c = new double[Math.toIntExact(out.size())];
        int at = 0;
        for (int i = 0; i < p.length; i++) {
            for (int row = 0; row < m; row++) {
                for (int column = 0; column < n; column++) {
                    int x = p[i] * m * k + row * rowA;
                    int y = q[i] * k * n + column * columnB;
                    double sum = 0;
                    for (int j = 0; j < k; j++) {
                        sum += a[x + j * stepA] * b[y + j * stepB];
                    }
                    c[at++] = sum;
                }
            }
        }
        Elements.store(c, out);
    }
}
