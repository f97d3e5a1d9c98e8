/**
 * Reverse-mode differentiation. A {@link dev.graft.autograd.Tape} records the ops of a call; {@code GradientTable} holds
 * one rule per op, written in public ops, so gradients run on every device and can be differentiated again;
 * {@link dev.graft.autograd.Checkpoint} trades time for memory; {@link dev.graft.autograd.GradCheck} compares any function's
 * gradient with central differences.
 */
package dev.graft.autograd;
