/** Graft nn. */
package dev.graft.nn;
