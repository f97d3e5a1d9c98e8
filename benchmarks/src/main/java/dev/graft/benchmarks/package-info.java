/**
 * JMH benchmarks of the hot paths. Every benchmark checks its result against the reference once per trial, so that a fast
 * wrong kernel is no result. {@code benchmarks/run} builds, runs and records them with their environment.
 */
package dev.graft.benchmarks;
