package dev.graft.nn;

import dev.graft.autograd.Tape;
import dev.graft.tensor.CapturedStep;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import java.util.Arrays;

/**
 * A convolution's weights with the batch norm behind it multiplied in: w' = w·scale, b' = b·scale + shift. Kept until one
 * of the tensors that it was made of is another one, or was written to.
 */
final class FoldedConv {
    private long[] madeOf;
    private Tensor weight;
    private Tensor bias;

    /** Handles of the folded weight and bias, for the caller to close. */
    Tensor[] of(Conv2d conv, BatchNorm2d bn) {
        Tensor b = conv.bias() == null ? bn.bias().value() : conv.bias().value();
        long[] now = fingerprint(Double.doubleToLongBits(bn.eps()), conv.weight().value(), b, bn.weight().value(),
                bn.bias().value(), bn.runningMean().value(), bn.runningVar().value());
        synchronized (this) {
            if (Arrays.equals(now, madeOf) && !mayChange(conv.weight(), conv.bias(), bn.weight(), bn.bias())) {
                return new Tensor[] {weight.retain(), bias.retain()};
            }
        }
        // not under the lock: a device may be locked by a step that is being recorded and asks for these weights
        Tensor[] made = Scope.persistent(() -> Tape.noGrad(() -> {
            try (Scope s = Scope.open("fold batch norm")) {
                Tensor[] wb = fold(conv, bn);
                return new Tensor[] {s.keep(wb[0]), s.keep(wb[1])};
            }
        }));
        if (CapturedStep.isRecording()) {
            return made;                // their memory belongs to the recorded step
        }
        Tensor[] mine = {made[0].retain(), made[1].retain()};
        keep(now, made);
        return mine;
    }

    /** A trainable batch norm stands for its statistics as well. */
    private static boolean mayChange(Parameter... all) {
        return Arrays.stream(all).anyMatch(p -> p != null && CapturedStep.mayChange(p.value()));
    }

    private synchronized void keep(long[] of, Tensor[] made) {
        close();
        weight = made[0];
        bias = made[1];
        madeOf = of;
    }

    /** The folded weight and bias, new tensors; differentiable by the parameters of both layers. */
    static Tensor[] fold(Conv2d conv, BatchNorm2d bn) {
        Tensor scale = bn.scale();
        Tensor shift = bn.shift(scale);
        return new Tensor[] {conv.weight().value().mul(scale.reshape(-1, 1, 1, 1)),
            conv.bias() == null ? shift : conv.bias().value().mul(scale).add(shift)};
    }

    private static long[] fingerprint(long eps, Tensor... parts) {
        long[] f = new long[1 + 2 * parts.length];
        f[0] = eps;
        for (int i = 0; i < parts.length; i++) {
            f[1 + 2 * i] = parts[i].id();
            f[2 + 2 * i] = parts[i].storage().version();
        }
        return f;
    }

    synchronized void close() {
        if (weight != null) {
            weight.close();
            bias.close();
            weight = null;
            bias = null;
            madeOf = null;
        }
    }
}
