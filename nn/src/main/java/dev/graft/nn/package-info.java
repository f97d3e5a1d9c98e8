/**
 * Networks: {@link dev.graft.nn.Module} and its layers, losses, metrics, optimizers, schedules and the training loop.
 * Transfer learning is in {@code dev.graft.nn.transfer}, data loading in {@code dev.graft.nn.data}.
 */
package dev.graft.nn;
