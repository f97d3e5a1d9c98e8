/**
 * Labelled images and how they reach the training loop: {@link dev.graft.nn.data.Dataset} with its readers (folders, zip
 * files, arrays), {@link dev.graft.nn.data.DataSplit}, and {@link dev.graft.nn.data.DataLoader}, which decodes and augments
 * in worker threads and hands out the same batches for any number of them.
 */
package dev.graft.nn.data;
