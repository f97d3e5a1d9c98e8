package dev.graft.kernels.ops;

import dev.graft.kernels.CudaDevice;
import dev.graft.kernels.CudaStorage;
import dev.graft.kernels.Scratch;
import dev.graft.kernels.compile.Kernel;
import dev.graft.kernels.compile.KernelSource;
import dev.graft.tensor.DType;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.ReduceFn;
import dev.graft.tensor.op.ReduceOp;
import java.util.ArrayList;
import java.util.List;

/**
 * Sums, maxima and their places along axes, and softmax. A reduction over any axes is a row of passes over [outer, rows,
 * inner] from the last axis to the first, of which only the first reads the whole input. All results have the same bits in
 * every run.
 */
public final class CudaReduce {
    private static final int SUM = 0;
    private static final int MAX = 1;
    private static final int MIN = 2;
    private static final int ARGMAX = 3;
    private static final int ARGMIN = 4;
    private static final int THREADS = 256;

    private final CudaDevice device;
    private final KernelTable kernels;
    private final CudaSoftmax softmax;

    public CudaReduce(CudaDevice device) {
        this.device = device;
        kernels = new KernelTable(device);
        softmax = new CudaSoftmax(device);
    }

    /** @return whether this was computed here */
    public boolean run(ReduceOp op, Tensor[] in, Tensor[] out) {
        switch (op) {
            case ReduceOp.Reduce r -> reduce(r, in[0], out[0]);
            case ReduceOp.ArgReduce a -> {
                if (in[0].dtype() == DType.BOOL) {
                    return false;
                }
                Shape s = in[0].shape();
                int axis = s.axis(a.axis());
                pass(a.largest() ? ARGMAX : ARGMIN, in[0].dtype(), CudaStorage.address(in[0]), out[0].dtype(),
                        CudaStorage.address(out[0]), s.count(0, axis), s.dim(axis), s.count(axis + 1, s.rank()), 1);
            }
            case ReduceOp.Softmax s -> softmax.forward(s.log(), in[0], out[0]);
            case ReduceOp.SoftmaxBackward s -> softmax.backward(s.log(), in[0], in[1], out[0]);
        }
        return true;
    }

    // ------------------------------------------------------------------ any axes

    /** Neighbouring axes that are reduced alike. */
    private record Group(long size, boolean reduced) {}

    private void reduce(ReduceOp.Reduce op, Tensor x, Tensor y) {
        if (x.size() == 0) {
            device.zero(CudaStorage.address(y), y.size() * y.dtype().bytes());   // only a sum may be of nothing
            return;
        }
        List<Group> groups = groups(x.shape(), op.axes());
        if (groups.stream().noneMatch(Group::reduced)) {
            device.copy(CudaStorage.address(y), CudaStorage.address(x), y.size() * y.dtype().bytes());
            return;
        }
        double divisor = op.fn() == ReduceFn.MEAN ? (double) (x.size() / y.size()) : 1;
        int fn = switch (op.fn()) {
            case SUM, MEAN -> SUM;
            case MAX -> MAX;
            case MIN -> MIN;
        };
        passes(fn, x.dtype(), CudaStorage.address(x), groups, y, divisor);
    }

    private void passes(int fn, DType type, long x, List<Group> groups, Tensor y, double divisor) {
        int g = groups.size() - 1;
        while (!groups.get(g).reduced) {
            g--;
        }
        long rows = groups.get(g).size;
        long outer = size(groups.subList(0, g));
        long inner = size(groups.subList(g + 1, groups.size()));
        List<Group> rest = new ArrayList<>(groups);
        rest.remove(g);
        if (rest.stream().noneMatch(Group::reduced)) {
            pass(fn, type, x, y.dtype(), CudaStorage.address(y), outer, rows, inner, divisor);
            return;
        }
        DType to = Vectors.accumulator(type);
        try (Scratch part = device.scratch(outer * inner * to.bytes())) {
            pass(fn, type, x, to, part.address(), outer, rows, inner, 1);
            passes(fn, to, part.address(), rest, y, divisor);
        }
    }

