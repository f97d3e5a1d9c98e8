/** Naive loops in double precision: readable definitions of every op, and the oracle of every fast kernel. */
package dev.graft.tensor.reference;
