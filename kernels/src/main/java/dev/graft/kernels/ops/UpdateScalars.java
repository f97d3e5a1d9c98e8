package dev.graft.kernels.ops;

import dev.graft.tensor.op.Update;

/** The numbers of an update as {@code update.cu} reads them. */
final class UpdateScalars {
    private UpdateScalars() {}

    /** The kernel's variant. */
    static int kind(Update u) {
        return switch (u) {
            case Update.Assign a -> -1;      // a copy
            case Update.Axpby a -> 0;
            case Update.Sgd s -> 1;
            case Update.Adam a -> 2;
            case Update.RmsProp r -> 3;
        };
    }

    static double[] of(Update u) {
        double[] a = new double[8];
        switch (u) {
            case Update.Assign x -> { }
            case Update.Axpby x -> {
                a[0] = x.a();
                a[1] = x.b();
            }
            case Update.Sgd s -> {
                a[0] = s.lr();
                a[1] = s.momentum();
                a[2] = 1 - s.dampening();
                a[3] = s.weightDecay();
                a[4] = s.nesterov() ? 1 : 0;
                a[5] = s.first() ? 1 : 0;
            }
            case Update.Adam m -> {
                a[0] = m.lr() / (1 - Math.pow(m.beta1(), m.step()));
                a[1] = 1 / Math.sqrt(1 - Math.pow(m.beta2(), m.step()));
                a[2] = m.beta1();
                a[3] = m.beta2();
                a[4] = m.eps();
                a[5] = m.decoupled() ? 1 - m.lr() * m.weightDecay() : 1;
                a[6] = m.decoupled() ? 0 : m.weightDecay();
            }
            case Update.RmsProp r -> {
                a[0] = r.lr();
                a[1] = r.alpha();
                a[2] = r.eps();
                a[3] = r.weightDecay();
                a[4] = r.momentum();
            }
        }
        return a;
    }
}
