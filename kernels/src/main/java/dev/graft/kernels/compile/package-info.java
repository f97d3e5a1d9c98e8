/** Kernels as text, compiled for the exact chip where they run, kept in memory and on disk. */
package dev.graft.kernels.compile;
