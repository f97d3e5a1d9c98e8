package dev.graft.tensor.cpu;

import dev.graft.tensor.op.UnaryFn;

/**
 * What the plain loops compute per element: {@link UnaryFn}'s formulas, with a quicker error function, since the series
 * there is exact to double precision and far too slow for a network.
 */
final class ScalarMath {
    private static final double SQRT_HALF = Math.sqrt(0.5);
    private static final double INV_SQRT_2PI = 1 / Math.sqrt(2 * Math.PI);

    private ScalarMath() {}

    static float apply(UnaryFn f, float x, float a) {
        return (float) switch (f) {
            case ERF -> erf(x);
            case GELU -> 0.5 * x * (1 + erf(x * SQRT_HALF));
            default -> f.apply(x, a);
        };
    }

    static float derivative(UnaryFn f, float saved, float a) {
        return (float) (f == UnaryFn.GELU
                ? 0.5 * (1 + erf(saved * SQRT_HALF)) + saved * INV_SQRT_2PI * Math.exp(-0.5 * saved * saved)
                : f.derivative(saved, a));
    }

    /** Error function, relative error below 1e-9, by the polynomials of {@link SimdUnary#erf}. */
    static double erf(double x) {
        double t = Math.abs(x);
        if (t <= 0.91) {
            double s = x * x;
            double p = 8.382387750e-5;
            p = p * s - 8.145596948e-4;
            p = p * s + 5.201286171e-3;
            p = p * s - 2.685949951e-2;
            p = p * s + 1.128369719e-1;
            p = p * s - 3.761263490e-1;
            p = p * s + 1.283791661e-1;
            return x + x * p;
        }
        if (t >= 4) {
            return Math.signum(x);
        }
        double q = -1.043311477e-5;
        q = q * t + 3.148581018e-4;
        q = q * t - 3.610342043e-3;
        q = q * t + 2.369456552e-2;
        q = q * t - 1.061590463e-1;
        q = q * t - 6.351980567e-1;
        q = q * t - 1.128637075;
        return Math.copySign(-Math.expm1(q * t), x); // NaN comes here and stays NaN
    }
}
