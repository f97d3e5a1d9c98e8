/**
 * Transfer learning: a {@link dev.graft.nn.transfer.StagedNetwork} can have its head replaced and its prefix frozen; a
 * {@link dev.graft.nn.transfer.FineTunePlan} says, as a value, what is trained when and how; {@link
 * dev.graft.nn.transfer.FineTuning} carries it out.
 */
package dev.graft.nn.transfer;
