/** Graft kernels. */
package dev.graft.kernels;
