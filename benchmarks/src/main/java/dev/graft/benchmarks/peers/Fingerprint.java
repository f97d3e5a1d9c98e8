package dev.graft.benchmarks.peers;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * What is kept of a result to compare it with another engine's: its sum, the sum of its absolute values, and values at
 * fixed places.
 */
public record Fingerprint(long count, double sum, double absolutes, double[] samples) {
    private static final int SAMPLES = 256;

    public static Fingerprint of(float[] values) {
        double sum = 0;
        double absolutes = 0;
        for (float v : values) {
            sum += v;
            absolutes += Math.abs(v);
        }
        int n = Math.min(SAMPLES, values.length);
        double[] samples = new double[n];
        for (int i = 0; i < n; i++) {
            samples[i] = values[(int) ((2L * i + 1) * values.length / (2L * n))];
        }
        return new Fingerprint(values.length, sum, absolutes, samples);
    }

    /**
     * The largest difference as a share of the results' size: of the sums, of the sum of absolutes; of a sample, of the
     * mean absolute value (or of the sample itself where that is larger). Infinite where results cannot be compared.
     */
    public double difference(Fingerprint o) {
        if (count != o.count || samples.length != o.samples.length) {
            return Double.POSITIVE_INFINITY;
        }
        double size = Math.max(absolutes, o.absolutes);
        if (!(size > 0)) {
            return size == 0 ? 0 : Double.POSITIVE_INFINITY;
        }
        double worst = Math.max(Math.abs(sum - o.sum), Math.abs(absolutes - o.absolutes)) / size;
        for (int i = 0; i < samples.length; i++) {
            double scale = Math.max(size / count, Math.abs(samples[i]));
            worst = Math.max(worst, Math.abs(samples[i] - o.samples[i]) / scale);
        }
        return Double.isNaN(worst) ? Double.POSITIVE_INFINITY : worst;
    }

    /** One word, read by {@link #parse}. */
    public String text() {
        return count + ";" + sum + ";" + absolutes + ";"
                + Arrays.stream(samples).mapToObj(s -> String.format(Locale.ROOT, "%.9g", s))
                .collect(Collectors.joining(";"));
    }

    public static Fingerprint parse(String text) {
        String[] parts = text.split(";");
        double[] samples = new double[parts.length - 3];
        for (int i = 0; i < samples.length; i++) {
            samples[i] = Double.parseDouble(parts[i + 3]);
        }
        return new Fingerprint(Long.parseLong(parts[0]), Double.parseDouble(parts[1]), Double.parseDouble(parts[2]),
                samples);
    }
}
