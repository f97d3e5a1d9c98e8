package dev.graft.kernels.ops;

import dev.graft.tensor.op.BinaryFn;
import dev.graft.tensor.op.UnaryFn;

/**
 * The elementwise functions in CUDA C++: expressions of {@code x} (and {@code y}, or the parameter {@code a}) in the type
 * {@code A} that is computed in (float, double or i64). {@code m_...} are the functions of elementwise.cuh. The switches
 * have no default, so that the compiler names what a new function lacks here.
 */
final class ElementFormulas {
    private ElementFormulas() {}

    static String of(UnaryFn fn) {
        return switch (fn) {
            case NEG -> "-x";
            case ABS -> "m_abs(x)";
            case SIGN -> "x > A(0) ? A(1) : x < A(0) ? A(-1) : x";
            case FLOOR -> "m_floor(x)";
            case CEIL -> "m_ceil(x)";
            case ROUND -> "m_rint(x)";
            case SQUARE -> "x * x";
            case SQRT -> "m_sqrt(x)";
            case RSQRT -> "A(1) / m_sqrt(x)";
            case RECIPROCAL -> "A(1) / x";
            case EXP -> "m_exp(x)";
            case EXPM1 -> "m_expm1(x)";
            case LOG -> "m_log(x)";
            case LOG1P -> "m_log1p(x)";
            case SIN -> "m_sin(x)";
            case COS -> "m_cos(x)";
            case TANH -> "m_tanh(x)";
            case SIGMOID -> "m_sigmoid(x)";
            case ERF -> "m_erf(x)";
            case RELU -> "x > A(0) || x != x ? x : A(0)";
            case RELU6 -> "min_nan(max_nan(x, A(0)), A(6))";
            case LEAKY_RELU -> "x > A(0) ? x : a * x";
            case ELU -> "x > A(0) ? x : a * m_expm1(x)";
            case SELU -> "A(" + UnaryFn.SELU_SCALE + ") * (x > A(0) ? x : A(" + UnaryFn.SELU_ALPHA + ") * m_expm1(x))";
            case SILU -> "x * m_sigmoid(x)";
            case GELU -> "A(0.5) * x * (A(1) + m_erf(x * A(0.70710678118654752440)))";
            case GELU_TANH -> "A(0.5) * x * (A(1) + m_gelu_tanh(x))";
            case SOFTPLUS -> "m_softplus(x)";
            case MISH -> "x * m_tanh(m_softplus(x))";
            case HARD_SWISH -> "x * min_nan(max_nan(x + A(3), A(0)), A(6)) / A(6)";
            case HARD_SIGMOID -> "min_nan(max_nan(x + A(3), A(0)), A(6)) / A(6)";
        };
    }

    /** The derivative, {@code x} being what the tape saved: the output where the function says so, else the input. */
    static String derivative(UnaryFn fn) {
        return switch (fn) {
            case NEG -> "A(-1)";
            case ABS -> "x > A(0) ? A(1) : x < A(0) ? A(-1) : x";
            case SIGN, FLOOR, CEIL, ROUND -> "A(0)";
            case SQUARE -> "A(2) * x";
            case SQRT -> "A(0.5) / x";
            case RSQRT -> "A(-0.5) * x * x * x";
            case RECIPROCAL -> "-x * x";
            case EXP -> "x";
            case EXPM1 -> "x + A(1)";
            case LOG -> "A(1) / x";
            case LOG1P -> "A(1) / (A(1) + x)";
            case SIN -> "m_cos(x)";
            case COS -> "-m_sin(x)";
            case TANH -> "A(1) - x * x";
            case SIGMOID -> "x * (A(1) - x)";
            case ERF -> "A(1.12837916709551257390) * m_exp(-x * x)";
            case RELU -> "x > A(0) ? A(1) : A(0)";
            case RELU6 -> "x > A(0) && x < A(6) ? A(1) : A(0)";
            case LEAKY_RELU -> "x > A(0) ? A(1) : a";
            case ELU -> "x > A(0) ? A(1) : a * m_exp(x)";
            case SELU -> "A(" + UnaryFn.SELU_SCALE + ") * (x > A(0) ? A(1) : A(" + UnaryFn.SELU_ALPHA + ") * m_exp(x))";
            case SILU -> "m_silu_slope(x)";
            case GELU -> "A(0.5) * (A(1) + m_erf(x * A(0.70710678118654752440)))"
                    + " + x * m_exp(A(-0.5) * x * x) * A(0.39894228040143267794)";
            case GELU_TANH -> "m_gelu_tanh_slope(x)";
            case SOFTPLUS -> "m_sigmoid(x)";
            case MISH -> "m_mish_slope(x)";
            case HARD_SWISH -> "x <= A(-3) ? A(0) : x >= A(3) ? A(1) : (A(2) * x + A(3)) / A(6)";
            case HARD_SIGMOID -> "x > A(-3) && x < A(3) ? A(1) / A(6) : A(0)";
        };
    }

    /** Predicates give 0 or 1. */
    static String of(BinaryFn fn) {
        return switch (fn) {
            case ADD -> "x + y";
            case SUB -> "x - y";
            case MUL -> "x * y";
            case DIV -> "x / y";
            case POW -> "m_pow(x, y)";
            case MAXIMUM -> "max_nan(x, y)";
            case MINIMUM -> "min_nan(x, y)";
            case EQ -> "x == y";
            case NE -> "x != y";
            case LT -> "x < y";
            case LE -> "x <= y";
            case GT -> "x > y";
            case GE -> "x >= y";
            case AND -> "x != A(0) && y != A(0)";
            case OR -> "x != A(0) || y != A(0)";
        };
    }
}
