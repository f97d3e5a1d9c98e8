package dev.graft.kernels.ops;

import dev.graft.kernels.CudaDevice;
import dev.graft.kernels.Scratch;
import dev.graft.kernels.driver.CudaException;
import dev.graft.kernels.driver.Driver;
import dev.graft.kernels.ops.ConvEngine.Candidate;
import dev.graft.tensor.GraftException;
import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.StringJoiner;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import jcuda.driver.CUevent;

/**
 * Finds the fastest way of computing each convolution: what the engines offer is run a few times on the real tensors the
 * first time a problem comes, and the winner is kept in memory and in a {@link TuningFile}. While a step is recorded, or
 * when the time for such trials is used up, the first candidate that works is taken, as the heuristics order them. A
 * candidate that fails, or needs more memory than allowed or there, is dropped.
 */
final class ConvTuner {
    private static final System.Logger LOG = System.getLogger(ConvTuner.class.getName());
    private static final int MOST_PLANS = 1024;
    private static final int MOST_RUNS = 10;
    private static final double ENOUGH_MILLIS = 1.5;
    private static final double HOPELESS = 2.5;

    /** Time that all devices of this process have spent on trials. */
    private static final AtomicLong SPENT = new AtomicLong();

    /**
     * @param problemMillis  time for the trials of one problem
     * @param processMillis  time for all trials of this process
     * @param workspaceBytes temporary memory that a convolution may use
     */
    record Limits(long problemMillis, long processMillis, long workspaceBytes) {
        /**
         * Properties {@code graft.cuda.tune.problem} and {@code graft.cuda.tune} (ms), {@code graft.cuda.workspace} (MiB).
         */
        static Limits ofProperties() {
            return new Limits(Long.getLong("graft.cuda.tune.problem", 2_000), Long.getLong("graft.cuda.tune", 120_000),
                    Long.getLong("graft.cuda.workspace", 1024) << 20);
        }
    }

    /** Where the tensors of one call lie. */
    record Addresses(long x, long w, long y, long bias, long residual) {}

    private static final class Chosen {
        final ConvPlan plan;
        final ConvChoice choice;
        boolean recorded;

        Chosen(ConvPlan plan, ConvChoice choice) {
            this.plan = plan;
            this.choice = choice;
        }
    }

    private final CudaDevice device;
    private final Function<ConvProblem, List<Candidate>> engines;
    private final TuningFile file;
    private final Limits limits;
    private final Map<ConvProblem, Chosen> chosen = new LinkedHashMap<>(64, 0.75f, true);
    private CUevent start;
    private CUevent end;

    /** @param engines all candidates of a problem, in the order in which they are worth trying */
    ConvTuner(CudaDevice device, Function<ConvProblem, List<Candidate>> engines, TuningFile file, Limits limits) {
        this.device = device;
        this.engines = engines;
        this.file = file;
        this.limits = limits;
    }

    void run(ConvProblem p, Addresses a) {
        Chosen c = chosen.get(p);
        if (c == null) {
            c = choose(p, a);                      // has run it
            chosen.put(p, c);
            evict();
        } else {
            run(c.plan, a);
        }
        c.recorded |= device.capturing();
    }

    /** What was chosen so far, the latest used last. */
    List<ConvChoice> choices() {
        return chosen.values().stream().map(c -> c.choice).toList();
    }

    private void run(ConvPlan plan, Addresses a) {
        try (Scratch s = device.scratch(plan.workspace())) {
            plan.run(a.x, a.w, a.y, a.bias, a.residual, s.address());
        }
    }

    // ------------------------------------------------------------------ choosing

    private Chosen choose(ConvProblem p, Addresses a) {
        List<Candidate> all = engines.apply(p);
        try {
            List<String> failures = new ArrayList<>();
            Chosen c = fromFile(p, a, all, failures);
            if (c == null && all.size() > 1 && !device.capturing() && SPENT.get() < limits.processMillis * 1_000_000) {
                c = fastest(p, a, all, failures);
            }
            if (c == null) {
                c = first(p, a, all, limits.workspaceBytes, failures);
            }
            if (c == null) {                       // rather too much memory than no result
                c = first(p, a, all, Long.MAX_VALUE, failures);
            }
            if (c == null) {
                throw new GraftException("nothing here computes " + p + ": " + String.join("; ", failures));
            }
            return c;
        } finally {
            all.forEach(Candidate::close);
        }
    }

