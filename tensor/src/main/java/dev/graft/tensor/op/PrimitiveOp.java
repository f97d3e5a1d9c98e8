package dev.graft.tensor.op;

/** An op that every backend computes and that has a rule in the gradient table. */
public sealed interface PrimitiveOp extends Op
        permits ElementwiseOp, ReduceOp, LayoutOp, IndexOp, MatMul, StoredLinearOp, ConvOp, PoolOp, NormOp, LossOp,
        AttentionOp, ResizeOp, CreateOp {}
