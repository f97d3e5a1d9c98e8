package dev.graft.benchmarks.compare;

import dev.graft.benchmarks.peers.Fingerprint;
import dev.graft.benchmarks.peers.Row;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * The samples of all turns of all rounds, and what follows from them for a row: ratios are taken within a turn, in which the
 * processes were measured one after the other, and the median of these counts.
 */
final class Measured {
    /** Largest difference of results, see {@link Fingerprint#difference}. */
    static final double TOLERANCE = 1e-3;

    private final Map<String, Map<String, Sample>> samples = new HashMap<>();
    private final Map<String, String> failures = new HashMap<>();

    /**
     * @param ours      median over the turns, in the row's unit
     * @param theirs    the same of the peer
     * @param ratios    peer's / ours of each turn that has both
     * @param ratio     their median
     * @param same      whether results agree; null where they are not compared
     * @param problem   why there are no numbers, or null
     */
    record Line(Row row, double ours, double theirs, double[] ratios, double ratio, Boolean same, String problem) {
        boolean reached() {
            return problem == null && ratio >= row.bar() && !Boolean.FALSE.equals(same);
        }

        double least() {
            return Arrays.stream(ratios).min().orElse(Double.NaN);
        }

        double most() {
            return Arrays.stream(ratios).max().orElse(Double.NaN);
        }
    }

    void add(String engine, int turn, String work, Sample s) {
        samples.computeIfAbsent(engine + " " + turn, k -> new HashMap<>()).put(work, s);
    }

    void failed(String engine, String work, String why) {
        failures.putIfAbsent(engine + " " + work, why);
    }

    Sample sample(String engine, int turn, String work) {
        return samples.getOrDefault(engine + " " + turn, Map.of()).get(work);
    }

    Line line(Row row, String ours, String theirs, int turns) {
        List<Double> a = new ArrayList<>();
        List<Double> b = new ArrayList<>();
        Boolean same = null;
        for (int r = 0; r < turns; r++) {
            double x = sum(ours, r, row.ours());
            double y = sum(theirs, r, row.theirs());
            if (Double.isNaN(x) || Double.isNaN(y)) {
                continue;
            }
            a.add(x);
            b.add(y);
            if (row.exact()) {
                Fingerprint p = sample(ours, r, row.ours().getLast()).print();
                Fingerprint q = sample(theirs, r, row.theirs().getLast()).print();
                same = !Boolean.FALSE.equals(same) && p.difference(q) <= TOLERANCE;
            }
        }
        double[] ratios = new double[a.size()];
        for (int i = 0; i < ratios.length; i++) {
            ratios[i] = b.get(i) / a.get(i);
        }
        return new Line(row, median(a), median(b), ratios, median(Arrays.stream(ratios).boxed().toList()), same,
                ratios.length > 0 ? null : problem(row, ours, theirs));
    }

    /** NaN when one is missing. */
    private double sum(String engine, int turn, List<String> works) {
        double sum = 0;
        for (String w : works) {
            Sample s = sample(engine, turn, w);
            sum += s == null ? Double.NaN : s.value();
        }
        return sum;
    }

    private String problem(Row row, String ours, String theirs) {
        String why = problem(ours, row.ours());
        why = why != null ? why : problem(theirs, row.theirs());
        return why != null ? why : "not measured";
    }

    private String problem(String engine, List<String> works) {
        return works.stream().map(w -> failures.get(engine + " " + w.replaceFirst("^" + Compare.PEAK, "")))
                .filter(Objects::nonNull).findFirst().map(why -> engine + ": " + why).orElse(null);
    }

    static double median(List<Double> values) {
        double[] v = values.stream().mapToDouble(Double::doubleValue).sorted().toArray();
        int n = v.length;
        return n == 0 ? Double.NaN : n % 2 == 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
    }
}
