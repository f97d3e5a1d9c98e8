package dev.graft.autograd;

import static dev.graft.tensor.op.UnaryFn.GELU_C;
import static dev.graft.tensor.op.UnaryFn.GELU_K;
import static dev.graft.tensor.op.UnaryFn.SELU_ALPHA;
import static dev.graft.tensor.op.UnaryFn.SELU_SCALE;

import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.UnaryFn;

/**
 * How an elementwise function's derivative changes with the value it is computed from: the saved output y where
 * {@link UnaryFn#savesOutput()}, else the input x. In composed ops, so third derivatives exist as well.
 */
final class SecondDerivative {
    private SecondDerivative() {}

    /** g · dy · ∂f'(s)/∂s, or null where that is zero everywhere. */
    static Tensor times(UnaryFn fn, Tensor s, double a, Tensor g, Tensor dy) {
        Tensor slope = slope(fn, s, a);
        return slope == null ? null : g.mul(dy).mul(slope);
    }

    private static Tensor slope(UnaryFn fn, Tensor s, double a) {
        return switch (fn) {
            case NEG, ABS, SIGN, FLOOR, CEIL, ROUND, RELU, RELU6, LEAKY_RELU, HARD_SIGMOID -> null;
            case SQUARE -> s.onesLike().mul(2);
            case SQRT -> s.pow(-2).mul(-0.5);
            case RSQRT -> s.square().mul(-1.5);
            case RECIPROCAL -> s.mul(-2);
            case EXP, EXPM1 -> s.onesLike();
            case LOG -> s.pow(-2).neg();
            case LOG1P -> s.add(1).pow(-2).neg();
            case SIN -> s.sin().neg();
            case COS -> s.cos().neg();
            case TANH -> s.mul(-2);
            case SIGMOID -> s.mul(-2).add(1);
            case ERF -> s.square().neg().exp().mul(s).mul(-4 / Math.sqrt(Math.PI));
            case ELU -> negativeExp(s).mul(a);
            case SELU -> negativeExp(s).mul(SELU_SCALE * SELU_ALPHA);
            case SILU -> {        // σ(1 − σ)(2 + x(1 − 2σ))
                Tensor p = s.sigmoid();
                yield p.mul(p.neg().add(1)).mul(s.mul(p.mul(-2).add(1)).add(2));
            }
            case GELU -> s.square().mul(-0.5).exp().mul(s.square().neg().add(2)).mul(1 / Math.sqrt(2 * Math.PI));
            case GELU_TANH -> {   // (1 − t²)(u' + x(u''/2 − t·u'²)), u = k(x + cx³), t = tanh u
                Tensor t = s.pow(3).mul(GELU_C).add(s).mul(GELU_K).tanh();
                Tensor du = s.square().mul(3 * GELU_C).add(1).mul(GELU_K);
                Tensor half = s.mul(3 * GELU_C * GELU_K);
                yield t.square().neg().add(1).mul(du.add(s.mul(half.sub(t.mul(du.square())))));
            }
            case SOFTPLUS -> {
                Tensor p = s.sigmoid();
                yield p.mul(p.neg().add(1));
            }
            case MISH -> {        // (1 − w²)(2σ + xσ(1 − σ) − 2xσ²w), w = tanh softplus x
                Tensor p = s.sigmoid();
                Tensor w = s.softplus().tanh();
                yield w.square().neg().add(1).mul(
                        p.mul(2).add(s.mul(p).mul(p.neg().add(1))).sub(s.mul(p.square()).mul(w).mul(2)));
            }
            case HARD_SWISH -> s.gt(-3).and(s.lt(3)).cast(s.dtype()).mul(1.0 / 3);
        };
    }

    /** e^s up to 0, else 0; the minimum keeps e^s of a large s from being infinity times 0. */
    private static Tensor negativeExp(Tensor s) {
        return s.minimum(0).exp().mul(s.le(0).cast(s.dtype()));
    }
}
