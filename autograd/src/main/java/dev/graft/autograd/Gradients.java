package dev.graft.autograd;

import dev.graft.tensor.GraftException;
import dev.graft.tensor.Tensor;
import java.util.Map;

/** What backward found: the gradient of the loss by every leaf it depends on. */
public final class Gradients {
    private final Map<Long, Tensor> byId;

    Gradients(Map<Long, Tensor> byId) {
        this.byId = byId;
    }

    /**
     * The gradient by {@code leaf}, of its shape.
     *
     * @throws GraftException when the loss does not depend on it, or it was not tracked
     */
    public Tensor of(Tensor leaf) {
        Tensor g = byId.get(leaf.id());
        if (g == null) {
            throw new GraftException("gradient: the loss does not depend on the tensor " + leaf.spec()
                    + ", or it was not tracked: call requiresGrad(true) or tape.watch before recording");
        }
        return g;
    }

    /** The gradient by {@code leaf}, or null when the loss does not depend on it. */
    public Tensor find(Tensor leaf) {
        return byId.get(leaf.id());
    }

    Map<Long, Tensor> byId() {
        return byId;
    }
}
