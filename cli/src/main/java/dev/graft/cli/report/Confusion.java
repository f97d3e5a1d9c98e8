package dev.graft.cli.report;

import dev.graft.tensor.GraftException;
import java.util.List;

/**
 * Confusion matrix.
 *
 * @param classes names
 * @param counts  {@code counts[actual][predicted]}: number of images
 */
public record Confusion(List<String> classes, int[][] counts) {
    public Confusion {
        classes = List.copyOf(classes);
        int n = classes.size();
        boolean square = counts.length == n;
        for (int[] row : counts) {
            square &= row.length == n;
        }
        if (!square) {
            throw new GraftException("a confusion matrix of " + n + " classes needs " + n + " rows of " + n + " counts");
        }
    }

    int total(int actual) {
        int sum = 0;
        for (int c : counts[actual]) {
            sum += c;
        }
        return sum;
    }
}
