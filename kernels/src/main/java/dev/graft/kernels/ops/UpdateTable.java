package dev.graft.kernels.ops;

import dev.graft.kernels.CudaDevice;
import dev.graft.kernels.CudaStorage;
import dev.graft.kernels.Scratch;
import dev.graft.kernels.Tables;
import dev.graft.kernels.compile.Kernel;
import dev.graft.kernels.compile.KernelSource;
import dev.graft.tensor.DType;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.Change;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/**
 * Changes of one kind and type that one launch carries out: pointers and numbers of every tensor, and the list of chunks
 * that the blocks work through. The numbers can be written anew, for a captured step's replay.
 */
final class UpdateTable implements Tables.Table {
    private static final int CHUNK = 1 << 14;
    private static final int ENTRY = 5 * 8 + 8 * 8;
    private static final int THREADS = 256;

    private final CudaDevice device;
    private final List<Change> changes;
    private final int kind;
    private final DType dtype;
    private final double limit;
    private final ByteBuffer image;
    private final int chunks;
    private final Scratch memory;
    private final long[] targets;

    UpdateTable(CudaDevice device, List<Change> changes, double limit) {
        this.device = device;
        this.changes = changes;
        this.limit = limit;
        kind = UpdateScalars.kind(changes.getFirst().update());
        dtype = changes.getFirst().target().dtype();
        long n = 0;
        for (Change c : changes) {
            n += (c.target().size() + CHUNK - 1) / CHUNK;
        }
        chunks = Math.toIntExact(n);
        image = ByteBuffer.allocate(Math.toIntExact((long) ENTRY * changes.size() + 8L * chunks))
                .order(ByteOrder.nativeOrder());
        targets = new long[changes.size()];
        fill();
        memory = device.lasting(image.capacity());
    }

    private void fill() {
        int chunkAt = ENTRY * changes.size();
        for (int e = 0; e < changes.size(); e++) {
            Change c = changes.get(e);
            int at = ENTRY * e;
            targets[e] = CudaStorage.address(c.target());
            image.putLong(at, targets[e]);
            for (int k = 0; k < 3; k++) {
                image.putLong(at + 8 * (k + 1), k < c.in().length ? CudaStorage.address(c.in()[k]) : 0);
            }
            image.putLong(at + 32, c.target().size());
            scalars(e, c);
            for (int k = 0; (long) k * CHUNK < c.target().size(); k++, chunkAt += 8) {
                image.putInt(chunkAt, e).putInt(chunkAt + 4, k);
            }
        }
    }

    private void scalars(int entry, Change c) {
        double[] a = UpdateScalars.of(c.update());
        for (int k = 0; k < a.length; k++) {
            image.putDouble(ENTRY * entry + 40 + 8 * k, a[k]);
        }
    }

    /** Takes the numbers of the same changes in another step. */
    void rewrite(List<Change> again, double limitAgain) {
        if (limitAgain != limit) {
            throw new GraftException("a captured step's replay clips gradients to " + limitAgain + ", the step did to "
                    + limit + ": capture it again");
        }
        boolean same = again.size() == changes.size();
        for (int i = 0; same && i < targets.length; i++) {
            same = CudaStorage.address(again.get(i).target()) == targets[i]
                    && UpdateScalars.kind(again.get(i).update()) == kind;
        }
        if (!same) {
            throw new GraftException("a captured step's replay updates other tensors than the step did: capture it again");
        }
        for (int i = 0; i < targets.length; i++) {
            scalars(i, again.get(i));
        }
    }

    @Override
    public void upload() {
        device.upload(image.array(), memory.address());
    }

    void launch(Tensor scale) {
        Kernel k = device.kernel(KernelSource.of("update.cu").define("OP", kind)
                .define("T", dtype == DType.F64 ? "double" : "float"), "update");
        k.args().ptr(memory.address()).ptr(memory.address() + (long) ENTRY * changes.size())
                .ptr(scale == null ? 0 : CudaStorage.address(scale)).f64(limit).i32(CHUNK).launch(chunks, THREADS);
    }

    @Override
    public void close() {
        memory.close();
    }
}
