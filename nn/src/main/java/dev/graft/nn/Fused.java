package dev.graft.nn;

import dev.graft.autograd.Tape;
import dev.graft.tensor.DType;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.backend.Backends;
import dev.graft.tensor.op.ConvParams;
import dev.graft.tensor.op.FusedOp;
import java.util.List;

/**
 * Layers that run as one call. {@link Sequential} finds them among its children; blocks that keep their layers apart, such
 * as residual ones, call this class. The results are those of the layers one by one, within rounding.
 */
public final class Fused {
    private Fused() {}

    /**
     * activation(bn(conv(x)) + residual). Where batch norm uses its running statistics it is folded into the convolution's
     * weights: once, when no gradient is wanted for the two layers' parameters, else on the tape if that is less work, an op
     * on the weights instead of two on the images. Where it uses the batch's, all behind the convolution is one op.
     * Gradients pass to all that want one.
     *
     * @param activation null for none
     * @param residual   [N, Ho, Wo, out], null for none
     */
    public static Tensor convBn(Conv2d conv, BatchNorm2d bn, Activation activation, Tensor residual, Tensor x) {
        if (!bn.usesRunningStatistics()) {
            Tensor c = conv.call(x);
            return passOn(c, bn(bn, activation, residual, c));
        }
        boolean gradient = wantsGradient(conv, bn);
        if (bn.channels() != conv.outChannels() || gradient && !weighsLess(conv, x)) {
            Tensor c = conv.call(x);
            return passOn(c, apart(bn, activation, residual, c));
        }
        FusedOp.Activation then = fusable(activation);
        Tensor y = conv.within(() -> {
            Tensor[] wb = gradient ? FoldedConv.fold(conv, bn) : conv.folded().of(conv, bn);
            try (Tensor w = wb[0]; Tensor b = wb[1]) {
                FusedOp op = new FusedOp.ConvBiasActivation(conv.params(x), then == null ? FusedOp.Activation.NONE : then);
                return residual == null ? Dispatcher.one(op, x, w, b) : Dispatcher.one(op, x, w, b, residual);
            }
        });
        return then == null ? passOn(y, activation.call(y)) : y;
    }

    /**
     * The block of MobileNetV2 as one op, so that the expanded image never leaves the cache: layers are [1x1 convolution,
     * batch norm, activation], [depthwise convolution, batch norm, the same activation], 1x1 convolution, batch norm, all
     * with folded batch norm and none in want of a gradient. Null if that is not so, or the device has nothing for it.
     */
    static Tensor invertedResidual(List<Module> layers, Tensor residual, Tensor x) {
        if (layers.size() != 4 || !(layers.get(0) instanceof Sequential first)
                || !(layers.get(1) instanceof Sequential second) || first.size() != 3 || second.size() != 3
                || x.rank() != 4 || x.dtype() != DType.F32
                || Tape.isRecording() && (x.requiresGrad() || residual != null && residual.requiresGrad())) {
            return null;
        }
        if (!(first.get(0) instanceof Conv2d expand && first.get(1) instanceof BatchNorm2d n1
                && second.get(0) instanceof Conv2d depthwise && second.get(1) instanceof BatchNorm2d n2
                && layers.get(2) instanceof Conv2d project && layers.get(3) instanceof BatchNorm2d n3
                && first.get(2) instanceof Activation a && second.get(2) instanceof Activation b)) {
            return null;
        }
        ConvParams p = depthwise.params(x);
        if (!folds(expand, n1) || !folds(depthwise, n2) || !folds(project, n3) || !pointwise(expand) || !pointwise(project)
                || p.groups() != expand.outChannels() || depthwise.outChannels() != p.groups() || clamp(a) == null
                || clamp(a) != clamp(b)) {
            return null;
        }
        FusedOp op = new FusedOp.InvertedResidual(p, clamp(a));
        if (!Backends.of(x.device()).supports(op)) {
            return null;
        }
        Tensor[] in = new Tensor[residual == null ? 7 : 8];
        Conv2d[] convs = {expand, depthwise, project};
        BatchNorm2d[] norms = {n1, n2, n3};
        in[0] = x;
        if (residual != null) {
            in[7] = residual;
        }
        try {
            for (int i = 0; i < 3; i++) {
                Tensor[] wb = convs[i].folded().of(convs[i], norms[i]);
                in[1 + 2 * i] = wb[0];
                in[2 + 2 * i] = wb[1];
            }
            return Dispatcher.one(op, in);
        } finally {
            for (int i = 1; i < 7; i++) {
                if (in[i] != null) {
                    in[i].close();
                }
            }
        }
    }

    private static boolean folds(Conv2d conv, BatchNorm2d bn) {
        return bn.usesRunningStatistics() && bn.channels() == conv.outChannels() && !wantsGradient(conv, bn);
    }

    private static boolean pointwise(Conv2d c) {
        return c.kernelH() == 1 && c.kernelW() == 1 && c.spec().params(1, 1, 1, 1).equals(ConvParams.of(1, 0));
    }

