package dev.graft.benchmarks.peers;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Seconds of processor time that the host of a virtual machine gave to others although this machine had work for it, since
 * it was started: the field {@code steal} of Linux' {@code /proc/stat} (proc(5)), in steps of 10 ms. 0 elsewhere.
 *
 * @param seconds of all processors
 * @param at      when they were read, by {@link System#nanoTime}
 */
public record StolenTime(double seconds, long at) {
    private static final Path STAT = Path.of("/proc/stat");
    private static final double TICK = 0.01;
    private static final int FIELD = 8;

    public static StolenTime now() {
        return new StolenTime(Files.isReadable(STAT) ? read() : 0, System.nanoTime());
    }

    private static double read() {
        try (var lines = Files.newBufferedReader(STAT)) {
            return of(lines.readLine());
        } catch (IOException e) {
            return 0;                   // nothing is known: no measurement is repeated for it
        }
    }

    /** Of the first line of the file, all processors' sum. */
    static double of(String line) {
        String[] f = line.trim().split("\\s+");
        return f.length > FIELD ? Double.parseDouble(f[FIELD]) * TICK : 0;
    }

    /** The share of all processors' time between the two readings. */
    public double shareUntil(StolenTime later) {
        double span = (later.at - at) / 1e9 * Runtime.getRuntime().availableProcessors();
        return span <= 0 ? 0 : (later.seconds - seconds) / span;
    }
}
