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
 * (Dettmers et al. 2022, arXiv:2208.07339): scale = max|row| / 127, q = w / scale rounded half to even. A weight is off by
 * at most half a scale, max|row| / 254; a result x·w by at most that times Σ|x|, and since the roundings are as often up as
 * down usually by much less. bfloat16 rounds each weight by at most 1/256 of itself.
 *
 * @param type    of the stored weights
 * @param stored  paths of the weights that are stored so now; for float32 of those that were stored in fewer bits before
 * @param skipped paths of linear weights that were left alone because they are trainable
 * @param before  bytes that the stored weights took before
 * @param after   bytes that they take now, scales included
 */
public record Quantization(DType type, List<String> stored, List<String> skipped, long before, long after) {
    /** What is added to a weight's name for the buffer with its scale, in networks and in files. */
    public static final String SCALE = "_scale";
    private static final int LARGEST = 127;

    /** A weight of {@code module} that is to be stored. */
    private record Chosen(Module module, String name, String path, Parameter parameter) {}

    static Quantization apply(Module model, DType type) {
        if (type != DType.BF16 && type != DType.I8 && type != DType.F32) {
            throw new GraftException("quantize: weights cannot be stored as " + type + ": use int8, bfloat16, or float32"
                    + " to go back");
        }
        List<Chosen> chosen = new ArrayList<>();
        List<String> skipped = new ArrayList<>();
        for (Map.Entry<String, Module> e : model.modules().entrySet()) {
            Module m = e.getValue();
            String name = m.quantizable();
            Parameter p = name == null ? null : m.parameters().get(name);
            if (p == null || type == DType.F32 && p.dtype() == DType.F32) {
                continue;
            }
            String path = e.getKey().isEmpty() ? name : e.getKey() + "." + name;
            if (p.trainable() && type != DType.F32) {
                skipped.add(path);
            } else {
                chosen.add(new Chosen(m, name, path, p));
            }
        }
        if (chosen.isEmpty() && type != DType.F32) {
            throw new GraftException("quantize: " + (skipped.isEmpty() ? "there is no linear layer here whose weight could"
                    + " be stored as " + type : "none of the " + skipped.size() + " linear weights is frozen, and only"
                    + " frozen ones can be stored as " + type + ": freeze them first, as in"
                    + " model.freeze(ParamSelector.ALL)"));
        }
        chosen.forEach(c -> check(c, type));        // all of them, before the first changes
        long before = 0;
        long after = 0;
        for (Chosen c : chosen) {
            before += bytes(c.parameter);
            store(c, type);
            after += bytes(c.parameter);
        }
        return new Quantization(type, chosen.stream().map(Chosen::path).toList(), List.copyOf(skipped), before, after);
    }

    private static void check(Chosen c, DType type) {
        if (type == DType.I8 && c.parameter.dtype() != DType.I8) {
            try (Scope s = Scope.open("quantize")) {
                float[] w = c.parameter.widened().toFloats();
                finite(most(w, 0, w.length), "a weight of " + c.path);
            }
        }
    }

    private static void store(Chosen c, DType type) {
        if (c.parameter.dtype() == type) {
            return;
        }
        boolean scaled = c.parameter.scale() != null;
        c.parameter.store(type, () -> type == DType.I8 ? c.module.addScale(c.name, c.parameter) : null);
        if (scaled) {
            c.module.removeScale(c.name);
        }
    }

    private static long bytes(Parameter p) {
        return p.size() * p.dtype().bytes() + (p.scale() == null ? 0 : 4L * p.shape().dim(0));
    }

    /** {@code wide} [O, I] as {@code type}, and for int8 the scale [O]: new handles that belong to no scope. */
    static Tensor[] narrow(Tensor wide, DType type) {
        if (type != DType.I8) {
            return new Tensor[] {wide.dtype() == type ? wide.retain() : Scope.persistent(() -> wide.cast(type))};
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
        float scale = finite(most(w, at, n), "a weight") / LARGEST;
        if (scale < Float.MIN_NORMAL) {
            return 1;       // all zero, or too small to tell
        }
        for (int i = at; i < at + n; i++) {
            q[i] = (byte) Math.clamp((long) Math.rint(w[i] / scale), -LARGEST, LARGEST);
        }
        return scale;
    }

    /** Refuses values that have no int8 value. */
    static void checkFinite(Tensor t) {
        float[] w = t.toFloats();
        finite(most(w, 0, w.length), "a weight");
    }

    /** The largest absolute value; NaN if there is one. */
    private static float most(float[] w, int at, int n) {
        float most = 0;
        for (int i = at; i < at + n; i++) {
            most = Math.max(most, Math.abs(w[i]));
        }
        return most;
    }

    private static float finite(float most, String what) {
        if (!Float.isFinite(most)) {
            throw new GraftException("quantize: " + what + " is " + (most != most ? "NaN" : "infinite")
                    + " and has no int8 value: check the weights that were loaded");
        }
        return most;
    }

    /** One sentence for a log or a terminal. */
    @Override
    public String toString() {
        return stored.size() + (stored.size() == 1 ? " linear weight is" : " linear weights are") + " stored as " + type
                + ": " + mib(before) + " became " + mib(after)
                + (skipped.isEmpty() ? "" : "; " + skipped.size()
                + (skipped.size() == 1 ? " trainable one" : " trainable ones") + " stayed float32: "
                + String.join(", ", skipped));
    }

    private static String mib(long bytes) {
        return String.format(java.util.Locale.ROOT, "%.1f MiB", bytes / 1048576.0);
    }
}
