package dev.graft.nn;

import dev.graft.tensor.Context;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Tensor;

/** Adds a learned vector for each place: [B, T, size] to [B, T, size], T up to {@code places}. Weight [places, size]. */
public final class PositionalEmbedding extends Module {
    private final int places;
    private final int size;
    private final Parameter weight;

    public PositionalEmbedding(int places, int size) {
        if (places < 1 || size < 1) {
            throw new GraftException("positional embedding: " + places + " places of " + size + ": both must be positive");
        }
        this.places = places;
        this.size = size;
        weight = parameter("weight", Parameter.Kind.EMBEDDING, Init.normal(0, 0.02), places, size);
    }

    public Parameter weight() {
        return weight;
    }

    @Override
    protected Tensor forward(Tensor x) {
        if (x.rank() != 3 || x.dim(1) > places || x.dim(2) != size) {
            throw new GraftException("positional embedding in " + Context.current().path() + ": input has shape " + x.shape()
                    + ", [B, T, " + size + "] with up to " + places + " places is needed");
        }
        return x.add(weight.value().slice(0, 0, x.dim(1)));
    }

    @Override
    protected String describe() {
        return places + " x " + size;
    }
}
