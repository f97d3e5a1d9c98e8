package dev.graft.tensor.cpu;

/**
 * Whether kernels may use the Vector API. As for products and convolutions: see {@link CpuFeatures}.
 */
final class Simd {
    static final boolean ENABLED = CpuFeatures.simd();

    private Simd() {}
}
