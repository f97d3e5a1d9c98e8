package dev.graft.tensor.reference;

import dev.graft.tensor.GraftException;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.backend.HostBackend;
import dev.graft.tensor.op.Op;
import dev.graft.tensor.op.Update;

/** The naive backend: plain loops in double precision for every dtype, the oracle of every fast kernel. */
public final class ReferenceBackend extends HostBackend {
    @Override
    public String name() {
        return "cpu-reference";
    }

    @Override
    public void run(Op op, Tensor[] in, Tensor[] out) {
        throw new GraftException("being written");
    }

    @Override
    public void update(Update update, Tensor target, Tensor[] in) {
        throw new GraftException("being written");
    }
}
