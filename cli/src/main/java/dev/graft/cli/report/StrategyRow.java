package dev.graft.cli.report;

import java.util.List;

/**
 * One strategy of the demo's comparison.
 *
 * @param strategy            name
 * @param meaning             in a few words
 * @param accuracies          accuracy of each seed, 0 to 1
 * @param seconds             mean wall-clock time of one run
 * @param trainableParameters number of parameters trained at the end
 * @param history             of the first seed
 */
public record StrategyRow(
        String strategy,
        String meaning,
        List<Double> accuracies,
        double seconds,
        long trainableParameters,
        List<EpochRow> history) {
    public StrategyRow {
        accuracies = List.copyOf(accuracies);
        history = List.copyOf(history);
    }

    public double mean() {
        return accuracies.stream().mapToDouble(a -> a).average().orElse(Double.NaN);
    }

    public double lowest() {
        return accuracies.stream().mapToDouble(a -> a).min().orElse(Double.NaN);
    }

    public double highest() {
        return accuracies.stream().mapToDouble(a -> a).max().orElse(Double.NaN);
    }
}
