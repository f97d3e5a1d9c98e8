package dev.graft.tensor.reference;

import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.Update;

/** Optimizer steps as PyTorch writes them, one element at a time. */
final class ReferenceUpdate {
    private ReferenceUpdate() {}

    static void run(Update update, Tensor target, Tensor[] in) {
        switch (update) {
            case Update.Assign a -> Elements.move(in[0], null, target, null);
            case Update.Axpby a -> axpby(a, target, in[0]);
            case Update.Sgd s -> sgd(s, target, in);
            case Update.Adam a -> adam(a, target, in);
            case Update.RmsProp r -> rmsProp(r, target, in);
        }
    }

    private static void axpby(Update.Axpby op, Tensor target, Tensor in) {
        double[] p = Elements.doubles(target);
        double[] x = Elements.doubles(in);
        for (int i = 0; i < p.length; i++) {
            p[i] = op.a() * p[i] + op.b() * x[i];
        }
        Elements.store(p, target);
    }

    private static void sgd(Update.Sgd op, Tensor target, Tensor[] in) {
        double[] p = Elements.doubles(target);
        double[] grad = Elements.doubles(in[0]);
        double[] v = op.momentum() != 0 ? Elements.doubles(in[1]) : null;
        for (int i = 0; i < p.length; i++) {
            double g = grad[i] + op.weightDecay() * p[i];
            if (v != null) {
                v[i] = op.first() ? g : op.momentum() * v[i] + (1 - op.dampening()) * g;
                g = op.nesterov() ? g + op.momentum() * v[i] : v[i];
            }
            p[i] -= op.lr() * g;
        }
        Elements.store(p, target);
        if (v != null) {
            Elements.store(v, in[1]);
        }
    }

    private static void adam(Update.Adam op, Tensor target, Tensor[] in) {
        double[] p = Elements.doubles(target);
        double[] grad = Elements.doubles(in[0]);
        double[] m = Elements.doubles(in[1]);
        double[] v = Elements.doubles(in[2]);
        double correction1 = 1 - Math.pow(op.beta1(), op.step());
        double correction2 = 1 - Math.pow(op.beta2(), op.step());
        for (int i = 0; i < p.length; i++) {
            double g = grad[i];
            if (op.decoupled()) {
                p[i] *= 1 - op.lr() * op.weightDecay();
            } else {
                g += op.weightDecay() * p[i];
            }
            m[i] = op.beta1() * m[i] + (1 - op.beta1()) * g;
            v[i] = op.beta2() * v[i] + (1 - op.beta2()) * g * g;
            p[i] -= op.lr() / correction1 * m[i] / (Math.sqrt(v[i]) / Math.sqrt(correction2) + op.eps());
        }
        Elements.store(p, target);
        Elements.store(m, in[1]);
        Elements.store(v, in[2]);
    }

    private static void rmsProp(Update.RmsProp op, Tensor target, Tensor[] in) {
        double[] p = Elements.doubles(target);
        double[] grad = Elements.doubles(in[0]);
        double[] v = Elements.doubles(in[1]);
        double[] buffer = op.momentum() > 0 ? Elements.doubles(in[2]) : null;
        for (int i = 0; i < p.length; i++) {
            double g = grad[i] + op.weightDecay() * p[i];
            v[i] = op.alpha() * v[i] + (1 - op.alpha()) * g * g;
            double step = g / (Math.sqrt(v[i]) + op.eps());
            if (buffer != null) {
                buffer[i] = op.momentum() * buffer[i] + step;
                step = buffer[i];
            }
            p[i] -= op.lr() * step;
        }
        Elements.store(p, target);
        Elements.store(v, in[1]);
        if (buffer != null) {
            Elements.store(buffer, in[2]);
        }
    }
}
