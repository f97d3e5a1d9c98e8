package dev.graft.nn.optim;

/**
 * Where a run stands.
 *
 * @param step          optimizer steps done
 * @param totalSteps    of the whole run
 * @param stepsPerEpoch at least 1
 * @param reductions    how often a plateau has been found so far
 */
public record Progress(long step, long totalSteps, long stepsPerEpoch, int reductions) {
    public Progress(long step, long totalSteps, long stepsPerEpoch) {
        this(step, totalSteps, stepsPerEpoch, 0);
    }

    /** Whole epochs done. */
    public long epoch() {
        return step / Math.max(1, stepsPerEpoch);
    }

    Progress after(long steps) {
        return new Progress(step - steps, totalSteps - steps, stepsPerEpoch, reductions);
    }

    Progress withReductions(int n) {
        return new Progress(step, totalSteps, stepsPerEpoch, n);
    }
}
