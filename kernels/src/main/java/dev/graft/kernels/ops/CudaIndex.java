package dev.graft.kernels.ops;

import dev.graft.kernels.CudaDevice;
import dev.graft.kernels.CudaStorage;
import dev.graft.kernels.DeviceError;
import dev.graft.kernels.Scratch;
import dev.graft.kernels.compile.Kernel;
import dev.graft.kernels.compile.KernelSource;
import dev.graft.tensor.DType;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.IndexOp;
import java.util.function.LongConsumer;

/**
 * Reading and adding at indices. Sums of floats are made with atomics, in any order, or in a fixed order where {@code
 * device.deterministic()} asks for it. An index outside of its axis is reported by the next read.
 */
public final class CudaIndex {
    private static final int ERROR = DeviceError.INDEX_OUT_OF_RANGE.ordinal();

    private final CudaDevice device;
    private final KernelTable kernels;

    public CudaIndex(CudaDevice device) {
        this.device = device;
        kernels = new KernelTable(device);
    }

    /** @return whether this was computed here */
    public boolean run(IndexOp op, Tensor[] in, Tensor[] out) {
        Tensor x = in[0];
        Tensor index = in[1];
        Shape s = x.shape();
        return switch (op) {
            case IndexOp.Take t -> take(x, index, out[0]);
            case IndexOp.TakeBackward t -> addRows(x, index, out[0], t.rows());
            case IndexOp.TakeAlong t -> {
                int axis = s.axis(t.axis());
                yield takeAlong(x, index, out[0], index.dim(axis), s.count(axis + 1, s.rank()), s.dim(axis));
            }
            case IndexOp.TakeAlongBackward t -> {
                int axis = s.axis(t.axis());
                yield addAlong(x, index, out[0], s.count(0, axis), s.dim(axis), s.count(axis + 1, s.rank()), t.size());
            }
        };
    }

    // ------------------------------------------------------------------ reading

    private boolean take(Tensor table, Tensor index, Tensor out) {
        long n = index.size();
        long row = out.size() / n;
        int width = Vectors.width(table.dtype(), row, table, out);
        moving("take", table.dtype(), index, width).args().ptr(table).ptr(index).ptr(out).i64(n)
                .i64(row / width).i64(table.dim(0)).ptr(device.errorFlag()).i32(ERROR)
                .launch(Vectors.blocks(Tiles.ceil(out.size() / width, 4)), Vectors.THREADS);
        return true;
    }

    /** out[o, i, k] = x[o, index[o, i, k], k] with {@code picks} of {@code size} elements along the middle axis. */
    boolean takeAlong(Tensor x, Tensor index, Tensor out, long picks, long inner, long size) {
        moving("take_along", x.dtype(), index, 1).args().ptr(x).ptr(index).ptr(out).i64(out.size()).i64(picks)
                .i64(inner).i64(size).ptr(device.errorFlag()).i32(ERROR)
                .launch(Vectors.blocks(out.size()), Vectors.THREADS);
        return true;
    }

    /** Only the size of an element matters where it is moved. */
    private Kernel moving(String function, DType type, Tensor index, int width) {
        String word = switch (type.bytes()) {
            case 1 -> "u8";
            case 2 -> "u16";
            case 4 -> "u32";
            default -> "u64";
        };
        return kernels.get(function, type, index.dtype(), width, 0, () -> KernelSource.of("index.cu").define("T", word)
                .define("I", CudaTypes.of(index.dtype())).define("V", width));
    }

    // ------------------------------------------------------------------ adding

    private boolean addRows(Tensor dy, Tensor index, Tensor out, int rows) {
        if (dy.dtype() == DType.BOOL) {
            return false;
        }
        long n = index.size();
        long row = out.size() / rows;
        int width = Math.min(4, Vectors.width(dy.dtype(), row, dy, out));
        boolean anyOrder = !dy.dtype().isFloat() || !device.deterministic();
        sums(dy, index, out, sum -> {
            if (n == 0) {
                return;
            }
            if (anyOrder) {
                adding("add_rows", dy, index, width).args().ptr(dy).ptr(index).ptr(sum).i64(n).i64(row / width).i64(rows)
                        .ptr(device.errorFlag()).i32(ERROR).launch(Vectors.blocks(dy.size() / width), Vectors.THREADS);
            } else {
                long owned = Tiles.ceil(rows, 4L * device.multiprocessors());
                adding("add_rows_in_order", dy, index, width).args().ptr(dy).ptr(index).ptr(sum).i64(n).i64(row / width)
                        .i64(rows).i64(owned).ptr(device.errorFlag()).i32(ERROR)
                        .launch(Tiles.ceil(rows, owned), Vectors.THREADS);
            }
        });
        return true;
    }

    /** out[o, index[o, i, k], k] += dy[o, i, k] into zeros, {@code picks} for {@code size} elements of the middle axis. */
    boolean addAlong(Tensor dy, Tensor index, Tensor out, long outer, long picks, long inner, long size) {
        if (dy.dtype() == DType.BOOL) {
            return false;
        }
        long lines = outer * inner;
        boolean anyOrder = (!dy.dtype().isFloat() || !device.deterministic())
                && lines < (long) Vectors.THREADS * device.multiprocessors();
        sums(dy, index, out, sum -> {
            if (dy.size() == 0) {
                return;
            }
            adding(anyOrder ? "add_along" : "add_along_in_order", dy, index, 1).args().ptr(dy).ptr(index).ptr(sum)
                    .i64(anyOrder ? dy.size() : lines).i64(picks).i64(inner).i64(size).ptr(device.errorFlag()).i32(ERROR)
                    .launch(Vectors.blocks(anyOrder ? dy.size() : lines), Vectors.THREADS);
        });
        return true;
    }

    private Kernel adding(String function, Tensor dy, Tensor index, int width) {
        return kernels.get(function, dy.dtype(), index.dtype(), width, 1, () -> KernelSource.of("index.cu")
                .define("T", CudaTypes.of(dy.dtype())).define("I", CudaTypes.of(index.dtype())).define("V", width)
                .define("ADDS", 1));
    }

    /** Lets {@code add} add to zeros of the type that sums are made in, and stores them. */
    private void sums(Tensor dy, Tensor index, Tensor out, LongConsumer add) {
        DType sum = Vectors.accumulator(out.dtype());
        long bytes = out.size() * sum.bytes();
        if (sum == out.dtype()) {
            device.zero(CudaStorage.address(out), bytes);
            add.accept(CudaStorage.address(out));
            return;
        }
        try (Scratch s = device.scratch(bytes)) {
            device.zero(s.address(), bytes);
            add.accept(s.address());
            adding("store_sums", dy, index, 1).args().ptr(s.address()).ptr(out).i64(out.size())
                    .launch(Vectors.blocks(out.size()), Vectors.THREADS);
        }
    }
}
