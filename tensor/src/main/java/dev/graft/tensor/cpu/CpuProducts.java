package dev.graft.tensor.cpu;

import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.ConvOp;
import dev.graft.tensor.op.FusedOp;
import dev.graft.tensor.op.MatMul;

/** Matrix products, convolutions and what is fused to them, on float32. */
final class CpuProducts {
    private CpuProducts() {}

    static boolean supports(FusedOp op) {
        return false;
    }

    /** False when this is for the reference backend. */
    static boolean fused(FusedOp op, Tensor[] in, Tensor out) {
        return false;
    }

    /** False when this is for the reference backend. */
    static boolean conv(ConvOp op, Tensor a, Tensor b, Tensor out) {
        return false;
    }

    /** False when this is for the reference backend. */
    static boolean matmul(MatMul op, Tensor a, Tensor b, Tensor out) {
        if (!F32.all(a, b)) {
            return false;
        }
        F32 x = F32.of(a);
        F32 y = F32.of(b);
        F32 z = F32.of(out);
        int m = out.dim(-2);
        int n = out.dim(-1);
        int k = a.dim(op.transA() ? -2 : -1);
        int lda = Math.max(1, a.dim(-1));
        int ldb = Math.max(1, b.dim(-1));
        Shape batch = out.shape().range(0, out.rank() - 2);
        int count = (int) batch.size();
        boolean eachA = a.shape().count(0, a.rank() - 2) == count;
        boolean eachB = b.shape().count(0, b.rank() - 2) == count;
        boolean oneA = a.shape().count(0, a.rank() - 2) == 1;
        boolean oneB = b.shape().count(0, b.rank() - 2) == 1;
        if ((eachA || oneA) && (eachB || oneB)) {
            Gemm.batched(op.transA(), op.transB(), count, m, n, k, x.array(), x.at(), lda, eachA ? m * k : 0,
                    y.array(), y.at(), ldb, eachB ? k * n : 0, z.array(), z.at(), n, m * n, false);
            return true;
        }
        int[] ia = places(a.shape(), batch);
        int[] ib = places(b.shape(), batch);
        for (int i = 0; i < count; i++) {
            Gemm.multiply(op.transA(), op.transB(), m, n, k, x.array(), x.at() + ia[i] * m * k, lda,
                    y.array(), y.at() + ib[i] * k * n, ldb, z.array(), z.at() + i * m * n, n, false);
        }
        return true;
    }

    /** For every matrix of the broadcast batch, which matrix of an operand it reads. */
    private static int[] places(Shape s, Shape batch) {
        int[] place = new int[(int) batch.size()];
        int rank = s.rank() - 2;
        for (int i = 0; i < place.length; i++) {
            int rest = i;
            int step = 1;
            for (int k = 1; k <= rank; k++) {
                int d = s.dim(rank - k);
                place[i] += d == 1 ? 0 : rest % batch.dim(-k) * step;
                step *= d;
                rest /= batch.dim(-k);
            }
        }
        return place;
    }
}
