package dev.graft.benchmarks.peers;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Seconds of processor time that the host of a virtual machine gave to others although this machine had work for it, since
 * it was started: the field {@code steal} of Linux' {@code /proc/stat} (proc(5)), in steps of 10 ms. 0 elsewhere.
 *
 * @param seconds    of all processors
 * @param processors how many those are: the machine's, also in a container that may use a few of them only
 * @param at         when they were read, by {@link System#nanoTime}
 */
public record StolenTime(double seconds, int processors, long at) {
    private static final Path STAT = Path.of("/proc/stat");
    private static final double TICK = 0.01;
    private static final int FIELD = 8;

    public static StolenTime now() {
        List<String> lines = List.of();
        try {
            lines = Files.isReadable(STAT) ? Files.readAllLines(STAT) : lines;
        } catch (IOException e) {
            // nothing is known: no measurement is repeated for it
        }
        return of(lines, System.nanoTime());
    }

    /** Of the lines of the file: the first, "cpu", has the sum of all processors; "cpu0" and so on are one each. */
    static StolenTime of(List<String> lines, long at) {
        String[] f = lines.isEmpty() ? new String[0] : lines.getFirst().trim().split("\\s+");
        double seconds = f.length > FIELD ? Double.parseDouble(f[FIELD]) * TICK : 0;
        return new StolenTime(seconds, (int) lines.stream().filter(l -> l.matches("cpu\\d+ .*")).count(), at);
    }

    /** The share of all processors' time between the two readings. */
    public double shareUntil(StolenTime later) {
        double span = (later.at - at) / 1e9 * processors;
        return span <= 0 ? 0 : (later.seconds - seconds) / span;
    }
}
