/** Graft cli. */
package dev.graft.cli;
