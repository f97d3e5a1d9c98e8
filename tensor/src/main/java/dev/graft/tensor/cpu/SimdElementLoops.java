package dev.graft.tensor.cpu;

import static dev.graft.tensor.cpu.SimdMath.I;
import static dev.graft.tensor.cpu.SimdMath.S;
import static dev.graft.tensor.cpu.SimdMath.all;

import dev.graft.tensor.op.BinaryFn;
import dev.graft.tensor.op.CreateOp;
import dev.graft.tensor.op.UnaryFn;
import dev.graft.tensor.op.Update;
import java.util.concurrent.atomic.AtomicLong;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/**
 * {@link ElementLoops} with the Vector API. The linear loops multiply and add in two roundings, so that the plain loop
 * that finishes what fills no vector gives the same bits; they wait for memory anyway.
 */
final class SimdElementLoops implements ElementLoops {
    private static final int L = S.length();
    private static final PlainElementLoops PLAIN = new PlainElementLoops();

    /** Random elements made by plain loops before the first by vectors, and how many have been made so. */
    private final long plainRandom;
    private final AtomicLong random = new AtomicLong();

    SimdElementLoops() {
        this(SimdRandom.FIRST);
    }

    SimdElementLoops(long plainRandom) {
        this.plainRandom = plainRandom;
    }

    private static FloatVector load(float[] x, int i) {
        return FloatVector.fromArray(S, x, i);
    }

    @Override
    public void unary(UnaryFn f, float a, float[] x, int xo, float[] y, int yo, int n) {
        SimdUnary.run(f, a, x, xo, y, yo, n);
    }

    @Override
    public void unaryGrad(UnaryFn f, float a, float[] saved, int so, float[] dy, int dyo, float[] dx, int dxo, int n) {
        SimdUnaryGrad.run(f, a, saved, so, dy, dyo, dx, dxo, n);
    }

    @Override
    public void binary(BinaryFn f, float[] x, int xo, float[] y, int yo, float[] z, int zo, int n) {
        SimdBinary.run(f, x, xo, y, yo, z, zo, n);
    }

    @Override
    public void binaryScalar(BinaryFn f, float[] x, int xo, float s, float[] z, int zo, int n) {
        SimdBinary.runScalar(f, x, xo, s, z, zo, n);
    }

    @Override
    public void scalarBinary(BinaryFn f, float s, float[] y, int yo, float[] z, int zo, int n) {
        SimdBinary.scalarRun(f, s, y, yo, z, zo, n);
    }

    @Override
    public void axpy(float a, float[] x, int xo, float[] y, int yo, int n) {
        int whole = S.loopBound(n);
        for (int i = 0; i < whole; i += L) {
            load(y, yo + i).add(load(x, xo + i).mul(a)).intoArray(y, yo + i);
        }
        PLAIN.axpy(a, x, xo + whole, y, yo + whole, n - whole);
    }

    @Override
    public void maxTap(float[] x, int xo, int at, float[] y, int yo, int[] index, int io, int n) {
        int whole = S.loopBound(n);
        for (int i = 0; i < whole; i += L) {
            FloatVector v = load(x, xo + i);
            FloatVector best = load(y, yo + i);
            // !(v <= best) is also true when one of them is NaN; a best that is NaN stays
            VectorMask<Float> wins = v.compare(VectorOperators.LE, best).not().and(best.compare(VectorOperators.EQ, best));
            best.blend(v, wins).intoArray(y, yo + i);
            IntVector.fromArray(I, index, io + i).blend(at, wins.cast(I)).intoArray(index, io + i);
        }
        PLAIN.maxTap(x, xo + whole, at, y, yo + whole, index, io + whole, n - whole);
    }

    /** NaN stays NaN. Comparing takes fewer instructions than Java's min and max, which tell -0 from 0. */
    private static FloatVector within(FloatVector gradient, float limit) {
        return gradient.blend(limit, gradient.compare(VectorOperators.GT, limit))
                .blend(-limit, gradient.compare(VectorOperators.LT, -limit));
    }

    @Override
    public void sgd(Update.Sgd s, float scale, float limit, float[] p, int po, float[] g, int go, float[] v, int vo, int n) {
        int whole = S.loopBound(n);
        if (v == null) {
            sgdPlain(s, scale, limit, p, po, g, go, whole);
        } else if (s.first()) {
            PLAIN.sgd(s, scale, limit, p, po, g, go, v, vo, whole); // once in a run
        } else {
            sgdMomentum(s, scale, limit, p, po, g, go, v, vo, whole);
        }
        PLAIN.sgd(s, scale, limit, p, po + whole, g, go + whole, v, vo + whole, n - whole);
    }

    private static void sgdPlain(Update.Sgd s, float scale, float limit, float[] p, int po, float[] g, int go, int n) {
        float lr = (float) s.lr();
        float decay = (float) s.weightDecay();
        for (int i = 0; i < n; i += L) {
            FloatVector old = load(p, po + i);
            old.sub(within(load(g, go + i).mul(scale), limit).add(old.mul(decay)).mul(lr)).intoArray(p, po + i);
        }
    }

