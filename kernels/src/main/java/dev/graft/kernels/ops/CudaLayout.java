package dev.graft.kernels.ops;

import dev.graft.kernels.CudaDevice;
import dev.graft.kernels.CudaStorage;
import dev.graft.kernels.compile.Kernel;
import dev.graft.kernels.compile.KernelSource;
import dev.graft.kernels.driver.Args;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.LayoutOp;
import java.util.Arrays;

/**
 * Moves of elements (layout.cu), the same for all types of a size. Axes are joined where they can be; where whole runs of
 * neighbours move together, up to 16 bytes of them are moved as one element.
 */
public final class CudaLayout {
    private static final int MAX_AXES = 8;
    /** Rows and columns of a transpose that are worth a tile in shared memory. */
    private static final int LEAST_TILE = 12;

    private final CudaDevice device;

    public CudaLayout(CudaDevice device) {
        this.device = device;
    }

    /** False for more than 8 axes that cannot be joined. */
    public boolean run(LayoutOp op, Tensor[] in, Tensor[] out) {
        Tensor x = in[0];
        Tensor y = out[0];
        int bytes = y.dtype().bytes();
        return switch (op) {
            case LayoutOp.Reshape r -> copy(x, y);
            case LayoutOp.Permute p -> permute(p.axes(), x, y);
            case LayoutOp.BroadcastTo b -> gather(y, Walk.of(y.shape(), broadcast(x.shape(), y.rank())),
                    CudaStorage.address(x), bytes);
            case LayoutOp.Slice s -> slice(s, x, y);
            case LayoutOp.Concat c -> concat(y.shape().axis(c.axis()), in, y);
            case LayoutOp.Pad p -> pad(p, x, y);
        };
    }

    private boolean copy(Tensor x, Tensor y) {
        device.copy(CudaStorage.address(y), CudaStorage.address(x), y.size() * y.dtype().bytes());
        return true;
    }

    /** Steps of x along the axes of a shape of {@code rank} axes. */
    private static long[] broadcast(Shape x, int rank) {
        long[] own = x.strides();
        long[] steps = new long[rank];
        for (int i = 0; i < own.length; i++) {
            steps[rank - own.length + i] = x.dim(i) == 1 ? 0 : own[i];
        }
        return steps;
    }

    private boolean slice(LayoutOp.Slice op, Tensor x, Tensor y) {
        long[] steps = x.shape().strides();
        long first = 0;
        for (int i = 0; i < steps.length; i++) {
            first += steps[i] * op.begin()[i];
            steps[i] *= op.step()[i];
        }
        int bytes = y.dtype().bytes();
        return gather(y, Walk.of(y.shape(), steps), CudaStorage.address(x) + first * bytes, bytes);
    }

    // ------------------------------------------------------------------ y in order, x by steps

    private boolean gather(Tensor y, Walk walk, long from, int bytes) {
        if (walk.rank() > MAX_AXES) {
            return false;
        }
        long to = CudaStorage.address(y);
        if (walk.rank() == 1 && walk.step(0) == 1) {
            device.copy(to, from, y.size() * bytes);
            return true;
        }
        if (walk.innerStep() == 0 && walk.inner() * bytes % 16 == 0 && bytes < 16) {
            Args args = kernel(bytes, "splat").args().ptr(to).ptr(from).i64(walk.count()).i32(walk.rank())
                    .longs(walk.size()).longs(walk.steps());
            args.launch(Launches.blocks(device, walk.count() * bytes / 16, 1), Launches.THREADS);
            return true;
        }
        int unit = walk.unit(bytes, to, from);
        move("gather", to, from, walk.inUnits(unit / bytes), unit);
        return true;
    }

    private void move(String function, long to, long from, Walk walk, int unit) {
        kernel(unit, function).args().ptr(to).ptr(from).i64(walk.count()).i32(walk.rank()).longs(walk.size())
                .longs(walk.steps()).launch(Launches.blocks(device, walk.count(), 4), Launches.THREADS);
    }

    private Kernel kernel(int bytes, String function) {
        String element = switch (bytes) {
            case 1 -> "u8";
            case 2 -> "u16";
            case 4 -> "u32";
            case 8 -> "u64";
            default -> "uint4";
        };
        KernelSource source = KernelSource.of("layout.cu").define("ELEMENT", element);
        return device.kernel(bytes < 16 ? source.define("NARROW", 1) : source, function);
    }

    // ------------------------------------------------------------------ permutations

