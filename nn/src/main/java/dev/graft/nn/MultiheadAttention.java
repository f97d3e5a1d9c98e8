package dev.graft.nn;

import dev.graft.tensor.Context;
import dev.graft.tensor.DType;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.FusedOp;

/**
 * Multi-head attention (Vaswani et al. 2017, arXiv:1706.03762): queries [B, T, size] over a memory [B, S, size], the batch
 * first. Parameters are PyTorch's: in_proj_weight [3·size, size] and in_proj_bias [3·size] for queries, keys and values, and
 * out_proj. Dropout of attention weights is not offered; PyTorch's layers have it.
 */
public final class MultiheadAttention extends Module {
    private final int size;
    private final int heads;
    private final Parameter weight;
    private final Parameter bias;
    private final Linear out;

    public MultiheadAttention(int size, int heads) {
        this(size, heads, true);
    }

    /** @param size of the vectors; each head has size/heads of it */
    public MultiheadAttention(int size, int heads, boolean bias) {
        if (size < 1 || heads < 1 || size % heads != 0) {
            throw new GraftException("attention: vectors of " + size + " cannot be split into " + heads
                    + " heads: the size must be a multiple of their number");
        }
        this.size = size;
        this.heads = heads;
        weight = parameter("in_proj_weight", Parameter.Kind.LINEAR_WEIGHT, Init.xavierUniform(), 3 * size, size);
        this.bias = bias ? parameter("in_proj_bias", Parameter.Kind.BIAS, Init.zeros(), 3 * size) : null;
        out = child("out_proj", new Linear(size, size, bias, Init.zeros()));
    }

    /** Self-attention, every place over all others: [B, T, size] to [B, T, size]. */
    @Override
    protected Tensor forward(Tensor x) {
        return attention(null, x, x, null, false);
    }

    /**
     * Attention of {@code queries} [B, T, size] over {@code memory} [B, S, size], which gives keys and values; the same
     * tensor for self-attention.
     *
     * @param mask   bool [B, S], true where the memory may be attended (PyTorch's key_padding_mask says true where it may
     *               not); null for everywhere. A query with nothing to attend gets 0 from all heads
     * @param causal whether a query attends no place after its own, counted from the end
     */
    public Tensor call(Tensor queries, Tensor memory, Tensor mask, boolean causal) {
        return within(() -> attention(null, queries, memory, mask, causal));
    }

    /** {@code residual}, of the queries' shape, plus that. */
    Tensor call(Tensor residual, Tensor queries, Tensor memory, Tensor mask, boolean causal) {
        return within(() -> attention(residual, queries, memory, mask, causal));
    }

    private Tensor attention(Tensor residual, Tensor x, Tensor memory, Tensor mask, boolean causal) {
        check("queries", x);
        check("memory", memory);
        if (mask != null && mask.dtype() != DType.BOOL) {
            throw new GraftException("attention in " + Context.current().path() + ": the mask is " + mask.spec()
                    + ", bool [B, S] is needed, true where a place may be attended");
        }
        Tensor o = x == memory && bias != null && weight.dtype() == DType.F32 ? self(x, mask, causal)
                : project(x, 0).attention(project(memory, 1), project(memory, 2), mask, causal);
        Tensor y = o.reshape(x.shape());
        return residual == null ? out.call(y) : Fused.linear(out, residual, y);
    }

    private Tensor self(Tensor x, Tensor mask, boolean causal) {
        Tensor[] y = Dispatcher.run(new FusedOp.Projections(3), x, weight.value(), bias.value());
        for (int i = 0; i < 3; i++) {
            y[i] = y[i].reshape(x.dim(0), x.dim(1), heads, size / heads);
        }
        return y[0].attention(y[1], y[2], mask, causal);
    }

    private void check(String what, Tensor x) {
        if (x.rank() != 3 || x.dim(2) != size) {
            throw new GraftException("attention in " + Context.current().path() + ": the " + what + " have shape "
                    + x.shape() + ", [B, T, " + size + "] is needed");
        }
    }

    /** One third of the projection, by rows of the weights, which are a view; as heads [B, T, heads, size/heads]. */
    private Tensor project(Tensor x, int third) {
        Tensor b = bias == null ? null : bias.value().slice(0, third * size, (third + 1) * size);
        Tensor y;
        if (weight.dtype() != DType.F32) {
            y = weight.product(x, third * size, (third + 1) * size, b);
        } else {
            Tensor w = weight.value().slice(0, third * size, (third + 1) * size);
            y = b == null ? x.matmulTransposed(w)
                    : Dispatcher.one(new FusedOp.LinearBiasActivation(FusedOp.Activation.NONE), x, w, b);
        }
        return y.reshape(x.dim(0), x.dim(1), heads, size / heads);
    }

    @Override
    String quantizable() {
        return "in_proj_weight";
    }

    @Override
    protected String describe() {
        return size + ", " + heads + " heads" + (bias == null ? ", no bias" : "")
                + (weight.dtype() == DType.F32 ? "" : ", " + weight.dtype());
    }
}
