package dev.graft.benchmarks.compare;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Stream;

/** A process that is ended, with all that it started, when it says nothing for too long, or when this one ends. */
final class WatchedProcess {
    private static final Object END = new Object();
    /** From the last word of a process to its end. */
    private static final Duration ENDING = Duration.ofSeconds(20);

    /** How a process ended. */
    record Ending(int status, boolean silent, Duration patience) {
        boolean good() {
            return status == 0 && !silent;
        }

        /** Such as "was ended as it said nothing for 300 s". */
        @Override
        public String toString() {
            return silent ? "was ended as it said nothing for " + patience.toSeconds() + " s"
                    : status > 128 ? "was ended by signal " + (status - 128) : "ended with status " + status;
        }
    }

    private WatchedProcess() {}

    /** Runs {@code command} and hands on each line of its output; at most {@code patience} may pass without one. */
    static Ending run(ProcessBuilder command, Duration patience, Consumer<String> lines)
            throws IOException, InterruptedException {
        Process p = command.redirectErrorStream(true).start();
        Thread hook = new Thread(() -> kill(p));
        Runtime.getRuntime().addShutdownHook(hook);
        try {
            BlockingQueue<Object> said = new LinkedBlockingQueue<>();
            Thread.ofPlatform().daemon().start(() -> read(p, said));
            while (true) {
                Object next = said.poll(patience.toMillis(), TimeUnit.MILLISECONDS);
                switch (next) {
                    case null -> {
                        return new Ending(0, true, patience);
                    }
                    case String line -> lines.accept(line);
                    default -> {
                        boolean ended = p.waitFor(ENDING.toMillis(), TimeUnit.MILLISECONDS);
                        return new Ending(ended ? p.exitValue() : 0, !ended, ENDING);
                    }
                }
            }
        } finally {
            kill(p);
            try {
                Runtime.getRuntime().removeShutdownHook(hook);
            } catch (IllegalStateException e) {
                // this process is ending already, and the hook has run
            }
        }
    }

    private static void read(Process p, BlockingQueue<Object> into) {
        try (BufferedReader out = new BufferedReader(new InputStreamReader(p.getInputStream(), StandardCharsets.UTF_8))) {
            out.lines().forEach(into::add);
        } catch (IOException | UncheckedIOException e) {
            // what it said until now counts; its status tells the rest
        } finally {
            into.add(END);
        }
    }

    private static void kill(Process p) {
        // listed first: children of a dead process belong to another
        try (Stream<ProcessHandle> all = Stream.concat(p.descendants(), Stream.of(p.toHandle()))) {
            all.toList().forEach(ProcessHandle::destroyForcibly);
        }
    }
}
