package dev.graft.tensor.op;

import dev.graft.tensor.DType;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Shape;
import dev.graft.tensor.TensorSpec;
import java.util.function.Supplier;

/** The checks that shape rules share; each throws one sentence without the op's name. */
final class Check {
    private Check() {}

    static void arity(TensorSpec[] in, int n) {
        if (in.length != n) {
            throw new GraftException("takes " + n + " inputs, got " + in.length);
        }
    }

    /** For messages that are built: only when they are needed, since shape rules run with every op. */
    static void that(boolean ok, Supplier<String> message) {
        if (!ok) {
            throw new GraftException(message.get());
        }
    }

    static void that(boolean ok, String message) {
        if (!ok) {
            throw new GraftException(message);
        }
    }

    /** {@code n} as the size of an axis. */
    static int size(long n) {
        that(n <= Integer.MAX_VALUE,
                () -> "an axis of " + n + " is longer than " + Integer.MAX_VALUE + ", the most it can be");
        return (int) n;
    }

    static void floats(TensorSpec t, String what) {
        if (t.dtype() != DType.F32 && t.dtype() != DType.F64 && t.dtype() != DType.F16 && t.dtype() != DType.BF16) {
            throw new GraftException(what + " is " + t + ", a floating-point tensor is needed: cast it first");
        }
    }

    static void indices(TensorSpec t) {
        if (t.dtype() != DType.I32 && t.dtype() != DType.I64) {
            throw new GraftException("indices are " + t + ", int32 or int64 is needed: cast them first");
        }
    }

    static void sameType(TensorSpec a, TensorSpec b) {
        if (a.dtype() != b.dtype()) {
            throw new GraftException(a + " and " + b + " have different element types: cast one of them");
        }
    }

    /** That {@code t}, which an op takes beside the values {@code x}, has their type, or float32 beside 16-bit ones. */
    static void besides(TensorSpec x, TensorSpec t, String what) {
        boolean narrow = x.dtype() == DType.F16 || x.dtype() == DType.BF16;
        if (t.dtype() != x.dtype() && !(narrow && t.dtype() == DType.F32)) {
            throw new GraftException(what + " is " + t + " beside " + x + ": " + x.dtype() + (narrow ? " or float32" : "")
                    + " is needed, cast one of them");
        }
    }

    static void rank(TensorSpec t, int rank, String what, String layout) {
        if (t.rank() != rank) {
            throw new GraftException(what + " has shape " + t.shape() + ", " + layout + " is needed");
        }
    }

    static void shape(TensorSpec t, Shape want, String what) {
        if (!t.shape().equals(want)) {
            throw new GraftException(what + " has shape " + t.shape() + " where " + want + " is needed");
        }
    }

    static TensorSpec[] out(TensorSpec... specs) {
        return specs;
    }

    static TensorSpec[] out(DType dtype, Shape shape) {
        return new TensorSpec[] {new TensorSpec(dtype, shape)};
    }
}
