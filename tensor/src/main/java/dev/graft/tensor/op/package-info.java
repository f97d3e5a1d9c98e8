/** The ops as values: static arguments and shape rules. One sealed family per file. */
package dev.graft.tensor.op;
