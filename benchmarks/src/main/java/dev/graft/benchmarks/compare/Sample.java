package dev.graft.benchmarks.compare;

import dev.graft.benchmarks.peers.Fingerprint;

/**
 * What one process measured of one work.
 *
 * @param value milliseconds (the median), or bytes
 * @param print of the result, null where there is none
 */
record Sample(double value, Fingerprint print) {}
