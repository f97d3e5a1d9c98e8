/** Losses as values: records that turn a prediction and a target into one number, with PyTorch's formulas. */
package dev.graft.nn.loss;
