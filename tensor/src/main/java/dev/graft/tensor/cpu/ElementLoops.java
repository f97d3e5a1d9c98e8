package dev.graft.tensor.cpu;

import dev.graft.tensor.op.BinaryFn;
import dev.graft.tensor.op.CreateOp;
import dev.graft.tensor.op.UnaryFn;
import dev.graft.tensor.op.Update;

/**
 * The inner loops over ranges of elements, without threads and without shapes. {@link SimdElementLoops} uses the Vector
 * API, {@link PlainElementLoops} is its readable twin for JVMs without it. Output and input ranges may be the same
 * range, but must not overlap otherwise. A result depends on the element's values only, not on its place in the range.
 */
interface ElementLoops {
    /** The fastest loops this JVM can run. */
    static ElementLoops best() {
        return Best.LOOPS;
    }

    /** Lazy, so that asking for the plain loops never touches the Vector API. */
    final class Best {
        private static final ElementLoops LOOPS = Simd.ENABLED ? new SimdElementLoops() : new PlainElementLoops();

        private Best() {}
    }

    /** y = f(x); {@code a} is the parameter of functions that have one. */
    void unary(UnaryFn f, float a, float[] x, int xo, float[] y, int yo, int n);

    /** dx = dy * f'(x), where {@code saved} holds f's output if {@link UnaryFn#savesOutput()}, else its input. */
    void unaryGrad(UnaryFn f, float a, float[] saved, int so, float[] dy, int dyo, float[] dx, int dxo, int n);

    /** z = x op y; not for predicates. */
    void binary(BinaryFn f, float[] x, int xo, float[] y, int yo, float[] z, int zo, int n);

    /** z = x op s; not for predicates. */
    void binaryScalar(BinaryFn f, float[] x, int xo, float s, float[] z, int zo, int n);

    /** z = s op y; not for predicates. */
    void scalarBinary(BinaryFn f, float s, float[] y, int yo, float[] z, int zo, int n);

    /** y += a * x. */
    void axpy(float a, float[] x, int xo, float[] y, int yo, int n);

    /** Where x is larger than y or NaN: y = x, index = at. A NaN in y stays. */
    void maxTap(float[] x, int xo, int at, float[] y, int yo, int[] index, int io, int n);

    /**
     * One step of {@link Update.Sgd}; {@code v} is the velocity, null without momentum. Here and in the steps below the
     * gradient is scale * g, clipped to [−limit, limit], where NaN stays NaN.
     */
    void sgd(Update.Sgd s, float scale, float limit, float[] p, int po, float[] g, int go, float[] v, int vo, int n);

    /** One step of {@link Update.Adam}; {@code m} and {@code v} are the first and second moments. */
    void adam(Update.Adam s, float scale, float limit, float[] p, int po, float[] g, int go, float[] m, int mo, float[] v,
            int vo, int n);

    /** One step of {@link Update.RmsProp}; {@code v} is the square average, {@code b} the velocity, null without it. */
    void rmsProp(Update.RmsProp s, float scale, float limit, float[] p, int po, float[] g, int go, float[] v, int vo,
            float[] b, int bo, int n);

    /** Elements {@code first} to {@code first + n} (excluded) of {@code op}. */
    void random(CreateOp.Random op, long first, float[] y, int yo, int n);

    /** y = x times those elements; y must not be x. */
    void randomProduct(CreateOp.Random op, long first, float[] x, int xo, float[] y, int yo, int n);
}
