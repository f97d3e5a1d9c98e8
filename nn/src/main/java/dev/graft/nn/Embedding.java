package dev.graft.nn;

import dev.graft.autograd.Tape;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.Update;

/** A table of vectors: indices [I...] (int32 or int64) to [I..., dim]. Weight [vocab, dim]. */
public final class Embedding extends Module {
    private static final int NO_PADDING = -1;

    private final int vocab;
    private final int dim;
    private final int paddingIndex;
    private final Parameter weight;

    public Embedding(int vocab, int dim) {
        this(vocab, dim, NO_PADDING);
    }

    /** @param paddingIndex the row that begins at zero and gets no gradient; -1 for none */
    public Embedding(int vocab, int dim, int paddingIndex) {
        if (vocab < 1 || dim < 1 || paddingIndex < NO_PADDING || paddingIndex >= vocab) {
            throw new GraftException("embedding: " + vocab + " rows of " + dim + " with padding index " + paddingIndex
                    + ": sizes must be positive and the index one of the rows");
        }
        this.vocab = vocab;
        this.dim = dim;
        this.paddingIndex = paddingIndex;
        Init normal = Init.normal(0, 1);
        weight = parameter("weight", Parameter.Kind.EMBEDDING, paddingIndex == NO_PADDING ? normal
                : (shape, seed, stream) -> withoutRow(normal.make(shape, seed, stream), paddingIndex), vocab, dim);
    }

    private static Tensor withoutRow(Tensor table, int row) {
        try (Tensor r = table.row(row); Tensor zero = r.zerosLike()) {
            Dispatcher.update(new Update.Assign(), r, zero);
        }
        return table;
    }

    public Parameter weight() {
        return weight;
    }

    @Override
    protected Tensor forward(Tensor indices) {
        Tensor w = weight.value();
        Tensor y = w.take(indices);
        if (paddingIndex == NO_PADDING || !w.requiresGrad() || !Tape.isRecording()) {
            return y;
        }
        return indices.ne(paddingIndex).unsqueeze(indices.rank()).where(y, y.detach());
    }

    @Override
    protected String describe() {
        return vocab + " x " + dim + (paddingIndex == NO_PADDING ? "" : ", padding index " + paddingIndex);
    }
}
