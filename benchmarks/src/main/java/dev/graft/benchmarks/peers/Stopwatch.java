package dev.graft.benchmarks.peers;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * Times a call in milliseconds. To warm up it is repeated until windows of time stop getting faster (compilers, caches,
 * allocators and clocks have settled then), at least for {@code leastWarm} seconds. Then it is timed for {@code seconds}, as
 * often as wanted. On a virtual machine whose host took processor time away meanwhile ({@link StolenTime}) those seconds are
 * measured again, {@value #TRIES} times in all at most; the least disturbed count.
 */
public record Stopwatch(double seconds, double leastWarm, double mostWarm) {
    private static final int LEAST_WARM = 2;
    private static final int SETTLED = 3;
    private static final int TRIES = 2;
    private static final double DISTURBED = 0.02;

    /** Milliseconds: the median, the fastest, and how many were timed. */
    public record Times(double median, double fastest, int count) {
        static Times of(List<Double> each) {
            List<Double> sorted = new ArrayList<>(each);
            Collections.sort(sorted);
            int n = sorted.size();
            double median = n % 2 == 1 ? sorted.get(n / 2) : (sorted.get(n / 2 - 1) + sorted.get(n / 2)) / 2;
            return new Times(median, sorted.getFirst(), n);
        }
    }

    /** One call comes before those that count: another process may have had the caches and the processors until now. */
    public Times time(Runnable call) {
        call.run();
        Times best = null;
        double least = Double.POSITIVE_INFINITY;
        for (int i = 0; i < TRIES && least > DISTURBED; i++) {
            StolenTime before = StolenTime.now();
            Times t = window(call, seconds);
            double stolen = before.shareUntil(StolenTime.now());
            if (stolen < least) {
                best = t;
                least = stolen;
            }
        }
        return best;
    }

    /**
     * Whatever ran before does not count: its first call loads, allocates and compiles. Ends when {@value #SETTLED} windows
     * in a row were not 3 % faster than the best before.
     */
    public void warm(Runnable call) {
        long start = System.nanoTime();
        double best = Double.POSITIVE_INFINITY;
        int settled = 0;
        int calls = 0;
        while (true) {
            Times t = window(call, leastWarm / 5);
            calls += t.count();
            settled = t.median() < 0.97 * best ? 0 : settled + 1;
            best = Math.min(best, t.median());
            double spent = (System.nanoTime() - start) / 1e9;
            if (spent >= mostWarm && calls >= LEAST_WARM
                    || spent >= leastWarm && calls >= 2 * LEAST_WARM && settled >= SETTLED) {
                return;
            }
        }
    }

    private static Times window(Runnable call, double seconds) {
        List<Double> each = new ArrayList<>();
        long start = System.nanoTime();
        do {
            long a = System.nanoTime();
            call.run();
            each.add((System.nanoTime() - a) / 1e6);
        } while (System.nanoTime() - start < seconds * 1e9);
        return Times.of(each);
    }
}
