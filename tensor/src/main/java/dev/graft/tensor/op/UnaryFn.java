package dev.graft.tensor.op;

/**
 * Elementwise functions of one argument: each with its formula and its derivative in double precision, which the reference
 * backend computes and every fast kernel is compared with. {@code a} is the function's parameter (the slope of leaky ReLU,
 * the scale of ELU), unused elsewhere. The derivative is written in terms of the one value the tape saves: the output
 * where {@link #savesOutput()}, else the input.
 */
public enum UnaryFn {
    NEG(false) {
        @Override public double apply(double x, double a) { return -x; }
        @Override public double derivative(double x, double a) { return -1; }
    },
    ABS(false) {
        @Override public double apply(double x, double a) { return Math.abs(x); }
        @Override public double derivative(double x, double a) { return Math.signum(x); }
    },
    SIGN(false) {
        @Override public double apply(double x, double a) { return Math.signum(x); }
        @Override public double derivative(double x, double a) { return 0; }
    },
    FLOOR(false) {
        @Override public double apply(double x, double a) { return Math.floor(x); }
        @Override public double derivative(double x, double a) { return 0; }
    },
    CEIL(false) {
        @Override public double apply(double x, double a) { return Math.ceil(x); }
        @Override public double derivative(double x, double a) { return 0; }
    },
    /** Half to even, as NumPy and PyTorch. */
    ROUND(false) {
        @Override public double apply(double x, double a) { return Math.rint(x); }
        @Override public double derivative(double x, double a) { return 0; }
    },
    SQUARE(false) {
        @Override public double apply(double x, double a) { return x * x; }
        @Override public double derivative(double x, double a) { return 2 * x; }
    },
    SQRT(true) {
        @Override public double apply(double x, double a) { return Math.sqrt(x); }
        @Override public double derivative(double y, double a) { return 0.5 / y; }
    },
    RSQRT(true) {
        @Override public double apply(double x, double a) { return 1 / Math.sqrt(x); }
        @Override public double derivative(double y, double a) { return -0.5 * y * y * y; }
    },
    RECIPROCAL(true) {
        @Override public double apply(double x, double a) { return 1 / x; }
        @Override public double derivative(double y, double a) { return -y * y; }
    },
    EXP(true) {
        @Override public double apply(double x, double a) { return Math.exp(x); }
        @Override public double derivative(double y, double a) { return y; }
    },
    EXPM1(true) {
        @Override public double apply(double x, double a) { return Math.expm1(x); }
        @Override public double derivative(double y, double a) { return y + 1; }
    },
    LOG(false) {
        @Override public double apply(double x, double a) { return Math.log(x); }
        @Override public double derivative(double x, double a) { return 1 / x; }
    },
    LOG1P(false) {
        @Override public double apply(double x, double a) { return Math.log1p(x); }
        @Override public double derivative(double x, double a) { return 1 / (1 + x); }
    },
    SIN(false) {
        @Override public double apply(double x, double a) { return Math.sin(x); }
        @Override public double derivative(double x, double a) { return Math.cos(x); }
    },
    COS(false) {
        @Override public double apply(double x, double a) { return Math.cos(x); }
        @Override public double derivative(double x, double a) { return -Math.sin(x); }
    },
    TANH(true) {
        @Override public double apply(double x, double a) { return Math.tanh(x); }
        @Override public double derivative(double y, double a) { return 1 - y * y; }
    },
    SIGMOID(true) {
        @Override public double apply(double x, double a) { return sigmoid(x); }
        @Override public double derivative(double y, double a) { return y * (1 - y); }
    },
    ERF(false) {
        @Override public double apply(double x, double a) { return erf(x); }
        @Override public double derivative(double x, double a) { return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x); }
    },
    RELU(true) {
        @Override public double apply(double x, double a) { return x > 0 ? x : x != x ? x : 0; }
        @Override public double derivative(double y, double a) { return y > 0 ? 1 : 0; }
    },
    RELU6(true) {
        @Override public double apply(double x, double a) { return x != x ? x : Math.min(6, Math.max(0, x)); }
        @Override public double derivative(double y, double a) { return y > 0 && y < 6 ? 1 : 0; }
    },
    LEAKY_RELU(false) {
        @Override public double apply(double x, double a) { return x > 0 ? x : a * x; }
        @Override public double derivative(double x, double a) { return x > 0 ? 1 : a; }
    },
    /** Clevert et al. 2015, arXiv:1511.07289. */
    ELU(false) {
        @Override public double apply(double x, double a) { return x > 0 ? x : a * Math.expm1(x); }
        @Override public double derivative(double x, double a) { return x > 0 ? 1 : a * Math.exp(x); }
    },
    /** Klambauer et al. 2017, arXiv:1706.02515. */
    SELU(false) {
        @Override public double apply(double x, double a) {
            return SELU_SCALE * (x > 0 ? x : SELU_ALPHA * Math.expm1(x));
        }
        @Override public double derivative(double x, double a) {
            return SELU_SCALE * (x > 0 ? 1 : SELU_ALPHA * Math.exp(x));
        }
    },
    /** x·sigmoid(x); Elfwing et al. 2017, arXiv:1702.03118. */
    SILU(false) {
        @Override public double apply(double x, double a) { return x * sigmoid(x); }
        @Override public double derivative(double x, double a) {
            double s = sigmoid(x);
            return s * (1 + x * (1 - s));
        }
    },
    /** x·Φ(x) with the exact normal distribution; Hendrycks and Gimpel 2016, arXiv:1606.08415. */
    GELU(false) {
        @Override public double apply(double x, double a) { return 0.5 * x * (1 + erf(x / Math.sqrt(2))); }
        @Override public double derivative(double x, double a) {
            return 0.5 * (1 + erf(x / Math.sqrt(2))) + x * Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
        }
    },
    /** GELU's tanh approximation, as GPT-2 uses it. */
    GELU_TANH(false) {
        @Override public double apply(double x, double a) {
            return 0.5 * x * (1 + Math.tanh(GELU_K * (x + GELU_C * x * x * x)));
        }
        @Override public double derivative(double x, double a) {
            double t = Math.tanh(GELU_K * (x + GELU_C * x * x * x));
            return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * GELU_K * (1 + 3 * GELU_C * x * x);
        }
    },
    SOFTPLUS(false) {
        @Override public double apply(double x, double a) { return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))); }
        @Override public double derivative(double x, double a) { return sigmoid(x); }
    },
    /** x·tanh(softplus(x)); Misra 2019, arXiv:1908.08681. */
    MISH(false) {
        @Override public double apply(double x, double a) { return x * Math.tanh(SOFTPLUS.apply(x, 0)); }
        @Override public double derivative(double x, double a) {
            double w = Math.tanh(SOFTPLUS.apply(x, 0));
            return w + x * sigmoid(x) * (1 - w * w);
        }
    },
    /** x·relu6(x+3)/6; Howard et al. 2019, arXiv:1905.02244. */
    HARD_SWISH(false) {
        @Override public double apply(double x, double a) { return x * Math.min(6, Math.max(0, x + 3)) / 6; }
        @Override public double derivative(double x, double a) { return x <= -3 ? 0 : x >= 3 ? 1 : (2 * x + 3) / 6; }
    },
    HARD_SIGMOID(false) {
        @Override public double apply(double x, double a) { return Math.min(6, Math.max(0, x + 3)) / 6; }
        @Override public double derivative(double x, double a) { return x > -3 && x < 3 ? 1.0 / 6 : 0; }
    };

    public static final double SELU_SCALE = 1.0507009873554804934193349852946;
    public static final double SELU_ALPHA = 1.6732632423543772848170429916717;
    /** sqrt(2/pi). */
    public static final double GELU_K = 0.79788456080286535587989211986876;
    public static final double GELU_C = 0.044715;

    private final boolean savesOutput;

    UnaryFn(boolean savesOutput) {
        this.savesOutput = savesOutput;
    }

    public abstract double apply(double x, double a);

    /** The derivative, from the saved value: the output where {@link #savesOutput()}, else the input. */
    public abstract double derivative(double saved, double a);

    public boolean savesOutput() {
        return savesOutput;
    }

    static double sigmoid(double x) {
        double e = Math.exp(-Math.abs(x));
        return x >= 0 ? 1 / (1 + e) : e / (1 + e);
    }

    /** erf by its all-positive series 2/sqrt(pi)·exp(-x²)·Σ 2^n x^(2n+1)/(2n+1)!!, which loses no digits. */
    static double erf(double x) {
        double z = Math.abs(x);
        if (z > 6) {
            return Math.signum(x);
        }
        double term = z;
        double sum = z;
        for (int n = 1; term > sum * 1e-17; n++) {
            term *= 2 * z * z / (2 * n + 1);
            sum += term;
        }
        return Math.signum(x) * 2 / Math.sqrt(Math.PI) * Math.exp(-z * z) * sum + (x != x ? x : 0);
    }
}
