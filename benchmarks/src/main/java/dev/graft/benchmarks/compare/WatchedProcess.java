package dev.graft.benchmarks.compare;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Stream;

/** A process that is ended, with all that it started, when it says nothing for too long, or when this one ends. */
final class WatchedProcess implements AutoCloseable {
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

    private final Process process;
    private final Thread hook;
    private final Duration patience;
    private final BlockingQueue<Object> said = new LinkedBlockingQueue<>();
    private Ending ending;

    /** @param patience how long it may say nothing while it is listened to */
    WatchedProcess(ProcessBuilder command, Duration patience) throws IOException {
        this.patience = patience;
        process = command.redirectErrorStream(true).start();
        hook = new Thread(() -> kill(process));
        Runtime.getRuntime().addShutdownHook(hook);
        Thread.ofPlatform().daemon().start(this::read);
    }

    /** Runs {@code command} and hands on each line of its output. */
    static Ending run(ProcessBuilder command, Duration patience, Consumer<String> lines)
            throws IOException, InterruptedException {
        try (WatchedProcess p = new WatchedProcess(command, patience)) {
            for (String line = p.next(); line != null; line = p.next()) {
                lines.accept(line);
            }
            return p.ending();
        }
    }

    /** Writes a line to its input. One that has ended does not hear it; {@link #next} tells. */
    void say(String line) {
        try {
            OutputStream in = process.getOutputStream();
            in.write((line + "\n").getBytes(StandardCharsets.UTF_8));
            in.flush();
        } catch (IOException e) {
            // its end is what next() finds
        }
    }

    /** The next line of its output; null when it has ended, or said nothing for too long: {@link #ending} tells. */
    String next() throws InterruptedException {
        if (ending != null) {
            return null;
        }
        Object next = said.poll(patience.toMillis(), TimeUnit.MILLISECONDS);
        if (next instanceof String line) {
            return line;
        }
        if (next == null) {
            ending = new Ending(0, true, patience);
        } else {
            boolean ended = process.waitFor(ENDING.toMillis(), TimeUnit.MILLISECONDS);
            ending = new Ending(ended ? process.exitValue() : 0, !ended, ENDING);
        }
        return null;
    }

    /** Whether it runs still, as far as the system knows. */
    boolean alive() {
        return process.isAlive();
    }

    /** Null while it is alive. */
    Ending ending() {
        return ending;
    }

    /** Ends it, whatever it does, and waits until its memory is free again. */
    @Override
    public void close() {
        kill(process);
        try {
            process.waitFor(ENDING.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // this process is ending already, and the hook has run
        }
    }

    private void read() {
        try (BufferedReader out = new BufferedReader(
                new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            out.lines().forEach(said::add);
        } catch (IOException | UncheckedIOException e) {
            // what it said until now counts; its status tells the rest
        } finally {
            said.add(END);
        }
    }

    private static void kill(Process p) {
        // listed first: children of a dead process belong to another
        try (Stream<ProcessHandle> all = Stream.concat(p.descendants(), Stream.of(p.toHandle()))) {
            all.toList().forEach(ProcessHandle::destroyForcibly);
        }
    }
}
