/** One class per family of ops: which kernel or library call computes each, and with what arguments. */
package dev.graft.kernels.ops;
