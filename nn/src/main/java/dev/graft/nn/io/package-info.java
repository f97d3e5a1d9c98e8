/** Files that are complete or not there: {@link dev.graft.nn.io.AtomicFile}, {@link dev.graft.nn.io.TensorFile}. */
package dev.graft.nn.io;
