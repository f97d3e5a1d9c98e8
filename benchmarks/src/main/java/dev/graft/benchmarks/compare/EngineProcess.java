package dev.graft.benchmarks.compare;

import dev.graft.benchmarks.peers.Fingerprint;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.Set;

/**
 * An engine's process that does what it is asked for and is silent while another engine has its turn (the protocol is that
 * of {@link dev.graft.benchmarks.peers.RowRunner}). Should it end or fall silent before its time, the work it was at has
 * failed and is not tried again; another process does those that are left, and after two that ended so none is started.
 */
final class EngineProcess implements AutoCloseable {
    private static final int SHOWN = 5;
    private static final int MOST_FAILURES = 2;

    /** OpenMP's and OpenBLAS's threads spin for some milliseconds after their work: they are to be asleep by then. */
    private static final long SETTLING = 60;

    private final Side side;
    private final ProcessBuilder command;
    private final Duration patience;
    private final Measured into;
    private final Set<String> prepared = new HashSet<>();
    private final Set<String> refused = new HashSet<>();
    private WatchedProcess process;
    private int failures;
    private boolean begun;
    private String gaveUp;

    EngineProcess(Side side, ProcessBuilder command, Duration patience, Measured into) {
        this.side = side;
        this.command = command;
        this.patience = patience;
        this.into = into;
    }

    /** Makes {@code work} ready and warms it up. */
    void prepare(String work) throws IOException, InterruptedException {
        if (!prepared.contains(work) && ask("prepare", work, 0)) {
            prepared.add(work);
        }
    }

    /**
     * Measures a work that was prepared.
     *
     * @param turn of all turns of all rounds
     */
    void time(String work, int turn) throws IOException, InterruptedException {
        prepare(work);      // again, where another process has taken the place of the one that did
        if (prepared.contains(work)) {
            ask("time", work, turn);
        }
    }

    /** Measures how much memory the process takes for {@code work}. */
    void memory(String work, int round) throws IOException, InterruptedException {
        ask("memory", work, round);
    }

    /** Lets go of what was prepared. A process that does not manage that is ended, and no work is to blame. */
    void drop() throws InterruptedException {
        prepared.clear();
        if (process == null) {
            return;
        }
        process.say("drop");
        String line = process.next();
        while (line != null && !line.startsWith("dropped") && !line.startsWith("failed")) {
            line = process.next();
        }
        if (line == null || line.startsWith("failed")) {
            System.err.println(side.name() + ": " + (line == null ? "the process " + process.ending() : line)
                    + " when it was to let go of what it had prepared");
            close();
        }
    }

    /** Returns false when the work has failed. */
    private boolean ask(String what, String work, int turn) throws IOException, InterruptedException {
        if (side.broken().contains(work) || refused.contains(work)) {
            return false;
        }
        if (gaveUp != null) {
            fail(work, gaveUp);
            return false;
        }
        if (process != null && !process.alive()) {      // while others had their turn, for example for want of memory
            System.err.println(side.name() + ": the process ended between two turns");
            close();
            if (what.equals("time")) {
                prepare(work);
                if (!prepared.contains(work)) {
                    return false;
                }
            }
        }
        if (process == null) {
            process = new WatchedProcess(command, patience);
        }
        process.say(what + "\t" + work);
        Deque<String> last = new ArrayDeque<>();
        for (String line = process.next(); line != null; line = process.next()) {
            String[] f = line.split("\t");
            switch (f[0]) {
                case "engine" -> {
                    begun = true;
                    side.describes(f[1]);
                    continue;
                }
                case "ready" -> {
                    // nothing to keep
                }
                case "row" -> into.add(side.name(), turn, f[1],
                        new Sample(Double.parseDouble(f[2]), Fingerprint.parse(f[5])));
                case "peak" -> into.add(side.name(), turn, Compare.PEAK + f[1],
                        new Sample(Double.parseDouble(f[2]), null));
                case "failed" -> {      // the process goes on, and the next one tries again
                    into.failed(side.name(), f[1], f[2]);
                    prepared.remove(f[1]);
                    refused.add(f[1]);
                    return false;
                }
                default -> {        // a remark of some library
                    last.add(line);
                    if (last.size() > SHOWN) {
                        last.remove();
                    }
                    continue;
                }
            }
            Thread.sleep(SETTLING);
            return true;
        }
        String why = "the process " + process.ending() + " at " + work;
        System.err.println(side.name() + ": " + why + (last.isEmpty() ? "" : ":\n  " + String.join("\n  ", last)));
        fail(work, why);
        gaveUp = !begun || ++failures == MOST_FAILURES ? why : null;
        close();
        return false;
    }

    private void fail(String work, String why) {
        into.failed(side.name(), work, why);
        side.broken().add(work);
        prepared.remove(work);
    }

    @Override
    public void close() {
        prepared.clear();
        if (process != null) {
            process.close();
            process = null;
        }
    }
}
