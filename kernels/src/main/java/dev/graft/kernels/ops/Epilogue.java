package dev.graft.kernels.ops;

import dev.graft.kernels.CudaDevice;
import dev.graft.kernels.compile.Kernel;
import dev.graft.kernels.compile.KernelSource;
import dev.graft.tensor.DType;
import dev.graft.tensor.op.FusedOp;

/** activation(y + bias (+ residual)) in place: what follows a product that could not do it itself. */
final class Epilogue {
    private static final int THREADS = 256;
    private static final int BLOCKS_PER_MULTIPROCESSOR = 16;

    private final CudaDevice device;
    private final Kernel[] kernels = new Kernel[DType.values().length * 4 * FusedOp.Activation.values().length * 2];

    Epilogue(CudaDevice device) {
        this.device = device;
    }

    /**
     * @param y        [rows, columns], aligned to 16 bytes as all memory of tensors that are not views is
     * @param bias     [columns]
     * @param residual [rows, columns], or 0
     */
    void run(DType dtype, long y, long bias, long residual, long rows, int columns, FusedOp.Activation activation) {
        int v = width(dtype, columns);
        while (v > 1 && residual % ((long) v * dtype.bytes()) != 0) {
            v /= 2;
        }
        int packs = columns / v;
        int chunks = (packs + THREADS - 1) / THREADS;
        int tx = (packs + chunks - 1) / chunks;
        int ty = Math.max(1, THREADS / tx);
        chunks = (packs + tx - 1) / tx;
        long blocks = Math.min((rows + ty - 1) / ty,
                Math.max(1, (long) device.multiprocessors() * BLOCKS_PER_MULTIPROCESSOR / chunks));
        kernel(dtype, v, activation, residual != 0).args().ptr(y).ptr(bias).ptr(residual).i64(rows).i32(packs)
                .launch((int) blocks, chunks, 1, tx, ty, 1, 0);
    }

    private Kernel kernel(DType dtype, int v, FusedOp.Activation activation, boolean residual) {
        int form = activation.ordinal() * 2 + (residual ? 1 : 0);
        int at = (dtype.ordinal() * 4 + Integer.numberOfTrailingZeros(v)) * 2 * FusedOp.Activation.values().length + form;
        if (kernels[at] == null) {
            kernels[at] = device.kernel(KernelSource.of("epilogue.cu").define("T", type(dtype)).define("V", v)
                    .define("ACT", activation.ordinal()).define("RESIDUAL", residual ? 1 : 0), "epilogue");
        }
        return kernels[at];
    }

    /** The most elements, at most 16 bytes, in which rows of {@code columns} can be read. */
    static int width(DType dtype, int columns) {
        int v = 16 / dtype.bytes();
        while (columns % v != 0) {
            v /= 2;
        }
        return v;
    }

    /** The name of {@code dtype} in kernels. */
    static String type(DType dtype) {
        return switch (dtype) {
            case F32 -> "float";
            case F64 -> "double";
            case BF16 -> "bf16";
            case F16 -> "half";
            default -> throw new IllegalArgumentException(dtype + " is no floating-point type");
        };
    }
}
