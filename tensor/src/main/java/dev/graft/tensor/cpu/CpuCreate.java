package dev.graft.tensor.cpu;

import dev.graft.tensor.Philox;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.CreateOp;
import java.util.Arrays;

/** {@link CreateOp} for float32. */
final class CpuCreate {
    private static final int FILL_CHUNK = 65536;
    private static final int RANDOM_CHUNK = 4096;

    private CpuCreate() {}

    /** False when this is for the reference backend. */
    static boolean run(CreateOp op, Tensor out) {
        if (!F32.all(out)) {
            return false;
        }
        F32 y = F32.of(out);
        switch (op) {
            case CreateOp.Fill f -> {
                float v = (float) f.value();
                WorkerPool.shared().ranges(y.size(), FILL_CHUNK,
                        (i, j) -> Arrays.fill(y.array(), y.at() + i, y.at() + j, v));
            }
            case CreateOp.Arange a -> {
                return false;
            }
            case CreateOp.Random r -> WorkerPool.shared().ranges(y.size(), RANDOM_CHUNK,
                    (i, j) -> Philox.fill(r, i, y.array(), y.at() + i, j - i));
        }
        return true;
    }
}
