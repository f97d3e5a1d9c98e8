/**
 * The {@code graft} command. {@link dev.graft.cli.Main} holds the command tree and turns failures into one sentence and
 * an exit code; each command is a thin class that reads its options and calls the engine. {@code report} writes the files
 * of a run, {@code demo} draws the demo's data.
 */
package dev.graft.cli;
