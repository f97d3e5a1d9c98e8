/**
 * What {@code kernels/gpu-check} runs on a host with a GPU: a smoke test, the op catalogue, training beside the CPU, a leak
 * run, and the speed cases whose names PyTorch's side shares.
 */
package dev.graft.benchmarks.gpu;
