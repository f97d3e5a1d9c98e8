package dev.graft.kernels.ops;

import dev.graft.kernels.CudaDevice;
import dev.graft.kernels.compile.Kernel;
import dev.graft.kernels.compile.KernelSource;
import dev.graft.tensor.DType;
import dev.graft.tensor.op.ConvParams;
import java.util.List;

/**
 * Depthwise convolutions by own kernels, which are bound by memory and so not what matrix units are for. All of the geometry
 * but the image is compiled in; sums have a fixed order in all three directions. For float32 and 16-bit types.
 */
final class DepthwiseConv implements ConvEngine {
    private static final int THREADS = 256;
    private static final int WEIGHT_THREADS = 128;
    private static final int MOST_SHARED = 40 * 1024;
    private static final int BLOCKS_PER_MULTIPROCESSOR = 16;
    /** About what is resident at a time: each leaves partial sums behind. */
    private static final int WEIGHT_BLOCKS_PER_MULTIPROCESSOR = 6;
    /** Sums that a thread of the weights' kernel keeps in registers. */
    private static final int MOST_SUMS = 64;
    private static final int MOST_TAPS = 1024;
    /** Weights in shared memory, partial sums: float32. */
    private static final int ACCUMULATOR = Float.BYTES;

    private final CudaDevice device;

    DepthwiseConv(CudaDevice device) {
        this.device = device;
    }

    @Override
    public String name() {
        return "depthwise";
    }

    @Override
    public List<Candidate> candidates(ConvProblem p) {
        ConvParams q = p.params();
        boolean fits = p.isDepthwise() && p.dtype() != DType.F64 && p.kH() * (long) p.kW() <= MOST_TAPS
                && p.kW() <= MOST_SUMS
                && (long) p.h() * p.w() < Integer.MAX_VALUE / 2 && (long) p.outH() * p.outW() < Integer.MAX_VALUE / 2
                && (long) q.strideW() * 4 + (long) q.dilationW() * p.kW() <= 256 && p.o() / p.c() <= 16;
        if (!fits) {
            return List.of();
        }
        Plan plan = p.direction() == ConvProblem.Direction.BACKWARD_WEIGHT ? new WeightPlan(device, p)
                : new ImagePlan(device, p);
        return List.of(new Ready(name(), plan));
    }

    /** What the kernels of all directions have in common. */
    private abstract static class Plan implements ConvPlan {
        final CudaDevice device;
        final ConvProblem p;
        final int taps;
        final int multiplier;
        final int[] sizes;

        Plan(CudaDevice device, ConvProblem p) {
            this.device = device;
            this.p = p;
            taps = p.kH() * p.kW();
            multiplier = p.o() / p.c();
            sizes = new int[] {p.h(), p.w(), p.c(), p.outH(), p.outW(), p.o()};
        }

        KernelSource source(int kernel, int v, int tile, long tiles) {
            ConvParams q = p.params();
            return KernelSource.of("depthwise.cu").define("KERNEL", kernel).define("T", Epilogue.type(p.dtype()))
                    .define("V", v).define("TILE", tile).define("MULTIPLIER", multiplier)
                    .define("INDEX", tiles < 1L << 30 ? "int" : "long long")
                    .define("KH", p.kH()).define("KW", p.kW()).define("SH", q.strideH()).define("SW", q.strideW())
                    .define("DH", q.dilationH()).define("DW", q.dilationW()).define("PT", q.padTop())
                    .define("PL", q.padLeft());
        }

        /** As few chunks of about equal size as {@code most} packs in each allow. */
        static int across(int packs, int most) {
            int chunks = (packs + most - 1) / most;
            return (packs + chunks - 1) / chunks;
        }

        int blocks(long tiles, int perBlock, int chunks, int perMultiprocessor) {
            return (int) Math.clamp((tiles + perBlock - 1) / perBlock, 1,
                    Math.max(1, (long) device.multiprocessors() * perMultiprocessor / chunks));
        }
    }

    /** Forward and the gradient of the input. */
    private static final class ImagePlan extends Plan {
        private final boolean forward;
        private final Kernel kernel;
        private final long tiles;
        private final int tx;
        private final int ty;
        private final int chunks;
        private final int shared;
        private final int blocks;

