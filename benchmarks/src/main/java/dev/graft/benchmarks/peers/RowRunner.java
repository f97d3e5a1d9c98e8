package dev.graft.benchmarks.peers;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * A process of one engine. It does what the lines of its input ask for, and nothing between, so that several can take turns
 * on one machine; tabs separate the words of a line. Arguments: {@code SECONDS LEAST-WARM MOST-WARM} of a {@link Stopwatch}.
 *
 * <pre>
 * asked           answered
 *                 engine  DESCRIPTION
 * prepare NAME    ready   NAME             the work was done once and warmed up
 * time NAME       row     NAME  MEDIAN-MS  FASTEST-MS  COUNT  FINGERPRINT
 * memory NAME     peak    NAME  BYTES      of this process after {@value #STEPS} steps, without warming up
 * drop            dropped                  all that was prepared
 * any             failed  NAME  WHY
 * </pre>
 */
public final class RowRunner {
    private static final int STEPS = 5;
    /** After so many an engine has what it keeps of weights that stay, and the result compared is of what will be timed. */
    private static final int USES = 3;

    private final Engine engine;
    private final Stopwatch watch;
    private final PrintStream out;
    private final Map<String, Ready> ready = new HashMap<>();

    private record Ready(Engine.Prepared work, Fingerprint print) {}

    RowRunner(Engine engine, Stopwatch watch, PrintStream out) {
        this.engine = engine;
        this.watch = watch;
        this.out = out;
    }

    public static void run(Engine engine, String... args) {
        Stopwatch watch = new Stopwatch(Double.parseDouble(args[0]), Double.parseDouble(args[1]),
                Double.parseDouble(args[2]));
        RowRunner runner = new RowRunner(engine, watch, System.out);
        runner.out.println("engine\t" + engine.describe());
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8)).lines().forEach(runner::answer);
    }

    void answer(String line) {
        String[] asked = line.split("\t");
        String name = asked.length > 1 ? asked[1] : "";
        try {
            switch (asked[0]) {
                case "prepare" -> prepare(name);
                case "time" -> time(name);
                case "memory" -> memory(name);
                case "drop" -> drop();
                default -> throw new IllegalArgumentException("no such question");
            }
        } catch (IOException | RuntimeException | LinkageError | OutOfMemoryError e) {
            out.println("failed\t" + name + "\t" + e.toString().replaceAll("\\s+", " "));
        }
        out.flush();
    }

    private void prepare(String name) {
        Work work = Works.byName(name);
        Engine.Prepared p = engine.prepare(work);
        for (int i = 0; i < USES && work.repeatable(); i++) {
            p.run();
        }
        Fingerprint print = Fingerprint.of(p.result());
        watch.warm(p::run);
        ready.put(name, new Ready(p, print));
        out.println("ready\t" + name);
    }

    private void time(String name) {
        Ready r = ready.get(name);
        if (r == null) {
            throw new IllegalStateException("not prepared");
        }
        Stopwatch.Times t = watch.time(r.work()::run);
        out.printf(Locale.ROOT, "row\t%s\t%.6f\t%.6f\t%d\t%s%n", name, t.median(), t.fastest(), t.count(), r.print().text());
    }

    private void memory(String name) throws IOException {
        try (Engine.Prepared p = engine.prepare(Works.byName(name))) {
            for (int i = 0; i < STEPS; i++) {
                p.run();
            }
            out.println("peak\t" + name + "\t" + peakBytes());
        }
    }

    private void drop() {
        List<Ready> all = List.copyOf(ready.values());
        ready.clear();
        all.forEach(r -> r.work().close());
        out.println("dropped\t");
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
