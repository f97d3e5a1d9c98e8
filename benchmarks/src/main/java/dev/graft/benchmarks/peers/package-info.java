/**
 * What is compared with other engines, without any engine: the works and their inputs, the table's rows, and how a process
 * times them. Graft's side is in {@link dev.graft.benchmarks.compare}, the others' are modules under
 * {@code benchmarks/peers}, which see this package and the JDK only.
 */
package dev.graft.benchmarks.peers;
