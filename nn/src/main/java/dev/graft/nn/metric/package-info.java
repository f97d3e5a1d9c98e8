/** Metrics that are fed batch by batch and give a record at the end. */
package dev.graft.nn.metric;