    private static void sgdMomentum(Update.Sgd s, float scale, float limit, float[] p, int po, float[] g, int go, float[] v,
            int vo, int n) {
        float lr = (float) s.lr();
        float mu = (float) s.momentum();
        float damp = (float) (1 - s.dampening());
        float decay = (float) s.weightDecay();
        boolean nesterov = s.nesterov();
        for (int i = 0; i < n; i += L) {
            FloatVector old = load(p, po + i);
            FloatVector grad = within(load(g, go + i).mul(scale), limit).add(old.mul(decay));
            FloatVector speed = load(v, vo + i).mul(mu).add(grad.mul(damp));
            speed.intoArray(v, vo + i);
            FloatVector step = nesterov ? grad.add(speed.mul(mu)) : speed;
            old.sub(step.mul(lr)).intoArray(p, po + i);
        }
    }

    @Override
    public void adam(Update.Adam s, float scale, float limit, float[] p, int po, float[] g, int go, float[] m, int mo,
            float[] v, int vo, int n) {
        int whole = S.loopBound(n);
        adam(PlainElementLoops.AdamStep.of(s), scale, limit, p, po, g, go, m, mo, v, vo, whole);
        PLAIN.adam(s, scale, limit, p, po + whole, g, go + whole, m, mo + whole, v, vo + whole, n - whole);
    }

    private static void adam(PlainElementLoops.AdamStep k, float scale, float limit, float[] p, int po, float[] g, int go,
            float[] m, int mo, float[] v, int vo, int n) {
        float shrink = k.shrink();
        float l2 = k.l2();
        float rate1 = k.rate1();
        float beta2 = k.beta2();
        float rate2 = k.rate2();
        float step = k.step();
        float correction = k.correction();
        float eps = k.eps();
        for (int i = 0; i < n; i += L) {
            FloatVector old = load(p, po + i);
            FloatVector grad = within(load(g, go + i).mul(scale), limit).add(old.mul(l2));
            FloatVector first = load(m, mo + i);
            first = first.add(grad.sub(first).mul(rate1));
            FloatVector second = load(v, vo + i).mul(beta2).add(grad.mul(grad).mul(rate2));
            first.intoArray(m, mo + i);
            second.intoArray(v, vo + i);
            FloatVector d = second.sqrt().mul(correction).add(eps);
            old.mul(shrink).sub(first.div(d).mul(step)).intoArray(p, po + i);
        }
    }

    @Override
    public void rmsProp(Update.RmsProp s, float scale, float limit, float[] p, int po, float[] g, int go, float[] v, int vo,
            float[] b, int bo, int n) {
        int whole = S.loopBound(n);
        if (b == null) {
            rmsProp(s, scale, limit, p, po, g, go, v, vo, whole);
        } else {
            whole = 0; // rare: the plain loop does it all
        }
        PLAIN.rmsProp(s, scale, limit, p, po + whole, g, go + whole, v, vo + whole, b, bo + whole, n - whole);
    }

    private static void rmsProp(Update.RmsProp s, float scale, float limit, float[] p, int po, float[] g, int go, float[] v,
            int vo, int n) {
        float lr = (float) s.lr();
        float alpha = (float) s.alpha();
        float rate = (float) (1 - s.alpha());
        float eps = (float) s.eps();
        float decay = (float) s.weightDecay();
        for (int i = 0; i < n; i += L) {
            FloatVector old = load(p, po + i);
            FloatVector grad = within(load(g, go + i).mul(scale), limit).add(old.mul(decay));
            FloatVector square = load(v, vo + i).mul(alpha).add(grad.mul(grad).mul(rate));
            square.intoArray(v, vo + i);
            old.sub(grad.div(square.sqrt().add(all(eps))).mul(lr)).intoArray(p, po + i);
        }
    }

    /** Whether {@code n} more elements of {@code op} are worth vectors; the bits are the same either way. */
    private boolean vectors(CreateOp.Random op, int n) {
        return op.distribution() != CreateOp.Distribution.NORMAL
                && (random.get() >= plainRandom || random.addAndGet(n) >= plainRandom);
    }

    @Override
    public void random(CreateOp.Random op, long first, float[] y, int yo, int n) {
        if (vectors(op, n)) {
            SimdRandom.fill(op, first, y, yo, n);
        } else {
            PLAIN.random(op, first, y, yo, n);
        }
    }

    @Override
    public void randomProduct(CreateOp.Random op, long first, float[] x, int xo, float[] y, int yo, int n) {
        if (vectors(op, n)) {
            SimdRandom.product(op, first, x, xo, y, yo, n);
        } else {
            PLAIN.randomProduct(op, first, x, xo, y, yo, n);
        }
    }
}
