/** {@code graft bench --peers}: Graft's side of the comparison, and the driver that runs all sides in turn. */
package dev.graft.benchmarks.compare;
