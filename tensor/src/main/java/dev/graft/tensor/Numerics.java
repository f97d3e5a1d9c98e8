package dev.graft.tensor;

/**
 * How exactly a device computes, bound to the call as training mode is. The CPU computes float32 as float32 and gives the
 * same bits in every run whatever is asked for; only {@code precise} concerns it.
 *
 * @param tf32          whether float32 products and convolutions may round their factors to TF32 (10 bits of mantissa),
 *                      which is what tensor cores take
 * @param deterministic whether only algorithms may be used that give the same bits in every run
 * @param precise       whether the CPU's convolutions have to sum products directly (error about 2e-7 of the result's norm)
 *                      instead of by Winograd's algorithm (about 2e-6) where that is faster
 */
public record Numerics(boolean tf32, boolean deterministic, boolean precise) {
    /** Exact float32; the fastest algorithms, deterministic or not: PyTorch's defaults for products. */
    public static final Numerics DEFAULT = new Numerics(false, Boolean.getBoolean("graft.deterministic"),
            Boolean.getBoolean("graft.precise"));

    public Numerics withTf32(boolean on) {
        return new Numerics(on, deterministic, precise);
    }

    public Numerics withDeterministic(boolean on) {
        return new Numerics(tf32, on, precise);
    }

    public Numerics withPrecise(boolean on) {
        return new Numerics(tf32, deterministic, on);
    }
}
