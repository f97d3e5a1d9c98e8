package dev.graft.nn.train;

import java.util.Map;

/**
 * How a model does on some data.
 *
 * @param loss     mean over the samples
 * @param accuracy share of samples whose class is right; NaN when the targets are no class indices
 * @param metrics  further metrics by name
 */
public record Evaluation(double loss, double accuracy, long samples, Map<String, Double> metrics, double seconds) {}
