package dev.graft.tensor.op;

/** What a reduction does with the elements along its axes. MEAN, MAX and MIN of no elements is an error; SUM is 0. */
public enum ReduceFn { SUM, MEAN, MAX, MIN }
