/**
 * Graft's backend for NVIDIA GPUs, found through {@link java.util.ServiceLoader}. {@link dev.graft.kernels.CudaBackend}
 * takes ops and queues their work on the stream of a {@link dev.graft.kernels.CudaDevice}; {@code ops} has one class per op
 * family, {@code compile} turns the files of {@code src/main/cuda} into code for the exact chip, {@code memory} is the
 * caching allocator, {@code driver} holds the only callers of JCuda, {@code load} finds and loads the CUDA libraries.
 */
package dev.graft.kernels;
