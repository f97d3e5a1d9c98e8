/** Graft benchmarks. */
package dev.graft.benchmarks;