    private Chosen fromFile(ConvProblem p, Addresses a, List<Candidate> all, List<String> failures) {
        TuningFile.Entry known = file.find(p.key());
        for (Candidate c : known == null ? List.<Candidate>of() : all) {
            if (c.name().equals(known.choice())) {
                ConvPlan plan = tryOnce(c, a, limits.workspaceBytes, failures);
                return plan == null ? null : new Chosen(plan, new ConvChoice(p.key(), c.name(), known.micros(), "file"));
            }
        }
        return null;
    }

    private Chosen first(ConvProblem p, Addresses a, List<Candidate> all, long mostBytes, List<String> failures) {
        for (Candidate c : all) {
            ConvPlan plan = tryOnce(c, a, mostBytes, failures);
            if (plan != null) {
                LOG.log(Level.DEBUG, "{0}: {1} by heuristics", p, c.name());
                return new Chosen(plan, new ConvChoice(p.key(), c.name(), 0, "heuristics"));
            }
        }
        return null;
    }

    /** Times candidates until the time is up. The result is that of the winner, which runs once more at the end. */
    private Chosen fastest(ConvProblem p, Addresses a, List<Candidate> all, List<String> failures) {
        long began = System.nanoTime();
        long until = began + limits.problemMillis * 1_000_000;
        StringJoiner times = new StringJoiner(", ");
        ConvPlan best = null;
        String name = null;
        double bestMillis = Double.MAX_VALUE;
        for (Candidate c : all) {
            if (best != null && System.nanoTime() > until) {
                times.add("no time for the rest");
                break;
            }
            ConvPlan plan = tryOnce(c, a, limits.workspaceBytes, failures);
            if (plan == null) {
                times.add(c.name() + " fails");
                continue;
            }
            double millis = time(plan, a, bestMillis, failures);
            times.add(c.name() + String.format(Locale.ROOT, " %.1f us", 1e3 * millis));
            if (millis < bestMillis) {
                close(best);
                best = plan;
                name = c.name();
                bestMillis = millis;
            } else {
                plan.close();
            }
        }
        SPENT.addAndGet(System.nanoTime() - began);
        LOG.log(Level.DEBUG, "{0}: {1}", p, times);
        if (best == null) {
            return null;
        }
        run(best, a);
        file.keep(p.key(), new TuningFile.Entry(name, 1e3 * bestMillis));
        return new Chosen(best, new ConvChoice(p.key(), name, 1e3 * bestMillis, "timed"));
    }

    /** A plan that has run, or null with the reason in {@code failures}. */
    private ConvPlan tryOnce(Candidate c, Addresses a, long mostBytes, List<String> failures) {
        ConvPlan plan = null;
        try {
            plan = c.make();
            if (plan.workspace() <= mostBytes) {
                run(plan, a);
                return plan;
            }
            failures.add(c.name() + " needs " + (plan.workspace() >> 20) + " MiB of workspace");
        } catch (CudaException e) {
            if (e.sticky()) {
                throw e;
            }
            failures.add(c.name() + ": " + e.getMessage());
        } catch (GraftException e) {
            failures.add(c.name() + ": " + e.getMessage());
        }
        close(plan);
        return null;
    }

    private static void close(ConvPlan plan) {
        if (plan != null) {
            plan.close();
        }
    }

    /** Milliseconds of one run of a plan that has run before; infinite when it fails. */
    private double time(ConvPlan plan, Addresses a, double best, List<String> failures) {
        if (start == null) {
            start = Driver.event(true);
            end = Driver.event(true);
        }
        try {
            double once = time(plan, a, 1);
            if (once > HOPELESS * best) {
                return once;
            }
            int runs = (int) Math.clamp(ENOUGH_MILLIS / Math.max(once, 1e-4), 2, MOST_RUNS);
            return Math.min(once, time(plan, a, runs) / runs);
        } catch (CudaException e) {
            if (e.sticky()) {
                throw e;
            }
            failures.add(e.getMessage());
            return Double.POSITIVE_INFINITY;
        }
    }

    private double time(ConvPlan plan, Addresses a, int runs) {
        Driver.record(start, device.cuStream());
        for (int i = 0; i < runs; i++) {
            run(plan, a);
        }
        Driver.record(end, device.cuStream());
        Driver.synchronize(end);
        return Driver.elapsed(start, end);
    }

    // ------------------------------------------------------------------ keeping

    /** A plan in a recorded step stays: its code may be loaded with it. */
    private void evict() {
        if (chosen.size() <= MOST_PLANS || device.capturing()) {
            return;
        }
        Driver.synchronize(device.cuStream());
        Iterator<Chosen> eldest = chosen.values().iterator();
        while (chosen.size() > MOST_PLANS && eldest.hasNext()) {
            Chosen c = eldest.next();
            if (!c.recorded) {
                c.plan.close();
                eldest.remove();
            }
        }
    }
}
