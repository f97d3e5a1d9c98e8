package dev.graft.tensor.cpu;

import dev.graft.tensor.Philox;
import dev.graft.tensor.op.BinaryFn;
import dev.graft.tensor.op.CreateOp;
import dev.graft.tensor.op.UnaryFn;
import dev.graft.tensor.op.Update;

/** {@link ElementLoops} in plain Java. What is linear is computed without fused multiply-add, as in the SIMD twin. */
final class PlainElementLoops implements ElementLoops {
    @Override
    public void unary(UnaryFn f, float a, float[] x, int xo, float[] y, int yo, int n) {
        if (f == UnaryFn.RELU) {
            for (int i = 0; i < n; i++) {
                y[yo + i] = Math.max(x[xo + i], 0f);
            }
            return;
        }
        for (int i = 0; i < n; i++) {
            y[yo + i] = ScalarMath.apply(f, x[xo + i], a);
        }
    }

    @Override
    public void unaryGrad(UnaryFn f, float a, float[] saved, int so, float[] dy, int dyo, float[] dx, int dxo, int n) {
        if (f == UnaryFn.RELU) {
            for (int i = 0; i < n; i++) {
                dx[dxo + i] = saved[so + i] > 0 ? dy[dyo + i] : 0f;
            }
            return;
        }
        for (int i = 0; i < n; i++) {
            dx[dxo + i] = dy[dyo + i] * ScalarMath.derivative(f, saved[so + i], a);
        }
    }

    @Override
    public void binary(BinaryFn f, float[] x, int xo, float[] y, int yo, float[] z, int zo, int n) {
        switch (f) {
            case ADD -> {
                for (int i = 0; i < n; i++) {
                    z[zo + i] = x[xo + i] + y[yo + i];
                }
            }
            case MUL -> {
                for (int i = 0; i < n; i++) {
                    z[zo + i] = x[xo + i] * y[yo + i];
                }
            }
            default -> {
                for (int i = 0; i < n; i++) {
                    z[zo + i] = (float) f.apply(x[xo + i], y[yo + i]);
                }
            }
        }
    }

    @Override
    public void binaryScalar(BinaryFn f, float[] x, int xo, float s, float[] z, int zo, int n) {
        switch (f) {
            case ADD -> {
                for (int i = 0; i < n; i++) {
                    z[zo + i] = x[xo + i] + s;
                }
            }
            case MUL -> {
                for (int i = 0; i < n; i++) {
                    z[zo + i] = x[xo + i] * s;
                }
            }
            default -> {
                for (int i = 0; i < n; i++) {
                    z[zo + i] = (float) f.apply(x[xo + i], s);
                }
            }
        }
    }

    @Override
    public void scalarBinary(BinaryFn f, float s, float[] y, int yo, float[] z, int zo, int n) {
        for (int i = 0; i < n; i++) {
            z[zo + i] = (float) f.apply(s, y[yo + i]);
        }
    }

    @Override
    public void axpy(float a, float[] x, int xo, float[] y, int yo, int n) {
        for (int i = 0; i < n; i++) {
            y[yo + i] += a * x[xo + i];
        }
    }

    @Override
    public void maxTap(float[] x, int xo, int at, float[] y, int yo, int[] index, int io, int n) {
        for (int i = 0; i < n; i++) {
            float v = x[xo + i];
            float best = y[yo + i];
            if (v > best || v != v && best == best) {
                y[yo + i] = v;
                index[io + i] = at;
            }
        }
    }

    /** NaN stays NaN. */
    private static float within(float gradient, float limit) {
        return Math.max(-limit, Math.min(limit, gradient));
    }

    @Override
    public void sgd(Update.Sgd s, float scale, float limit, float[] p, int po, float[] g, int go, float[] v, int vo, int n) {
        float lr = (float) s.lr();
        float mu = (float) s.momentum();
        float damp = s.first() ? 1f : (float) (1 - s.dampening());
        float decay = (float) s.weightDecay();
        for (int i = 0; i < n; i++) {
            float old = p[po + i];
            float grad = within(g[go + i] * scale, limit) + decay * old;
            if (v != null) {
                float speed = s.first() ? grad : mu * v[vo + i] + damp * grad;
                v[vo + i] = speed;
                grad = s.nesterov() ? grad + mu * speed : speed;
            }
            p[po + i] = old - lr * grad;
        }
    }

    @Override
    public void adam(Update.Adam s, float scale, float limit, float[] p, int po, float[] g, int go, float[] m, int mo,
            float[] v, int vo, int n) {
        AdamStep k = AdamStep.of(s);
        for (int i = 0; i < n; i++) {
            float old = p[po + i] * k.shrink();
            float grad = within(g[go + i] * scale, limit) + k.l2() * p[po + i];
            float first = m[mo + i] + k.rate1() * (grad - m[mo + i]);
            float second = k.beta2() * v[vo + i] + k.rate2() * (grad * grad);
            m[mo + i] = first;
            v[vo + i] = second;
            p[po + i] = old - k.step() * (first / ((float) Math.sqrt(second) * k.correction() + k.eps()));
        }
    }

    @Override
    public void rmsProp(Update.RmsProp s, float scale, float limit, float[] p, int po, float[] g, int go, float[] v, int vo,
            float[] b, int bo, int n) {
        float lr = (float) s.lr();
        float alpha = (float) s.alpha();
        float rate = (float) (1 - s.alpha());
        float eps = (float) s.eps();
        float decay = (float) s.weightDecay();
        float mu = (float) s.momentum();
        for (int i = 0; i < n; i++) {
            float old = p[po + i];
            float grad = within(g[go + i] * scale, limit) + decay * old;
            float square = alpha * v[vo + i] + rate * (grad * grad);
            v[vo + i] = square;
            float step = grad / ((float) Math.sqrt(square) + eps);
            if (b != null) {
                step = mu * b[bo + i] + step;
                b[bo + i] = step;
            }
            p[po + i] = old - lr * step;
        }
    }

    @Override
    public void random(CreateOp.Random op, long first, float[] y, int yo, int n) {
        Philox.fill(op, first, y, yo, n);
    }

    /** The factors are made where y will be. */
    @Override
    public void randomProduct(CreateOp.Random op, long first, float[] x, int xo, float[] y, int yo, int n) {
        Philox.fill(op, first, y, yo, n);
        binary(BinaryFn.MUL, x, xo, y, yo, y, yo, n);
    }

    /**
     * Adam's constants of one step as floats.
     *
     * @param shrink     factor of the parameter: decoupled weight decay
     * @param l2         factor of the parameter in the gradient: coupled weight decay
     * @param step       learning rate over the first moment's bias correction
     * @param correction 1 / sqrt of the second moment's bias correction
     */
    record AdamStep(float shrink, float l2, float rate1, float beta2, float rate2, float step, float correction, float eps) {
        static AdamStep of(Update.Adam s) {
            double c1 = 1 - Math.pow(s.beta1(), s.step());
            double c2 = 1 - Math.pow(s.beta2(), s.step());
            return new AdamStep(s.decoupled() ? (float) (1 - s.lr() * s.weightDecay()) : 1f,
                    s.decoupled() ? 0f : (float) s.weightDecay(), (float) (1 - s.beta1()), (float) s.beta2(),
                    (float) (1 - s.beta2()), (float) (s.lr() / c1), (float) (1 / Math.sqrt(c2)), (float) s.eps());
        }
    }
}
