package dev.graft.tensor.cpu;

import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.BinaryFn;
import dev.graft.tensor.op.Update;

/** {@link Update} on float32: one pass over parameter, gradient and state. */
final class CpuUpdate {
    private static final int CHUNK = 16384;

    private final ElementLoops loops;

    CpuUpdate(ElementLoops loops) {
        this.loops = loops;
    }

    /** Whether the kernel of {@code op} takes a factor and a limit of the gradient. */
    static boolean takesFactorAndLimit(Update op) {
        return op instanceof Update.Sgd || op instanceof Update.Adam || op instanceof Update.RmsProp;
    }

    /**
     * False when this is for the reference backend.
     *
     * @param scale what the gradient is multiplied by; 1 where the op does not {@link #takesFactorAndLimit take} it
     * @param limit what the scaled gradient's elements are clipped to, of either sign; infinite where the op does not
     */
    boolean run(Update op, Tensor target, Tensor[] in, float scale, float limit) {
        if (!F32.all(target) || !F32.all(in)) {
            return false;
        }
        F32 p = F32.of(target);
        F32[] s = new F32[3];
        for (int i = 0; i < in.length; i++) {
            s[i] = F32.of(in[i]);
        }
        F32 g = s[0];
        F32 a = s[1] == null ? new F32(null, 0, 0) : s[1];
        F32 b = s[2] == null ? new F32(null, 0, 0) : s[2];
        WorkerPool.shared().ranges(p.size(), CHUNK, switch (op) {
            case Update.Assign u -> (i, j) -> System.arraycopy(g.array(), g.at() + i, p.array(), p.at() + i, j - i);
            case Update.Axpby u -> (i, j) -> axpby(u, p, g, i, j);
            case Update.Sgd u -> (i, j) -> loops.sgd(u, scale, limit, p.array(), p.at() + i, g.array(), g.at() + i,
                    a.array(), a.at() + i, j - i);
            case Update.Adam u -> (i, j) -> loops.adam(u, scale, limit, p.array(), p.at() + i, g.array(), g.at() + i,
                    a.array(), a.at() + i, b.array(), b.at() + i, j - i);
            case Update.RmsProp u -> (i, j) -> loops.rmsProp(u, scale, limit, p.array(), p.at() + i, g.array(), g.at() + i,
                    a.array(), a.at() + i, b.array(), b.at() + i, j - i);
        });
        return true;
    }

    private void axpby(Update.Axpby u, F32 p, F32 g, int i, int j) {
        if (p.array() == g.array() && p.at() == g.at()) {   // of itself: the first pass below would change g
            loops.binaryScalar(BinaryFn.MUL, p.array(), p.at() + i, (float) (u.a() + u.b()), p.array(), p.at() + i, j - i);
            return;
        }
        if (u.a() != 1) {
            loops.binaryScalar(BinaryFn.MUL, p.array(), p.at() + i, (float) u.a(), p.array(), p.at() + i,
                    j - i);
        }
        loops.axpy((float) u.b(), g.array(), g.at() + i, p.array(), p.at() + i, j - i);
    }
}
