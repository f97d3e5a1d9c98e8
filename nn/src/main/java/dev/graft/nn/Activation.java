package dev.graft.nn;

import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.FusedOp;
import dev.graft.tensor.op.UnaryFn;
import java.util.Locale;

/** An elementwise function as a layer: any shape to the same shape. */
public final class Activation extends Module {
    private final UnaryFn fn;
    private final double a;

    private Activation(UnaryFn fn, double a) {
        this.fn = fn;
        this.a = a;
    }

    /** Any function that takes no parameter. */
    public static Activation of(UnaryFn fn) {
        return new Activation(fn, 0);
    }

    public static Activation relu() {
        return of(UnaryFn.RELU);
    }

    public static Activation relu6() {
        return of(UnaryFn.RELU6);
    }

    /** PyTorch's default slope is 0.01. */
    public static Activation leakyRelu(double slope) {
        return new Activation(UnaryFn.LEAKY_RELU, slope);
    }

    /** PyTorch's default alpha is 1. */
    public static Activation elu(double alpha) {
        return new Activation(UnaryFn.ELU, alpha);
    }

    public static Activation selu() {
        return of(UnaryFn.SELU);
    }

    public static Activation silu() {
        return of(UnaryFn.SILU);
    }

    public static Activation gelu() {
        return of(UnaryFn.GELU);
    }

    /** GELU's tanh approximation. */
    public static Activation geluTanh() {
        return of(UnaryFn.GELU_TANH);
    }

    public static Activation sigmoid() {
        return of(UnaryFn.SIGMOID);
    }

    public static Activation tanh() {
        return of(UnaryFn.TANH);
    }

    public static Activation softplus() {
        return of(UnaryFn.SOFTPLUS);
    }

    public static Activation mish() {
        return of(UnaryFn.MISH);
    }

    public static Activation hardSwish() {
        return of(UnaryFn.HARD_SWISH);
    }

    public static Activation hardSigmoid() {
        return of(UnaryFn.HARD_SIGMOID);
    }

    @Override
    protected Tensor forward(Tensor x) {
        return x.unary(fn, a);
    }

    /** The same as part of a fused op; null when there is none. */
    FusedOp.Activation fused() {
        return switch (fn) {
            case RELU -> FusedOp.Activation.RELU;
            case RELU6 -> FusedOp.Activation.RELU6;
            case GELU -> FusedOp.Activation.GELU;
            case GELU_TANH -> FusedOp.Activation.GELU_TANH;
            default -> null;
        };
    }

    @Override
    protected String describe() {
        String name = fn.name().toLowerCase(Locale.ROOT);
        return fn == UnaryFn.LEAKY_RELU || fn == UnaryFn.ELU ? name + " " + a : name;
    }
}