    /** activation(bn(x) + residual) with the batch's statistics. */
    private static Tensor bn(BatchNorm2d bn, Activation activation, Tensor residual, Tensor x) {
        FusedOp.Activation then = clamp(activation);
        Tensor y = bn.run(x, then == null ? FusedOp.Activation.NONE : then, residual);
        return then == null ? passOn(y, activation.call(y)) : y;
    }

    /** activation(bn(x)). */
    public static Tensor bn(BatchNorm2d bn, Activation activation, Tensor x) {
        return bn.usesRunningStatistics() ? apart(bn, activation, null, x) : bn(bn, activation, null, x);
    }

    /** activation(conv(x)). */
    public static Tensor conv(Conv2d conv, Activation activation, Tensor x) {
        FusedOp.Activation then = fusable(activation);
        return then == null ? activation.call(conv.call(x)) : conv.within(() -> conv.run(x, then));
    }

    /** activation(linear(x)). */
    public static Tensor linear(Linear linear, Activation activation, Tensor x) {
        FusedOp.Activation then = fusable(activation);
        return then == null ? activation.call(linear.call(x)) : linear.within(() -> linear.run(x, then));
    }

    /**
     * residual + linear(x), both of the same shape.
     *
     * @param residual [..., out]
     */
    static Tensor linear(Linear linear, Tensor residual, Tensor x) {
        return linear.within(() -> linear.run(x, FusedOp.Activation.NONE, residual));
    }

    private static Tensor apart(BatchNorm2d bn, Activation activation, Tensor residual, Tensor x) {
        Tensor y = bn.call(x);
        Tensor sum = residual == null ? y : passOn(y, y.add(residual));
        return activation == null ? sum : passOn(sum, activation.call(sum));
    }

    /** {@code to}, after the handle of what it was computed from is closed. */
    private static Tensor passOn(Tensor from, Tensor to) {
        if (from != to) {
            Scope.drop(from);
        }
        return to;
    }

    /** Whether the weights have fewer elements than the output for {@code x}. */
    private static boolean weighsLess(Conv2d conv, Tensor x) {
        if (x.rank() != 4) {
            return false;
        }
        ConvParams p = conv.params(x);
        long pixels = (long) x.dim(0) * p.outH(x.dim(1), conv.kernelH()) * p.outW(x.dim(2), conv.kernelW());
        return conv.weight().size() < pixels * conv.outChannels();
    }

    private static boolean wantsGradient(Conv2d conv, BatchNorm2d bn) {
        return Tape.isRecording() && (wantsGradient(conv.weight()) || wantsGradient(conv.bias())
                || wantsGradient(bn.weight()) || wantsGradient(bn.bias()));
    }

    private static boolean wantsGradient(Parameter p) {
        return p != null && p.value().requiresGrad();
    }

    /** What a backend can do to the result before writing it; null when it must be a call of its own. */
    private static FusedOp.Activation fusable(Activation a) {
        return a == null ? FusedOp.Activation.NONE : a.fused();
    }

    /** The same for ops that bound values only. */
    private static FusedOp.Activation clamp(Activation a) {
        FusedOp.Activation f = fusable(a);
        return f == null || f.clamps() ? f : null;
    }

    /** How many of {@code layers}, from {@code i} on, run as one: 1 when none fit together. */
    static int length(List<Module> layers, int i) {
        int rest = layers.size() - i;
        if (layers.get(i) instanceof Conv2d && rest > 1 && layers.get(i + 1) instanceof BatchNorm2d) {
            return rest > 2 && layers.get(i + 2) instanceof Activation ? 3 : 2;
        }
        boolean first = layers.get(i) instanceof Conv2d || layers.get(i) instanceof Linear
                || layers.get(i) instanceof BatchNorm2d;
        return first && rest > 1 && layers.get(i + 1) instanceof Activation ? 2 : 1;
    }

    /** Whether {@link #run} can add a residual to the result of these layers on the way. */
    static boolean takesResidual(List<Module> layers) {
        return layers.size() == 2 && layers.get(1) instanceof BatchNorm2d;
    }

    /** Runs layers that {@link #length} has put together. */
    static Tensor run(List<Module> layers, Tensor residual, Tensor x) {
        return switch (layers.getFirst()) {
            case Module one when layers.size() == 1 -> one.call(x);
            case Conv2d c when layers.get(1) instanceof BatchNorm2d bn ->
                    convBn(c, bn, layers.size() == 3 ? (Activation) layers.get(2) : null, residual, x);
            case Conv2d c -> conv(c, (Activation) layers.get(1), x);
            case BatchNorm2d bn -> bn(bn, (Activation) layers.get(1), x);
            case Linear l -> linear(l, (Activation) layers.get(1), x);
            default -> throw new IllegalStateException(layers + " do not run as one");
        };
    }
}
