/**
 * How parameters change: update rules ({@link dev.graft.nn.optim.Sgd}, {@link dev.graft.nn.optim.AdamW}, ...) that make
 * an {@link dev.graft.nn.optim.Optimizer} over {@link dev.graft.nn.optim.ParamGroup}s, learning-rate schedules,
 * regularizers and gradient clipping, all of them values that can be printed and saved as JSON.
 */
package dev.graft.nn.optim;
