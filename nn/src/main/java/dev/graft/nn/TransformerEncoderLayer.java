package dev.graft.nn;

import dev.graft.tensor.Tensor;

/**
 * Self-attention and a feed-forward part, each with a residual and a layer norm: [B, T, size] to [B, T, size]. Names and
 * defaults are those of PyTorch's layer of this name, with the batch first; the one difference is that attention weights
 * have no dropout.
 */
public final class TransformerEncoderLayer extends Module {
    private final MultiheadAttention attention;
    private final Linear linear1;
    private final Linear linear2;
    private final LayerNorm norm1;
    private final LayerNorm norm2;
    private final Dropout dropout;
    private final Dropout dropout1;
    private final Dropout dropout2;
    private final Activation activation;
    private final boolean normFirst;

    /** 2048 hidden units, dropout 0.1, ReLU, norms behind the residuals. */
    public TransformerEncoderLayer(int size, int heads) {
        this(size, heads, 2048, 0.1, Activation.relu(), 1e-5, false);
    }

    /**
     * @param hidden     units of the feed-forward part
     * @param dropout    of both parts' results and of the hidden units
     * @param activation of the hidden units, such as {@link Activation#gelu}
     * @param normFirst  whether the norms stand before the parts (as in ViT and GPT) or behind the residuals (as in BERT)
     */
    public TransformerEncoderLayer(int size, int heads, int hidden, double dropout, Activation activation, double eps,
                                   boolean normFirst) {
        attention = child("self_attn", new MultiheadAttention(size, heads));
        linear1 = child("linear1", new Linear(size, hidden));
        this.dropout = child("dropout", new Dropout(dropout));
        linear2 = child("linear2", new Linear(hidden, size));
        norm1 = child("norm1", new LayerNorm(size, eps));
        norm2 = child("norm2", new LayerNorm(size, eps));
        dropout1 = child("dropout1", new Dropout(dropout));
        dropout2 = child("dropout2", new Dropout(dropout));
        this.activation = activation;
        this.normFirst = normFirst;
    }

    @Override
    protected Tensor forward(Tensor x) {
        return encode(x, null, false);
    }

    /** As {@link #call(Tensor)} with a mask of the places and without looking ahead; see {@link MultiheadAttention#call}. */
    public Tensor call(Tensor x, Tensor mask, boolean causal) {
        return within(() -> encode(x, mask, causal));
    }

    private Tensor encode(Tensor x, Tensor mask, boolean causal) {
        if (normFirst) {
            Tensor y = attend(x, norm1.call(x), mask, causal);
            return feedForward(y, norm2.call(y));
        }
        Tensor y = norm1.call(attend(x, x, mask, causal));
        return norm2.call(feedForward(y, y));
    }

    /** residual + dropout(attention(x)), the sum in the product's write-back where nothing is dropped. */
    private Tensor attend(Tensor residual, Tensor x, Tensor mask, boolean causal) {
        return dropout1.drops() ? residual.add(dropout1.call(attention.call(x, x, mask, causal)))
                : attention.call(residual, x, x, mask, causal);
    }

    private Tensor feedForward(Tensor residual, Tensor x) {
        Tensor h = dropout.call(Fused.linear(linear1, activation, x));
        return dropout2.drops() ? residual.add(dropout2.call(linear2.call(h))) : Fused.linear(linear2, residual, h);
    }

    @Override
    protected String describe() {
        return normFirst ? "norms first" : "";
    }
}
