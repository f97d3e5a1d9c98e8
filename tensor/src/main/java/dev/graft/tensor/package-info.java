/** Graft tensor. */
package dev.graft.tensor;
