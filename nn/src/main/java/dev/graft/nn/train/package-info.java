/**
 * The training loop: {@link dev.graft.nn.train.Trainer} over {@link dev.graft.nn.train.Batches}, with validation, early
 * stopping, events, and {@link dev.graft.nn.train.TrainingCheckpoint}s from which a run goes on with the same bits.
 * Epochs and batches count from 0 everywhere.
 */
package dev.graft.nn.train;