    private static List<Group> groups(Shape s, int[] axes) {
        boolean[] reduced = new boolean[s.rank()];
        for (int a : axes) {
            reduced[s.axis(a)] = true;
        }
        List<Group> groups = new ArrayList<>();
        for (int i = 0; i < reduced.length; i++) {
            if (s.dim(i) == 1) {
                continue;
            }
            Group before = groups.isEmpty() ? null : groups.getLast();
            if (before != null && before.reduced == reduced[i]) {
                groups.set(groups.size() - 1, new Group(before.size * s.dim(i), reduced[i]));
            } else {
                groups.add(new Group(s.dim(i), reduced[i]));
            }
        }
        return groups;
    }

    private static long size(List<Group> groups) {
        return groups.stream().mapToLong(Group::size).reduce(1, (a, b) -> a * b);
    }

    // ------------------------------------------------------------------ one pass

    /** The mean over [outer, rows, inner], also for other families. */
    void mean(Tensor x, Tensor y, long outer, long rows, long inner) {
        pass(SUM, x.dtype(), CudaStorage.address(x), y.dtype(), CudaStorage.address(y), outer, rows, inner, rows);
    }

    private void pass(int fn, DType type, long x, DType to, long y, long outer, long rows, long inner, double divisor) {
        boolean places = fn == ARGMAX || fn == ARGMIN;
        boolean columns = inner > 1;
        int width = Math.min(places ? 4 : 8, 16 / type.bytes());
        while (width > 1 && ((columns ? inner : rows) % width != 0 || x % (width * type.bytes()) != 0)) {
            width /= 2;
        }
        int part = places ? 16 : Vectors.accumulator(type).bytes();
        if (columns) {
            Tiles t = Tiles.reducing(outer, rows, inner / width, device.multiprocessors());
            try (Scratch partial = device.scratch(t.splits() > 1 ? t.splits() * t.columns() * width * part : 0)) {
                kernel("reduce_columns", type, to, width, fn).args().ptr(x).ptr(y).ptr(partial.address())
                        .ptr(device.counters()).longs(t.longs()).f64(divisor).launch(t.blocks(), THREADS);
            }
            return;
        }
        long vectors = rows / width;
        // a warp each where there are rows for all, since a block's barriers cost more than a longer walk
        if (vectors <= 32 * 8 || vectors <= 32 * 32 && outer >= 64L * device.multiprocessors()) {
            RowTeams r = RowTeams.inWarps(vectors, 8);
            kernel("reduce_short_rows", type, to, width, fn).args().ptr(x).ptr(y).i64(outer).i64(vectors).i32(r.team())
                    .f64(divisor).launch(r.blocks(outer), THREADS);
            return;
        }
        long splits = outer >= 2L * device.multiprocessors() ? 1
                : Math.clamp(vectors / (4 * THREADS), 1, Tiles.ceil(8L * device.multiprocessors(), outer));
        long chunk = Tiles.ceil(vectors, splits);
        splits = Tiles.ceil(vectors, chunk);
        try (Scratch partial = device.scratch(splits > 1 ? outer * splits * part : 0)) {
            kernel("reduce_long_rows", type, to, width, fn).args().ptr(x).ptr(y).ptr(partial.address())
                    .ptr(device.counters()).i64(vectors).i32((int) splits).i64(chunk).f64(divisor)
                    .launch(outer * splits, THREADS);
        }
    }

    private Kernel kernel(String function, DType type, DType to, int width, int fn) {
        return kernels.get(function, type, to, width, fn, () -> KernelSource.of("reduce.cu").define("IN", CudaTypes.of(type))
                .define("OUT", CudaTypes.of(to)).define("FN", fn).define("V", width));
    }
}
