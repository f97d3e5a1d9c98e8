package dev.graft.tensor.cpu;

import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.CreateOp;

/** {@link CreateOp}: filling for all dtypes, random numbers for float32. */
final class CpuCreate {
    private static final int RANDOM_CHUNK = 4096;

    private final ElementLoops loops;

    CpuCreate(ElementLoops loops) {
        this.loops = loops;
    }

    /** False when this is for the reference backend. */
    boolean run(CreateOp op, Tensor out) {
        if (op instanceof CreateOp.Fill f && CpuLayout.fills(out.dtype(), f.value())) {
            CpuLayout.fill(f.value(), out.host().array(), Math.toIntExact(out.offset()),
                    Math.toIntExact(out.size()));
            return true;
        }
        if (!(op instanceof CreateOp.Random r) || !F32.all(out)) {
            return false;
        }
        F32 y = F32.of(out);
        WorkerPool.shared().ranges(y.size(), RANDOM_CHUNK,
                (i, j) -> loops.random(r, i, y.array(), y.at() + i, j - i));
        return true;
    }
}
