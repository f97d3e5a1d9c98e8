/**
 * The CPU backends and their kernels on raw {@code float[]} arrays with an offset.
 *
 * <p>Start at {@link dev.graft.tensor.cpu.WorkerPool} (how work reaches the cores), then {@code Gemm} and
 * {@code Convolution}. Every kernel cuts its work into chunks that do not depend on the number of threads and adds in a
 * fixed order, so results are the same bits on one and on many threads.
 */
package dev.graft.tensor.cpu;