    private boolean permute(int[] axes, Tensor x, Tensor y) {
        long[] own = x.shape().strides();
        long[] steps = new long[axes.length];
        for (int i = 0; i < axes.length; i++) {
            steps[i] = own[axes[i]];
        }
        Walk walk = Walk.of(y.shape(), steps);
        int inner = walk.rank() - 1;
        int row = walk.axisOfStep(1);                 // the innermost axis of x among those of y
        if (row == inner || row < 0 || walk.inner() < LEAST_TILE || walk.size(row) < LEAST_TILE
                || walk.rank() > MAX_AXES + 2) {
            return gather(y, walk, CudaStorage.address(x), y.dtype().bytes());
        }
        transpose(walk, row, CudaStorage.address(x), CudaStorage.address(y), y.dtype().bytes());
        return true;
    }

    private void transpose(Walk walk, int row, long from, long to, int bytes) {
        int inner = walk.rank() - 1;
        int batchAxes = Math.max(1, walk.rank() - 2);
        long[] size = new long[batchAxes];
        long[] in = new long[batchAxes];
        long[] out = new long[batchAxes];
        size[0] = 1;
        long[] dense = walk.denseSteps();
        long batches = 1;
        int n = 0;
        for (int a = 0; a < inner; a++) {
            if (a != row) {
                size[n] = walk.size(a);
                in[n] = walk.step(a);
                out[n++] = dense[a];
                batches *= walk.size(a);
            }
        }
        int tile = bytes <= 2 ? 64 : 32;
        long tiles = batches * ((walk.size(row) + tile - 1) / tile) * ((walk.inner() + tile - 1) / tile);
        Args args = kernel(bytes, "transpose").args().ptr(to).ptr(from).i64(walk.size(row)).i64(dense[row])
                .i64(walk.inner()).i64(walk.innerStep()).i64(tiles).i64(batches).i32(batchAxes).longs(size).longs(in)
                .longs(out);
        args.launch((int) Math.min(tiles, 64L * device.multiprocessors()), 1, 1, 32, 8, 1, 0);
    }

    // ------------------------------------------------------------------ joining and padding

    /** One copy per input: its elements are runs of the output. */
    private boolean concat(int axis, Tensor[] in, Tensor y) {
        int bytes = y.dtype().bytes();
        long behind = y.shape().count(axis + 1, y.rank());
        long row = behind * y.dim(axis);
        long at = CudaStorage.address(y);
        for (Tensor x : in) {
            long run = behind * x.dim(axis);
            if (x.size() == 0) {
                continue;
            }
            long from = CudaStorage.address(x);
            if (x.size() == run) {
                device.copy(at, from, run * bytes);
            } else {
                Walk walk = new Walk(new long[] {x.size() / run, run}, new long[] {row, 1});
                int unit = walk.unit(bytes, at, from);
                move("scatter", at, from, walk.inUnits(unit / bytes), unit);
            }
            at += run * bytes;
        }
        return true;
    }

    private boolean pad(LayoutOp.Pad op, Tensor x, Tensor y) {
        int rank = Math.max(1, x.rank());
        long[] size = new long[rank];
        long[] axes = new long[3 * rank];              // low, size and distance of every axis
        int n = 0;
        boolean plain = false;                         // whether the last axis so far has no padding
        for (int a = 0; a < x.rank(); a++) {
            boolean free = op.low()[a] == 0 && op.high()[a] == 0 && (op.interior()[a] == 0 || x.dim(a) <= 1);
            if (n > 0 && free && plain) {
                size[n - 1] *= y.dim(a);
                axes[3 * n - 2] *= x.dim(a);
            } else {
                size[n] = y.dim(a);
                axes[3 * n] = op.low()[a];
                axes[3 * n + 1] = x.dim(a);
                axes[3 * n + 2] = op.interior()[a] + 1L;
                n++;
            }
            plain = free;
        }
        if (n == 0) {                                  // a scalar
            return copy(x, y);
        }
        if (n > MAX_AXES) {
            return false;
        }
        int bytes = y.dtype().bytes();
        long to = CudaStorage.address(y);
        long from = x.size() == 0 ? to : CudaStorage.address(x);
        int unit = bytes;
        while (plain && unit < 16 && size[n - 1] * bytes % (2 * unit) == 0 && (to | from) % (2 * unit) == 0) {
            unit *= 2;
        }
        if (plain) {
            size[n - 1] /= unit / bytes;
            axes[3 * n - 2] /= unit / bytes;
        }
        long count = y.size() / (unit / bytes);
        long bits = BitPattern.repeated(y.dtype(), op.value());
        kernel(unit, "pad").args().ptr(to).ptr(from).longs(bits, bits).i64(count).i32(n)
                .longs(Arrays.copyOf(size, n)).longs(Arrays.copyOf(axes, 3 * n))
                .launch(Launches.blocks(device, count, 1), Launches.THREADS);
        return true;
    }
}
