package dev.graft.kernels.ops;

import dev.graft.kernels.CudaDevice;
import dev.graft.kernels.driver.Cublas;
import dev.graft.kernels.driver.GemmType;
import java.util.List;

/**
 * 1x1 convolutions with stride 1 as matrix products, in all three directions: with x [rows, C] and w [O, C],
 * y = x · wᵀ, dx = dy · w, dw = dyᵀ · x. Groups are a batch whose matrices lie side by side.
 */
final class PointwiseConv implements ConvEngine {
    private final CudaDevice device;

    PointwiseConv(CudaDevice device) {
        this.device = device;
    }

    @Override
    public String name() {
        return "gemm";
    }

    @Override
    public List<Candidate> candidates(ConvProblem p) {
        if (p.fused() || !p.isPointwise() || p.rows() > Integer.MAX_VALUE) {
            return List.of();
        }
        return List.of(new Ready(name(), new Plan(device.cublas(), p)));
    }

    private record Plan(Cublas cublas, ConvProblem p) implements ConvPlan {
        @Override
        public long workspace() {
            return 0;
        }

        @Override
        public void run(long x, long w, long y, long bias, long residual, long workspace) {
            GemmType type = GemmType.of(p.dtype(), p.tf32());
            int rows = (int) p.rows();
            int g = p.groups();
            int c = p.c() / g;
            int o = p.o() / g;
            if (g == 1) {
                switch (p.direction()) {
                    case FORWARD -> cublas.gemm(type, false, true, rows, o, c, x, c, w, c, false, y, o);
                    case BACKWARD_INPUT -> cublas.gemm(type, false, false, rows, c, o, y, o, w, c, false, x, c);
                    case BACKWARD_WEIGHT -> cublas.gemm(type, true, false, o, c, rows, y, o, x, c, false, w, c);
                }
                return;
            }
            switch (p.direction()) {
                case FORWARD -> cublas.gemmStridedBatched(type, false, true, rows, o, c, x, p.c(), c, w, c, (long) o * c,
                        false, y, p.o(), o, g);
                case BACKWARD_INPUT -> cublas.gemmStridedBatched(type, false, false, rows, c, o, y, p.o(), o, w, c,
                        (long) o * c, false, x, p.c(), c, g);
                case BACKWARD_WEIGHT -> cublas.gemmStridedBatched(type, true, false, o, c, rows, y, p.o(), o, x, p.c(), c,
                        false, w, c, (long) o * c, g);
            }
        }
    }
}
