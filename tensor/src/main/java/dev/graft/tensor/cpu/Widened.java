package dev.graft.tensor.cpu;

import dev.graft.tensor.DType;
import dev.graft.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * The tensors of one op as float32: as they are, or by way of working memory where they are float16 or bfloat16. Tensors of
 * other types, such as indices, are null here.
 *
 * <pre>{@code
 * try (Widened w = new Widened(in, out)) {
 *     kernel(w.in(0), w.out(0));
 *     w.store();
 * }
 * }</pre>
 */
final class Widened implements AutoCloseable {
    private final List<Scratch> space = new ArrayList<>();
    private final F32[] in;
    private final F32[] out;
    private final Tensor[] results;

    Widened(Tensor[] in, Tensor[] out) {
        this.in = new F32[in.length];
        this.out = new F32[out.length];
        results = out;
        for (int i = 0; i < in.length; i++) {
            this.in[i] = of(in[i]);
            if (narrow(in[i])) {
                Casts.widen(in[i], this.in[i].array());
            }
        }
        for (int i = 0; i < out.length; i++) {
            this.out[i] = of(out[i]);
        }
    }

    private F32 of(Tensor t) {
        if (narrow(t)) {
            space.add(Scratch.take(t.size()));
            return new F32(space.getLast().data, 0, Math.toIntExact(t.size()));
        }
        return t.dtype() == DType.F32 ? F32.of(t) : null;
    }

    private static boolean narrow(Tensor t) {
        return t.dtype() == DType.F16 || t.dtype() == DType.BF16;
    }

    /** Whether {@code t} can be had as float32 without loss. */
    static boolean fits(Tensor t) {
        return t.dtype() == DType.F32 || narrow(t);
    }

    F32 in(int i) {
        return in[i];
    }

    F32 out(int i) {
        return out[i];
    }

    /** Rounds what was computed into the op's outputs. */
    void store() {
        for (int i = 0; i < out.length; i++) {
            if (narrow(results[i])) {
                Casts.narrow(out[i].array(), results[i]);
            }
        }
    }

    @Override
    public void close() {
        space.forEach(Scratch::close);
    }
}
