package dev.graft.kernels.ops;

import dev.graft.kernels.CudaDevice;
import dev.graft.kernels.CudaStorage;
import dev.graft.kernels.driver.GemmType;
import dev.graft.tensor.DType;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.FusedOp;
import dev.graft.tensor.op.MatMul;

/**
 * Matrix products by cuBLAS. Transposed factors, broadcast batches and vectors need no copies: they are leading dimensions
 * and strides. A product with everything bound to one stream and one workspace gives the same bits in every run.
 */
public final class CudaMatMul {
    /** cuBLAS walks batches on the grid's third axis in some of its kernels. */
    private static final int MOST_AT_ONCE = 65535;

    private final CudaDevice device;
    private final Epilogue epilogue;

    public CudaMatMul(CudaDevice device) {
        this.device = device;
        this.epilogue = new Epilogue(device);
    }

    /** out = in[0] · in[1] over the last two axes. */
    public boolean run(MatMul op, Tensor[] in, Tensor[] out) {
        Tensor a = in[0];
        Tensor b = in[1];
        if (!a.dtype().isFloat()) {
            return false;
        }
        int m = a.dim(op.transA() ? -1 : -2);
        int k = a.dim(op.transA() ? -2 : -1);
        int n = b.dim(op.transB() ? -2 : -1);
        long to = CudaStorage.address(out[0]);
        if (k == 0) {
            device.zero(to, out[0].spec().bytes());
            return true;
        }
        GemmType type = GemmType.of(a.dtype(), device.tf32());
        Shape batchA = a.shape().range(0, a.rank() - 2);
        Shape batchB = b.shape().range(0, b.rank() - 2);
        long count = out[0].shape().count(0, out[0].rank() - 2);
        if (!op.transA() && batchB.size() == 1 && count * m <= Integer.MAX_VALUE) {   // one tall product
            gemm(type, false, op.transB(), (int) (count * m), n, k, CudaStorage.address(a), CudaStorage.address(b), to);
        } else if (count == 1) {
            gemm(type, op.transA(), op.transB(), m, n, k, CudaStorage.address(a), CudaStorage.address(b), to);
        } else {
            batched(op, type, m, n, k, a, b, out[0],
                    BatchStrides.of(batchA, batchB, out[0].shape().range(0, out[0].rank() - 2)));
        }
        return true;
    }

    private void gemm(GemmType type, boolean transA, boolean transB, int m, int n, int k, long a, long b, long c) {
        device.cublas().gemm(type, transA, transB, m, n, k, a, transA ? m : k, b, transB ? k : n, false, c, n);
    }

    /** One launch for the longest axis, as many as the other axes have places. */
    private void batched(MatMul op, GemmType type, int m, int n, int k, Tensor a, Tensor b, Tensor out, BatchStrides s) {
        int bytes = a.dtype().bytes();
        long sizeA = (long) m * k;
        long sizeB = (long) k * n;
        long sizeC = (long) m * n;
        int axis = s.longest();
        int[] sizes = s.sizes();
        long[] stepC = new long[sizes.length];
        long places = 1;
        for (int i = sizes.length - 1; i >= 0; i--) {
            stepC[i] = places;
            places *= sizes[i];
        }
        long others = places / sizes[axis];
        for (long other = 0; other < others; other++) {
            long rest = other;
            long atA = 0;
            long atB = 0;
            long atC = 0;
            for (int i = sizes.length - 1; i >= 0; i--) {
                if (i != axis) {
                    long index = rest % sizes[i];
                    rest /= sizes[i];
                    atA += index * s.a()[i];
                    atB += index * s.b()[i];
                    atC += index * stepC[i];
                }
            }
            for (int from = 0; from < sizes[axis]; from += MOST_AT_ONCE) {
                device.cublas().gemmStridedBatched(type, op.transA(), op.transB(), m, n, k,
                        CudaStorage.address(a) + (atA + from * s.a()[axis]) * sizeA * bytes, op.transA() ? m : k,
                        s.a()[axis] * sizeA,
                        CudaStorage.address(b) + (atB + from * s.b()[axis]) * sizeB * bytes, op.transB() ? k : n,
                        s.b()[axis] * sizeB, false,
                        CudaStorage.address(out) + (atC + from * stepC[axis]) * sizeC * bytes, n, stepC[axis] * sizeC,
                        Math.min(MOST_AT_ONCE, sizes[axis] - from));
            }
        }
    }

    /** out = activation(x · wᵀ + bias [+ residual]): x [..., I], w [O, I], bias [O], residual as out. */
    public boolean run(FusedOp.LinearBiasActivation op, Tensor[] in, Tensor[] out) {
        DType dtype = in[0].dtype();
        if (!dtype.isFloat()) {
            throw new GraftException(op.name() + ": x is " + dtype + ", a floating-point type is needed: cast it");
        }
        for (Tensor t : in) {
            if (t.dtype() != dtype) {
                throw new GraftException(op.name() + ": x is " + dtype + ", but " + t.spec()
                        + " was given with it: cast it");
            }
        }
        int k = in[1].dim(1);
        int n = in[1].dim(0);
        long rows = out[0].size() / n;
        if (rows > Integer.MAX_VALUE) {
            throw new GraftException(op.name() + ": " + rows + " rows are more than a matrix product takes, "
                    + Integer.MAX_VALUE + ": split the input");
        }
        long y = CudaStorage.address(out[0]);
        if (k == 0) {
            device.zero(y, out[0].spec().bytes());
        } else {
            gemm(GemmType.of(dtype, device.tf32()), false, true, (int) rows, n, k, CudaStorage.address(in[0]),
                    CudaStorage.address(in[1]), y);
        }
        epilogue.run(dtype, y, CudaStorage.address(in[2]), in.length == 4 ? CudaStorage.address(in[3]) : 0, rows, n,
                op.activation());
        return true;
    }
}
