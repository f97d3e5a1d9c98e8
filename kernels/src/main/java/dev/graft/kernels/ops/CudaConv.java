package dev.graft.kernels.ops;

import dev.graft.kernels.CudaDevice;
import dev.graft.kernels.CudaStorage;
import dev.graft.kernels.Scratch;
import dev.graft.kernels.compile.CodeCache;
import dev.graft.kernels.driver.Cudnn;
import dev.graft.kernels.ops.ConvEngine.Candidate;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.ConvOp;
import dev.graft.tensor.op.FusedOp;
import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.List;

/**
 * Convolutions in all directions, and those with bias, residual and activation behind them. Several engines can compute most
 * of them; the {@link ConvTuner} chooses for every problem. Without cuDNN own kernels and cuBLAS do all of it, slower.
 */
public final class CudaConv {
    private static final System.Logger LOG = System.getLogger(CudaConv.class.getName());
    private static final int ALIGNMENT = 16;
    private static final long MOST_COLUMN_BYTES = 256L << 20;
    /** Input channels of a group up to which a product with columns can win: tensor cores want more than an image has. */
    private static final int FEW_CHANNELS = 16;
    private static final int PLAIN_BEHIND_NONE = 4;
    private static final int PLAIN_BEHIND_FUSED = 2;

    private final CudaDevice device;
    private final Epilogue epilogue;
    private final ConvTuner.Limits limits;
    private List<ConvEngine> engines;
    private ConvEngine columns;
    private ConvTuner tuner;

    public CudaConv(CudaDevice device) {
        this(device, null, ConvTuner.Limits.ofProperties());
    }

    /** @param engines null for all that this machine has */
    CudaConv(CudaDevice device, List<ConvEngine> engines, ConvTuner.Limits limits) {
        this.device = device;
        this.epilogue = new Epilogue(device);
        this.engines = engines;
        this.limits = limits;
    }

    public boolean run(ConvOp op, Tensor[] in, Tensor[] out) {
        if (!in[0].dtype().isFloat()) {
            return false;
        }
        ConvProblem p = ConvProblem.of(op, in, out[0], device.tf32(), device.deterministic());
        if (p.isEmpty()) {
            device.zero(CudaStorage.address(out[0]), out[0].spec().bytes());
            return true;
        }
        try (Aligned a = new Aligned(in[0]); Aligned b = new Aligned(in[1])) {
            long y = CudaStorage.address(out[0]);
            tuner().run(p, switch (p.direction()) {
                case FORWARD -> new ConvTuner.Addresses(a.address, b.address, y, 0, 0);
                case BACKWARD_INPUT -> new ConvTuner.Addresses(y, b.address, a.address, 0, 0);
                case BACKWARD_WEIGHT -> new ConvTuner.Addresses(a.address, y, b.address, 0, 0);
            });
        }
        return true;
    }

    public boolean run(FusedOp.ConvBiasActivation op, Tensor[] in, Tensor[] out) {
        if (!in[0].dtype().isFloat()) {
            return false;
        }
        for (Tensor t : in) {
            if (t.dtype() != in[0].dtype()) {
                throw new GraftException(op.name() + ": x is " + in[0].dtype() + ", but " + t.spec()
                        + " was given with it: cast it");
            }
        }
        ConvProblem p = ConvProblem.of(op, in, out[0], device.tf32(), device.deterministic());
        long y = CudaStorage.address(out[0]);
        try (Aligned x = new Aligned(in[0]); Aligned w = new Aligned(in[1]); Aligned bias = new Aligned(in[2]);
                Aligned residual = in.length == 4 ? new Aligned(in[3]) : null) {
            long z = residual == null ? 0 : residual.address;
            if (p.isEmpty()) {
                device.zero(y, out[0].spec().bytes());
                epilogue.run(p.dtype(), y, bias.address, z, p.rows(), p.o(), p.activation());
            } else {
                tuner().run(p, new ConvTuner.Addresses(x.address, w.address, y, bias.address, z));
            }
        }
        return true;
    }

