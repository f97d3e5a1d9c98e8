/**
 * Tensors, their memory, and the way of an op: {@link dev.graft.tensor.Tensor} calls {@link dev.graft.tensor.Dispatcher},
 * which runs the {@link dev.graft.tensor.op.Op} on the {@link dev.graft.tensor.backend.Backend} of the inputs' device.
 * {@link dev.graft.tensor.Scope} says how long tensors live, {@link dev.graft.tensor.Context} what holds for a call.
 */
package dev.graft.tensor;
