package dev.graft.kernels.ops;

import dev.graft.kernels.CudaStorage;
import dev.graft.tensor.DType;
import dev.graft.tensor.Tensor;

/** How many elements a thread can access at once, and how many threads there are. */
final class Vectors {
    static final int THREADS = 256;
    private static final int WIDEST = 16;
    private static final int MOST_BLOCKS = 1 << 20;

    private Vectors() {}

    /** What {@code t} is computed in: {@code acc_t<T>}. */
    static DType accumulator(DType t) {
        return switch (t) {
            case F32, F16, BF16 -> DType.F32;
            case F64 -> DType.F64;
            case I8, I16, I32, I64, U8, BOOL -> DType.I64;
        };
    }

    /**
     * The largest power of two, at most 16 bytes of {@code t}, that divides {@code count} and at whose multiples all of the
     * tensors begin. Tensors of wider types are accessed in several pieces of 16 bytes.
     */
    static int width(DType t, long count, Tensor... tensors) {
        int n = WIDEST / t.bytes();
        while (n > 1 && (count % n != 0 || !aligned(n, tensors))) {
            n /= 2;
        }
        return n;
    }

    /** As {@link #width}, but one element where 16 bytes do not fit: fewer kernels to compile where that is rare. */
    static int wholeOrOne(DType t, long count, Tensor... tensors) {
        int n = width(t, count, tensors);
        return n == WIDEST / t.bytes() ? n : 1;
    }

    /** Blocks of {@link #THREADS} threads for this many items; kernels take several items each where that is not enough. */
    static long blocks(long items) {
        return Math.clamp(Tiles.ceil(items, THREADS), 1, MOST_BLOCKS);
    }

    /** The type that a kernel counts up to {@code n} in: 32 bits where that is enough, since divisions are much faster. */
    static DType counter(long n) {
        return n < 1L << 31 ? DType.I32 : DType.I64;
    }

    /** The counter's type in kernels, where 32 bits have no sign. */
    static String unsigned(DType counter) {
        return counter == DType.I32 ? "u32" : "i64";
    }

    private static boolean aligned(int n, Tensor[] tensors) {
        for (Tensor t : tensors) {
            if (CudaStorage.address(t) % Math.min(WIDEST, n * t.dtype().bytes()) != 0) {
                return false;
            }
        }
        return true;
    }

    /** The smallest power of two that is not less than {@code n}, at most 2^30. */
    static int powerAbove(long n) {
        return n <= 1 ? 1 : n > 1 << 29 ? 1 << 30 : Integer.highestOneBit((int) n - 1) << 1;
    }
}