    /** What was chosen for every convolution that has run. */
    public List<ConvChoice> choices() {
        return tuner == null ? List.of() : tuner.choices();
    }

    // ------------------------------------------------------------------ engines

    private ConvTuner tuner() {
        if (tuner == null) {
            Cudnn cudnn = null;
            if (engines == null) {
                cudnn = cudnn();
                engines = new ArrayList<>(List.of(new DepthwiseConv(device), new PointwiseConv(device)));
                if (cudnn != null) {
                    engines.add(new GraphConv(cudnn));
                    engines.add(new LegacyConv(device, cudnn));
                }
                columns = new Im2colConv(device, Math.min(limits.workspaceBytes(), MOST_COLUMN_BYTES));
            }
            String name = device.name() + "-sm" + device.computeCapability() + "-cublas" + device.cublas().version()
                    + "-cudnn" + (cudnn == null ? "none" : cudnn.version());
            tuner = new ConvTuner(device, this::candidates, new TuningFile(CodeCache.folder(), name), limits);
        }
        return tuner;
    }

    private Cudnn cudnn() {
        try {
            return device.cudnn();
        } catch (GraftException e) {
            LOG.log(Level.INFO, "{0}; convolutions run on Graft''s own kernels and cuBLAS", e.getMessage());
            return null;
        }
    }

    /** All that can compute {@code p}: with everything fused, or the convolution by itself and an epilogue behind it. */
    private List<Candidate> candidates(ConvProblem p) {
        List<Candidate> all = new ArrayList<>();
        for (ConvEngine e : engines) {
            addTo(all, e, p);
        }
        if (columns != null && (all.isEmpty() || p.c() / p.groups() <= FEW_CHANNELS)) {
            addTo(all, columns, p);
        }
        return all;
    }

    private void addTo(List<Candidate> all, ConvEngine e, ConvProblem p) {
        List<Candidate> own = e.candidates(p);
        all.addAll(own);
        int most = own.isEmpty() ? PLAIN_BEHIND_NONE : own.size() > 1 ? PLAIN_BEHIND_FUSED : 0;
        if (p.fused() && most > 0) {
            List<Candidate> plain = e.candidates(p.plain());
            for (int i = 0; i < plain.size(); i++) {
                if (i < most) {
                    all.add(new ThenEpilogue(plain.get(i), epilogue, p));
                } else {
                    plain.get(i).close();
                }
            }
        }
    }

    /** A convolution, then bias, residual and activation in one pass over its result. */
    private record ThenEpilogue(Candidate convolution, Epilogue epilogue, ConvProblem p) implements Candidate {
        @Override
        public String name() {
            return convolution.name() + "+epilogue";
        }

        @Override
        public ConvPlan make() {
            ConvPlan plan = convolution.make();
            return new ConvPlan() {
                @Override
                public long workspace() {
                    return plan.workspace();
                }

                @Override
                public void run(long x, long w, long y, long bias, long residual, long workspace) {
                    plan.run(x, w, y, 0, 0, workspace);
                    epilogue.run(p.dtype(), y, bias, residual, p.rows(), p.o(), p.activation());
                }

                @Override
                public void close() {
                    plan.close();
                }
            };
        }

        @Override
        public void close() {
            convolution.close();
        }
    }

    /** A tensor that begins at a multiple of 16 bytes: itself, or a copy of a view that does not. */
    private final class Aligned implements AutoCloseable {
        private final Scratch copy;
        private final long address;

        Aligned(Tensor t) {
            long at = CudaStorage.address(t);
            copy = at % ALIGNMENT == 0 ? null : device.scratch(t.spec().bytes());
            address = copy == null ? at : copy.address();
            if (copy != null) {
                device.copy(address, at, t.spec().bytes());
            }
        }

        @Override
        public void close() {
            if (copy != null) {
                copy.close();
            }
        }
    }
}