        ImagePlan(CudaDevice device, ConvProblem p) {
            super(device, p);
            forward = p.direction() == ConvProblem.Direction.FORWARD;
            int strideW = p.params().strideW();
            int outputs = p.kW() > 3 ? 2 : 4;                   // as many sums as registers allow
            int tile = forward ? outputs : strideW * Math.max(1, outputs / strideW);
            int v = multiplier > 1 ? 1 : Epilogue.width(p.dtype(), p.c());
            long perPack = (long) taps * ACCUMULATOR * (forward ? 1 : multiplier);
            while (v > 1 && perPack * v > MOST_SHARED) {
                v /= 2;
            }
            int packs = (forward ? p.o() : p.c()) / v;
            tx = across(packs, Math.clamp(MOST_SHARED / (perPack * v), 1, 32));
            ty = THREADS / tx;
            chunks = (packs + tx - 1) / tx;
            shared = Math.toIntExact(perPack * v * tx);
            int width = forward ? p.outW() : p.w();
            tiles = (long) p.n() * (forward ? p.outH() : p.h()) * ((width + tile - 1) / tile);
            blocks = blocks(tiles, ty, chunks, BLOCKS_PER_MULTIPROCESSOR);
            KernelSource source = source(forward ? 0 : 1, v, tile, tiles);
            if (forward) {
                source = source.define("ACT", p.activation().ordinal()).define("BIAS", p.fused() ? 1 : 0)
                        .define("RESIDUAL", p.residual() ? 1 : 0);
            }
            kernel = device.kernel(source, forward ? "depthwise_forward" : "depthwise_backward_input").allowShared(shared);
        }

        @Override
        public long workspace() {
            return 0;
        }

        @Override
        public void run(long x, long w, long y, long bias, long residual, long workspace) {
            if (forward) {
                kernel.args().ptr(x).ptr(w).ptr(bias).ptr(residual).ptr(y).ints(sizes).i64(tiles)
                        .launch(blocks, chunks, 1, tx, ty, 1, shared);
            } else {
                kernel.args().ptr(y).ptr(w).ptr(x).ints(sizes).i64(tiles).launch(blocks, chunks, 1, tx, ty, 1, shared);
            }
        }
    }

    /** The gradient of the weights: slices of the images, then their sum. */
    private static final class WeightPlan extends Plan {
        private final Kernel slices;
        private final Kernel sum;
        private final long tiles;
        private final int tx;
        private final int ty;
        private final int chunks;
        private final int groups;
        private final int shared;
        private final int blocks;

        WeightPlan(CudaDevice device, ConvProblem p) {
            super(device, p);
            int v = multiplier > 1 ? 1 : Math.min(4, Epilogue.width(p.dtype(), p.c()));
            while (v > 1 && (taps * v > MOST_SUMS || p.kW() * v > MOST_SUMS)) {
                v /= 2;
            }
            int rows = Math.clamp(MOST_SUMS / (p.kW() * v), 1, p.kH());
            groups = (p.kH() + rows - 1) / rows;
            int packs = p.o() / v;
            tx = across(packs, 32);
            ty = WEIGHT_THREADS / tx;
            chunks = (packs + tx - 1) / tx;
            shared = tx * ty * rows * p.kW() * v * ACCUMULATOR;
            int tile = 4;
            tiles = rows(p, tile);
            blocks = blocks(tiles, ty, chunks * groups, WEIGHT_BLOCKS_PER_MULTIPROCESSOR);
            KernelSource source = source(2, v, tile, tiles).define("ROWS", rows);
            slices = device.kernel(source, "depthwise_backward_weight").allowShared(shared);
            sum = device.kernel(source, "depthwise_sum");
        }

        private static long rows(ConvProblem p, int tile) {
            return (long) p.n() * p.outH() * ((p.outW() + tile - 1) / tile);
        }

        @Override
        public long workspace() {
            return (long) blocks * taps * p.o() * ACCUMULATOR;
        }

        @Override
        public void run(long x, long w, long y, long bias, long residual, long workspace) {
            slices.args().ptr(x).ptr(y).ptr(workspace).ints(sizes).i64(tiles)
                    .launch(blocks, chunks, groups, tx, ty, 1, shared);
            sum.args().ptr(workspace).ptr(w).i32(blocks).i32(taps).i32(p.o())
                    .launch((taps * p.o() + 31) / 32, 1, 1, 32, 16, 1, 0);
        }
    }
}
