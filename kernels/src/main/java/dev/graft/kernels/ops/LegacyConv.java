package dev.graft.kernels.ops;

import dev.graft.kernels.CudaDevice;
import dev.graft.kernels.compile.Kernel;
import dev.graft.kernels.compile.KernelSource;
import dev.graft.kernels.driver.CudaException;
import dev.graft.kernels.driver.Cudnn;
import dev.graft.kernels.driver.Cudnn.Algorithm;
import dev.graft.tensor.DType;
import dev.graft.tensor.op.ConvParams;
import dev.graft.tensor.op.FusedOp;
import java.util.ArrayList;
import java.util.List;
import jcuda.jcudnn.cudnnActivationDescriptor;
import jcuda.jcudnn.cudnnActivationMode;
import jcuda.jcudnn.cudnnConvolutionDescriptor;
import jcuda.jcudnn.cudnnConvolutionFwdAlgo;
import jcuda.jcudnn.cudnnDataType;
import jcuda.jcudnn.cudnnFilterDescriptor;
import jcuda.jcudnn.cudnnMathType;
import jcuda.jcudnn.cudnnTensorDescriptor;

/**
 * Convolutions by cuDNN's older API, in the order of its heuristics. It pads both sides alike: what one side has more is put
 * around a copy of the image. ReLU and "no activation" can be fused.
 */
final class LegacyConv implements ConvEngine {
    private static final int MOST = 4;

    private final CudaDevice device;
    private final Cudnn cudnn;

    LegacyConv(CudaDevice device, Cudnn cudnn) {
        this.device = device;
        this.cudnn = cudnn;
    }

    @Override
    public String name() {
        return "legacy";
    }

    @Override
    public List<Candidate> candidates(ConvProblem p) {
        Geometry g = Geometry.of(p);
        if (p.fused() && p.activation() == FusedOp.Activation.RELU6 || g.paddedSize(p) > Integer.MAX_VALUE
                || p.outputSize() > Integer.MAX_VALUE) {
            return List.of();
        }
        try (Descriptors d = new Descriptors(cudnn, p, g)) {
            List<Algorithm> found = switch (p.direction()) {
                case FORWARD -> cudnn.forwardAlgorithms(d.x, d.w, d.convolution, d.y, 2 * MOST);
                case BACKWARD_INPUT -> cudnn.backwardInputAlgorithms(d.w, d.y, d.convolution, d.x, 2 * MOST);
                case BACKWARD_WEIGHT -> cudnn.backwardWeightAlgorithms(d.x, d.y, d.convolution, d.w, 2 * MOST);
            };
            List<Candidate> all = new ArrayList<>();
            for (Algorithm a : found) {
                if (all.size() < MOST && (a.deterministic() || !p.deterministic()) && fuses(a, p)) {
                    all.add(new Choice(this, p, g, a));
                }
            }
            return all;
        } catch (CudaException e) {
            if (e.sticky()) {
                throw e;
            }
            return List.of();                      // not in this layout or type
        }
    }

    /** Without an activation only one algorithm adds a bias. */
    private static boolean fuses(Algorithm a, ConvProblem p) {
        return !p.fused() || p.activation() != FusedOp.Activation.NONE
                || a.number() == cudnnConvolutionFwdAlgo.CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM;
    }

    private record Choice(LegacyConv engine, ConvProblem p, Geometry g, Algorithm algorithm) implements Candidate {
        @Override
        public String name() {
            return engine.name() + ":" + algorithm.number();
        }

        @Override
        public ConvPlan make() {
            return new Plan(engine.device, engine.cudnn, p, g, algorithm);
        }
    }

    /** Padding of both sides, and what the image must be given before: all in pixels. */
    private record Geometry(int padH, int padW, int top, int left, int h, int w) {
        static Geometry of(ConvProblem p) {
            ConvParams q = p.params();
            int padH = Math.min(q.padTop(), q.padBottom());
            int padW = Math.min(q.padLeft(), q.padRight());
            return new Geometry(padH, padW, q.padTop() - padH, q.padLeft() - padW,
                    p.h() + q.padTop() + q.padBottom() - 2 * padH, p.w() + q.padLeft() + q.padRight() - 2 * padW);
        }

        boolean pads(ConvProblem p) {
            return h != p.h() || w != p.w();
        }

        long paddedSize(ConvProblem p) {
            return (long) p.n() * h * w * p.c();
        }
    }

    private static final class Descriptors implements AutoCloseable {
        private final Cudnn cudnn;
        private cudnnTensorDescriptor x;
        private cudnnFilterDescriptor w;
        private cudnnTensorDescriptor y;
        private cudnnConvolutionDescriptor convolution;
        private cudnnTensorDescriptor bias;
        private cudnnActivationDescriptor activation;

