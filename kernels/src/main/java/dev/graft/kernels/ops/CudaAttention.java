package dev.graft.kernels.ops;

import dev.graft.kernels.CudaDevice;
import dev.graft.kernels.CudaStorage;
import dev.graft.kernels.Scratch;
import dev.graft.kernels.compile.Kernel;
import dev.graft.kernels.compile.KernelSource;
import dev.graft.kernels.driver.Args;
import dev.graft.tensor.DType;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.AttentionOp;

/**
 * Attention in tiles. 16-bit values with a head size that is a multiple of 16 up to 128 go to tensor cores ({@code
 * attention.cu}), all others with a head size up to 256 to {@code attention_plain.cu}. Tensors are as the ops have them:
 * queries [B, T, H, D], keys and values [B, S, H, D], mask [B, S] or null, logsumexp [B, H, T].
 */
public final class CudaAttention {
    private static final int ROWS = 64;
    private static final int MAX_GRID = 65535;
    /** Tensor cores multiply 16x16 by 16x8 from Ampere on. */
    private static final int MMA = 80;
    private static final int ALIGNMENT = 16;

    private final CudaDevice device;

    public CudaAttention(CudaDevice device) {
        this.device = device;
    }

    /** @return whether this was computed here */
    public boolean run(AttentionOp op, Tensor[] in, Tensor[] out) {
        return switch (op) {
            case AttentionOp.Attention a -> forward(in[0], in[1], in[2], in.length > 3 ? in[3] : null, a.scale(), a.causal(),
                    out[0], out[1]);
            case AttentionOp.AttentionBackward b -> backward(in[0], in[1], in[2], in[3], in[4], in[5],
                    b.mask() ? in[6] : null, b.scale(), b.causal(), out[0], out[1], out[2]);
        };
    }

    /** Which kernels compute a head size in a type, and how they are launched. */
    record Plan(KernelSource source, int rows, int threads, int forwardShared, int keysShared, int queriesShared,
                        boolean plain) {}

    /** For these tensors, of which the first is [B, T, H, D]. */
    private Plan plan(Tensor q, Tensor... others) {
        boolean aligned = CudaStorage.address(q) % ALIGNMENT == 0;
        for (Tensor t : others) {
            aligned &= CudaStorage.address(t) % ALIGNMENT == 0;
        }
        return q.dim(0) > MAX_GRID || q.dim(2) > MAX_GRID ? null
                : plan(q.dtype(), q.dim(3), aligned ? device.computeCapability() : 0, device.mostShared());
    }

    /**
     * What a chip can run; null when a head does not fit into its shared memory.
     *
     * @param computeCapability 0 for tensors that are views from anywhere: the kernel for tensor cores reads 16 bytes at a
     *                          time
     */
    static Plan plan(DType type, int d, int computeCapability, int mostShared) {
        if ((type == DType.BF16 || type == DType.F16) && d % 16 == 0 && d <= 128 && computeCapability >= MMA) {
            KernelSource s = KernelSource.of("attention.cu").define("D", d)
                    .define("T", type == DType.BF16 ? "bf16" : "half");
            int columns = d <= 64 ? 64 : 32;
            int row = 2 * (d + 8);
            int two = 2 * (ROWS + columns) * row;
            return new Plan(type == DType.F16 ? s.define("HALF", 1) : s, ROWS, 128, (ROWS + 2 * columns) * row,
                    two + 8 * columns, two, false);
        }
        int size = type == DType.F64 ? 8 : 4;
        if (size * d > 1024) {
            return null;
        }
        String name = switch (type) {
            case F32 -> "float";
            case F64 -> "double";
            case F16 -> "half";
            case BF16 -> "bf16";
            case I8, I16, I32, I64, U8, BOOL -> null;
        };
        for (int tile = size * d <= 512 ? 64 : 32; tile >= 16; tile /= 2) {
            int tiles = tile * (d + 1) * size;
            int square = tile * (tile + 1) * size;
            if (4 * tiles + 2 * square <= mostShared) {
                return new Plan(KernelSource.of("attention_plain.cu").define("D", d).define("T", name).define("TILE", tile),
                        tile, 256, 3 * tiles + square, 4 * tiles + 2 * square, 4 * tiles + square, true);
            }
        }
        return null;
    }

    /** o and logsumexp from q, k, v. */
    private boolean forward(Tensor q, Tensor k, Tensor v, Tensor mask, double scale, boolean causal, Tensor o, Tensor lse) {
        Plan p = plan(q, k, v);
        if (p == null) {
            return false;
        }
        Args a = kernel(p, "attention_forward", p.forwardShared).args().ptr(q).ptr(k).ptr(v).ptr(mask(mask)).ptr(o).ptr(lse);
        sizes(a, p, q, k, scale, causal);
        launch(a, p, q.dim(1), q, p.forwardShared);
        return true;
    }

    /** dq, dk, dv; in turn by the kernel that owns keys and the one that owns queries. */
    private boolean backward(Tensor dout, Tensor q, Tensor k, Tensor v, Tensor o, Tensor lse, Tensor mask, double scale,
            boolean causal, Tensor dq, Tensor dk, Tensor dv) {
        Plan p = plan(q, k, v, dout);
        if (p == null) {
            return false;
        }
        long rows = q.size() / q.dim(3);
        try (Scratch delta = device.scratch(rows * lse.dtype().bytes())) {
            device.kernel(p.source, "attention_delta").args().ptr(dout).ptr(o).ptr(delta.address()).i32(q.dim(1))
                    .i32(q.dim(2)).i64(rows).launch((rows + 3) / 4, 128);
            if (dk.size() > 0) {
                Args a = kernel(p, "attention_backward_keys", p.keysShared).args().ptr(dout).ptr(q).ptr(k).ptr(v)
                        .ptr(mask(mask)).ptr(lse).ptr(delta.address()).ptr(dk).ptr(dv);
                sizes(a, p, q, k, scale, causal);
                launch(a, p, k.dim(1), q, p.keysShared);
            }
            if (dq.size() > 0) {
                Args a = kernel(p, "attention_backward_queries", p.queriesShared).args().ptr(dout).ptr(q).ptr(k).ptr(v)
                        .ptr(mask(mask)).ptr(lse).ptr(delta.address()).ptr(dq);
                sizes(a, p, q, k, scale, causal);
                launch(a, p, q.dim(1), q, p.queriesShared);
            }
        }
        return true;
    }

    private static long mask(Tensor mask) {
        return mask == null ? 0 : CudaStorage.address(mask);
    }

    private Kernel kernel(Plan p, String name, int shared) {
        return device.kernel(p.source, name).allowShared(shared);
    }

    private static void sizes(Args a, Plan p, Tensor q, Tensor k, double scale, boolean causal) {
        a.i32(q.dim(1)).i32(k.dim(1)).i32(q.dim(2));
        if (p.plain) {
            a.f64(scale);
        } else {
            a.f32((float) scale);
        }
        a.i32(causal ? 1 : 0);
    }

    /** A block for every {@code rows} rows of every head of every sequence. */
    private static void launch(Args a, Plan p, int length, Tensor q, int shared) {
        a.launch((length + p.rows - 1) / p.rows, q.dim(2), q.dim(0), p.threads, 1, 1, shared);
    }
}
