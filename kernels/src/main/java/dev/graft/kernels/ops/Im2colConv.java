package dev.graft.kernels.ops;

import dev.graft.kernels.CudaDevice;
import dev.graft.kernels.compile.Kernel;
import dev.graft.kernels.compile.KernelSource;
import dev.graft.kernels.driver.GemmType;
import dev.graft.tensor.DType;
import dev.graft.tensor.op.ConvParams;
import java.util.List;

/**
 * Any convolution as a matrix product with the columns of its windows, some images at a time. Needs no cuDNN and knows all
 * types; gradients are gathered in float32 (float64) in a fixed order.
 */
final class Im2colConv implements ConvEngine {
    private static final int THREADS = 256;
    private static final int BLOCKS_PER_MULTIPROCESSOR = 32;

    private final CudaDevice device;
    private final long mostBytes;

    /** @param mostBytes of columns at a time; at least one image's are taken whatever their size */
    Im2colConv(CudaDevice device, long mostBytes) {
        this.device = device;
        this.mostBytes = mostBytes;
    }

    @Override
    public String name() {
        return "im2col";
    }

    @Override
    public List<Candidate> candidates(ConvProblem p) {
        long depth = (long) p.kH() * p.kW() * p.c();
        if (p.fused() || (long) p.outH() * p.outW() > Integer.MAX_VALUE || depth > Integer.MAX_VALUE) {
            return List.of();
        }
        return List.of(new Ready(name(), new Plan(device, p, mostBytes)));
    }

    private static final class Plan implements ConvPlan {
        private final CudaDevice device;
        private final ConvProblem p;
        private final int[] window;
        private final int bytes;
        private final int wide;
        private final int depth;
        private final long positions;
        private final int images;
        private final boolean sumsApart;
        private final Kernel columns;
        private final Kernel narrow;
        private final int v;

        Plan(CudaDevice device, ConvProblem p, long mostBytes) {
            this.device = device;
            this.p = p;
            ConvParams q = p.params();
            window = new int[] {p.h(), p.w(), p.c(), p.outH(), p.outW(), p.kH(), p.kW(), q.strideH(), q.strideW(),
                    q.padTop(),
                q.padLeft(), q.dilationH(), q.dilationW(), q.groups()};
            bytes = p.dtype().bytes();
            wide = p.dtype() == DType.F64 ? 8 : 4;
            depth = p.kH() * p.kW() * (p.c() / q.groups());
            positions = (long) p.outH() * p.outW();
            boolean input = p.direction() == ConvProblem.Direction.BACKWARD_INPUT;
            long each = positions * depth * q.groups() * (input ? wide : bytes);
            images = Math.clamp(Math.min(mostBytes / each, Integer.MAX_VALUE / positions), 1, p.n());
            sumsApart = p.direction() == ConvProblem.Direction.BACKWARD_WEIGHT && images < p.n() && bytes < wide;
            v = input ? 1 : Epilogue.width(p.dtype(), p.c() / q.groups());
            KernelSource source = KernelSource.of("im2col.cu").define("T", Epilogue.type(p.dtype())).define("V", v);
            columns = device.kernel(source, input ? "col2im" : "im2col");
            narrow = sumsApart ? device.kernel(source, "narrow") : null;
        }

        private long columnBytes() {
            long elements = images * positions * depth * p.groups();
            return elements * (p.direction() == ConvProblem.Direction.BACKWARD_INPUT ? wide : bytes) + 511 & -512L;
        }

        @Override
        public long workspace() {
            return columnBytes() + (sumsApart ? (long) p.o() * depth * wide : 0);
        }

        @Override
        public void run(long x, long w, long y, long bias, long residual, long workspace) {
            int g = p.groups();
            int o = p.o() / g;
            int ld = depth * g;
            GemmType type = GemmType.of(p.dtype(), p.tf32());
            long sums = workspace + columnBytes();
            for (int from = 0; from < p.n(); from += images) {
                int count = Math.min(images, p.n() - from);
                int rows = (int) (count * positions);
                long image = x + (long) from * p.h() * p.w() * p.c() * bytes;
                long result = y + from * positions * p.o() * bytes;
                switch (p.direction()) {
                    case FORWARD -> {
                        unfold(image, workspace, rows);
                        device.cublas().gemmStridedBatched(type, false, true, rows, o, depth, workspace, ld, depth, w, depth,
                                (long) o * depth, false, result, p.o(), o, g);
                    }
                    case BACKWARD_INPUT -> {
                        device.cublas().gemmStridedBatched(type.wide(), false, false, rows, depth, o, result, p.o(), o, w,
                                depth, (long) o * depth, false, workspace, ld, depth, g);
                        launch(columns, workspace, image, (long) count * p.h() * p.w() * p.c());
                    }
                    case BACKWARD_WEIGHT -> {
                        unfold(image, workspace, rows);
                        device.cublas().gemmStridedBatched(sumsApart ? type.wide() : type, true, false, o, depth, rows,
                                result,
                                p.o(), o, workspace, ld, depth, from > 0, sumsApart ? sums : w, depth, (long) o * depth, g);
                    }
                }
            }
            if (sumsApart) {
                long total = (long) p.o() * depth;
                narrow.args().ptr(sums).ptr(w).i64(total).launch(blocks(total), THREADS);
            }
        }

        private void unfold(long image, long to, int rows) {
            launch(columns, image, to, (long) rows * depth * p.groups() / v);
        }

        private void launch(Kernel kernel, long from, long to, long total) {
            kernel.args().ptr(from).ptr(to).ints(window).i64(total).launch(blocks(total), THREADS);
        }

        private long blocks(long total) {
            return Math.min((total + THREADS - 1) / THREADS, (long) device.multiprocessors() * BLOCKS_PER_MULTIPROCESSOR);
        }
    }
}
