package dev.graft.benchmarks.peers;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/**
 * A process of one engine: it does the works that its arguments name, one after the other, and prints a line for each, with
 * tabs between. Arguments: {@code time SECONDS LEAST-WARM MOST-WARM NAME...}, or {@code memory STEPS NAME}.
 *
 * <pre>
 * engine   DESCRIPTION
 * row      NAME  MEDIAN-MS  FASTEST-MS  COUNT  FINGERPRINT
 * peak     NAME  BYTES
 * failed   NAME  WHY
 * </pre>
 */
public final class RowRunner {
    private RowRunner() {}

    public static void run(Engine engine, String... args) {
        PrintStream out = System.out;
        out.println("engine\t" + engine.describe());
        if (args[0].equals("memory")) {
            memory(engine, Integer.parseInt(args[1]), args[2], out);
            return;
        }
        Stopwatch watch = new Stopwatch(Double.parseDouble(args[1]), Double.parseDouble(args[2]),
                Double.parseDouble(args[3]));
        for (String name : List.of(args).subList(4, args.length)) {
            try (Engine.Prepared p = engine.prepare(Works.byName(name))) {
                float[] result = p.result();
                Fingerprint print = Fingerprint.of(result);
                Stopwatch.Times t = watch.time(p::run);
                out.printf(Locale.ROOT, "row\t%s\t%.6f\t%.6f\t%d\t%s%n", name, t.median(), t.fastest(), t.count(),
                        print.text());
            } catch (RuntimeException | LinkageError | OutOfMemoryError e) {
                out.println("failed\t" + name + "\t" + e.toString().replaceAll("\\s+", " "));
            }
            out.flush();
        }
    }

    private static void memory(Engine engine, int steps, String name, PrintStream out) {
        try (Engine.Prepared p = engine.prepare(Works.byName(name))) {
            for (int i = 0; i < steps; i++) {
                p.run();
            }
            out.println("peak\t" + name + "\t" + peakBytes());
        } catch (IOException | RuntimeException | LinkageError | OutOfMemoryError e) {
            out.println("failed\t" + name + "\t" + e.toString().replaceAll("\\s+", " "));
        }
    }

    /** The most memory that this process had resident, as Linux counts it. */
    private static long peakBytes() throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.startsWith("VmHWM")) {
                return 1024 * Long.parseLong(line.replaceAll("[^0-9]", ""));
            }
        }
        throw new IOException("/proc/self/status does not tell the peak memory");
    }
}
