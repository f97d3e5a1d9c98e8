/**
 * JMH benchmarks of the hot paths. Those of ops check their results against the reference once per trial, so that a fast
 * wrong kernel is no result. {@code benchmarks/run} builds, runs and records them with their environment.
 */
package dev.graft.benchmarks;
