package dev.graft.kernels.ops;

/**
 * What was chosen for one convolution, for checks and reports.
 *
 * @param problem direction, sizes and type
 * @param choice  engine and algorithm
 * @param micros  of one run when it was timed, 0 when it was not
 * @param from    {@code timed}, {@code file} (timed by an earlier run) or {@code heuristics}
 */
public record ConvChoice(String problem, String choice, double micros, String from) {
    @Override
    public String toString() {
        return problem + " " + choice + (micros > 0 ? String.format(java.util.Locale.ROOT, " %.1f us", micros) : "") + " ("
                + from + ")";
    }
}
