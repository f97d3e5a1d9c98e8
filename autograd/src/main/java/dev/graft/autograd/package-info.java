/** Graft autograd. */
package dev.graft.autograd;
