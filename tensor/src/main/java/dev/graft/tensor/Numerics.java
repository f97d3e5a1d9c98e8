package dev.graft.tensor;

/**
 * How exactly a device computes, bound to the call as training mode is. The CPU computes float32 as float32 and gives the
 * same bits in every run whatever is asked for.
 *
 * @param tf32          whether float32 products and convolutions may round their factors to TF32 (10 bits of mantissa), which is
 *                      what tensor cores take
 * @param deterministic whether only algorithms may be used that give the same bits in every run
 */
public record Numerics(boolean tf32, boolean deterministic) {
    /** Exact float32; the fastest algorithms, deterministic or not: PyTorch's defaults for products. */
    public static final Numerics DEFAULT = new Numerics(false, Boolean.getBoolean("graft.deterministic"));

    public Numerics withTf32(boolean on) {
        return new Numerics(on, deterministic);
    }

    public Numerics withDeterministic(boolean on) {
        return new Numerics(tf32, on);
    }
}