        Descriptors(Cudnn cudnn, ConvProblem p, Geometry g) {
            this.cudnn = cudnn;
            ConvParams q = p.params();
            int type = ConvGraph.type(p.dtype());
            int compute = p.dtype() == DType.F64 ? type : cudnnDataType.CUDNN_DATA_FLOAT;
            int math = p.dtype() == DType.F32 && !p.tf32() || p.dtype() == DType.F64 ? cudnnMathType.CUDNN_FMA_MATH
                    : cudnnMathType.CUDNN_TENSOR_OP_MATH;
            boolean done = false;
            try {
                x = cudnn.tensor(type, p.n(), g.h(), g.w(), p.c());
                w = cudnn.filter(type, p.o(), p.kH(), p.kW(), p.c() / p.groups());
                y = cudnn.tensor(type, p.n(), p.outH(), p.outW(), p.o());
                convolution = cudnn.convolution(g.padH(), g.padW(), q.strideH(), q.strideW(), q.dilationH(), q.dilationW(),
                        p.groups(), compute, math);
                if (p.fused()) {
                    bias = cudnn.tensor(type, 1, 1, 1, p.o());
                    activation = cudnn.activation(p.activation() == FusedOp.Activation.RELU
                            ? cudnnActivationMode.CUDNN_ACTIVATION_RELU : cudnnActivationMode.CUDNN_ACTIVATION_IDENTITY);
                }
                done = true;
            } finally {
                if (!done) {
                    close();
                }
            }
        }

        @Override
        public void close() {
            for (cudnnTensorDescriptor t : new cudnnTensorDescriptor[] {x, y, bias}) {
                if (t != null) {
                    cudnn.destroy(t);
                }
            }
            if (w != null) {
                cudnn.destroy(w);
            }
            if (convolution != null) {
                cudnn.destroy(convolution);
            }
            if (activation != null) {
                cudnn.destroy(activation);
            }
        }
    }

    private static final class Plan implements ConvPlan {
        private static final int THREADS = 256;

        private final CudaDevice device;
        private final Cudnn cudnn;
        private final ConvProblem p;
        private final Geometry g;
        private final int algorithm;
        private final int type;
        private final Descriptors d;
        private final long padded;
        private final long workspace;
        private final Kernel shift;
        private final int packs;

        Plan(CudaDevice device, Cudnn cudnn, ConvProblem p, Geometry g, Algorithm a) {
            this.device = device;
            this.cudnn = cudnn;
            this.p = p;
            this.g = g;
            algorithm = a.number();
            type = ConvGraph.type(p.dtype());
            int v = Epilogue.width(p.dtype(), p.c());
            packs = p.c() / v;
            padded = g.pads(p) ? g.paddedSize(p) * p.dtype().bytes() + 511 & -512L : 0;
            KernelSource source = KernelSource.of("im2col.cu").define("T", Epilogue.type(p.dtype())).define("V", v);
            shift = g.pads(p) ? device.kernel(source, "shift") : null;
            d = new Descriptors(cudnn, p, g);
            boolean done = false;
            try {
                workspace = switch (p.direction()) {
                    case FORWARD -> cudnn.forwardWorkspace(d.x, d.w, d.convolution, d.y, algorithm);
                    case BACKWARD_INPUT -> cudnn.backwardInputWorkspace(d.w, d.y, d.convolution, d.x, algorithm);
                    case BACKWARD_WEIGHT -> cudnn.backwardWeightWorkspace(d.x, d.y, d.convolution, d.w, algorithm);
                };
                done = true;
            } finally {
                if (!done) {
                    d.close();
                }
            }
        }

        @Override
        public long workspace() {
            return padded + workspace;
        }

        @Override
        public void run(long x, long w, long y, long bias, long residual, long memory) {
            long image = padded > 0 ? memory : x;
            long room = workspace == 0 ? 0 : memory + padded;
            if (padded > 0 && p.direction() != ConvProblem.Direction.BACKWARD_INPUT) {
                shift(x, p.h(), p.w(), image, g.h(), g.w(), g.top(), g.left());
            }
            switch (p.direction()) {
                case FORWARD -> {
                    if (p.fused()) {
                        cudnn.forwardFused(type, d.x, image, d.w, w, d.convolution, algorithm, room, workspace, p.residual(),
                                residual, d.bias, bias, d.activation, d.y, y);
                    } else {
                        cudnn.forward(type, d.x, image, d.w, w, d.convolution, algorithm, room, workspace, d.y, y);
                    }
                }
                case BACKWARD_INPUT -> {
                    cudnn.backwardInput(type, d.w, w, d.y, y, d.convolution, algorithm, room, workspace, d.x, image);
                    if (padded > 0) {
                        shift(image, g.h(), g.w(), x, p.h(), p.w(), -g.top(), -g.left());
                    }
                }
                case BACKWARD_WEIGHT -> cudnn.backwardWeight(type, d.x, image, d.y, y, d.convolution, algorithm, room,
                        workspace, d.w, w);
            }
        }

        private void shift(long from, int fromH, int fromW, long to, int toH, int toW, int top, int left) {
            long total = (long) p.n() * toH * toW * packs;
            shift.args().ptr(from).ptr(to).i32(fromH).i32(fromW).i32(toH).i32(toW).i32(top).i32(left).i32(packs).i64(total)
                    .launch(Math.min((total + THREADS - 1) / THREADS, 32L * device.multiprocessors()), THREADS);
        }

        @Override
        public void close() {
            d.close();
        }
    }
}
