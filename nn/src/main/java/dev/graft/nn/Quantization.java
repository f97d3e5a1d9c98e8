package dev.graft.nn;

import dev.graft.tensor.DType;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * What {@link Module#quantize} did.
 *
 * <p>int8 is weight-only and symmetric, with one scale for every output, as the row-wise quantisation of LLM.int8()
 * (Dettmers et al. 2022, arXiv:2208.07339): scale = max|row| / 127, q = w / scale rounded half to even. A weight is off by at
 * most half a scale, max|row| / 254; a result x·w by at most that times Σ|x|, and since the roundings are as often up as down
 * usually by much less. bfloat16 rounds each weight by at most 1/256 of itself.
 *
 * @param type    of the stored weights
 * @param stored  paths of the weights that are stored so now
 * @param skipped paths of linear weights that were left alone because they are trainable
 * @param before  bytes that the stored weights took before
 * @param after   bytes that they take now, scales included
 */
public record Quantization(DType type, List<String> stored, List<String> skipped, long before, long after) {
    /** What is added to a weight's name for the buffer with its scale. */
    static final String SCALE = "_scale";
    private static final int LARGEST = 127;

    static Quantization of(Module model, DType type) {
        if (type != DType.BF16 && type != DType.I8 && type != DType.F32) {
            throw new GraftException("quantize: weights cannot be stored as " + type + ": use int8, bfloat16, or float32 to"
                    + " go back");
        }
        List<String> stored = new ArrayList<>();
        List<String> skipped = new ArrayList<>();
        long before = 0;
        long after = 0;
        for (Map.Entry<String, Module> e : model.modules().entrySet()) {
            Module m = e.getValue();
            String name = m.quantizable();
            Parameter p = name == null ? null : m.parameters().get(name);
            if (p == null) {
                continue;
            }
            String path = e.getKey().isEmpty() ? name : e.getKey() + "." + name;
            if (p.trainable() && type != DType.F32) {
                skipped.add(path);
                continue;
            }
            before += bytes(p);
            store(m, name, p, type);
            after += bytes(p);
            stored.add(path);
        }
        if (stored.isEmpty() && type != DType.F32) {
            throw new GraftException("quantize: " + (skipped.isEmpty() ? "there is no linear layer here whose weight could"
                    + " be stored as " + type : "none of the " + skipped.size() + " linear weights is frozen, and only frozen"
                    + " ones can be stored as " + type + ": freeze them first, as in model.freeze(ParamSelector.ALL)"));
        }
        return new Quantization(type, List.copyOf(stored), List.copyOf(skipped), before, after);
    }

    private static void store(Module m, String name, Parameter p, DType type) {
        if (p.dtype() == type) {
            return;
        }
        boolean scaled = p.scale() != null;
        p.store(type, () -> type == DType.I8 ? m.addScale(name, p.shape().dim(0)) : null);
        if (scaled) {
            m.removeScale(name);
        }
    }

    private static long bytes(Parameter p) {
        return p.size() * p.dtype().bytes() + (p.scale() == null ? 0 : 4L * p.shape().dim(0));
    }

    /** {@code wide} [O, I] as {@code type}, and for int8 the scale [O]: new handles that belong to no scope. */
    static Tensor[] narrow(Tensor wide, DType type) {
        if (type != DType.I8) {
            return new Tensor[] {Scope.persistent(() -> wide.cast(type).retain())};
        }
        float[] w = wide.toFloats();
        int rows = wide.dim(0);
        int columns = wide.dim(1);
        byte[] q = new byte[w.length];
        float[] scale = new float[rows];
        for (int r = 0; r < rows; r++) {
            scale[r] = row(w, r * columns, columns, q);
        }
        return new Tensor[] {Scope.persistent(() -> Tensor.from(DType.I8, q, wide.shape())),
            Scope.persistent(() -> Tensor.of(scale, rows))};
    }

    /** Returns the scale. */
    private static float row(float[] w, int at, int n, byte[] q) {
        float most = 0;
        for (int i = at; i < at + n; i++) {
            most = Math.max(most, Math.abs(w[i]));
        }
        if (!Float.isFinite(most)) {
            throw new GraftException("quantize: a weight is " + (most != most ? "NaN" : "infinite")
                    + " and has no int8 value: check the weights that were loaded");
        }
        float scale = most / LARGEST;
        if (scale < Float.MIN_NORMAL) {
            return 1;       // all zero, or too small to tell
        }
        for (int i = at; i < at + n; i++) {
            q[i] = (byte) Math.clamp((long) Math.rint(w[i] / scale), -LARGEST, LARGEST);
        }
        return scale;
    }

    /** One sentence for a log or a terminal. */
    @Override
    public String toString() {
        return stored.size() + " linear weights are stored as " + type + ": " + mib(before) + " became " + mib(after)
                + (skipped.isEmpty() ? "" : "; " + skipped.size() + " trainable ones stayed float32: "
                + String.join(", ", skipped));
    }

    private static String mib(long bytes) {
        return String.format(java.util.Locale.ROOT, "%.1f MiB", bytes / 1048576.0);
    }
}
