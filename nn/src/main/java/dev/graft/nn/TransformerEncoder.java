package dev.graft.nn;

import dev.graft.tensor.GraftException;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/** A stack of {@link TransformerEncoderLayer}s, named as PyTorch's: {@code layers.0}, {@code layers.1} ..., {@code norm}. */
public final class TransformerEncoder extends Module {
    private final Sequential layers;
    private final List<TransformerEncoderLayer> each = new ArrayList<>();
    private final LayerNorm norm;

    /**
     * @param layer makes a layer on each call
     * @param norm  behind the last layer, as nets with norms first need it; null for none
     */
    public TransformerEncoder(int count, Supplier<TransformerEncoderLayer> layer, LayerNorm norm) {
        if (count < 1) {
            throw new GraftException("transformer encoder: " + count + " layers, at least 1 is needed");
        }
        layers = child("layers", new Sequential());
        for (int i = 0; i < count; i++) {
            TransformerEncoderLayer l = layer.get();
            layers.add(Integer.toString(i), l);
            each.add(l);
        }
        this.norm = norm == null ? null : child("norm", norm);
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
        Tensor y = layers.within(() -> {
            Tensor z = x;
            for (TransformerEncoderLayer l : each) {
                Tensor before = z;
                z = l.call(before, mask, causal);
                if (before != x) {
                    Scope.drop(before);
                }
            }
            return z;
        });
        return norm == null ? y : norm.call(y);
    }
}
