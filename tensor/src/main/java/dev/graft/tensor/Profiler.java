package dev.graft.tensor;

import dev.graft.tensor.backend.Backend;
import dev.graft.tensor.backend.Backends;
import dev.graft.tensor.backend.Mark;
import dev.graft.tensor.op.CreateOp;
import dev.graft.tensor.op.FusedOp;
import dev.graft.tensor.op.LayoutOp;
import dev.graft.tensor.op.Op;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * Measures how long each op takes on its device, by marks in the order of the device's work: the host does not wait for an
 * op to end. Ops of a backward pass count for the module whose forward pass they undo. Steps are not recorded as graphs
 * meanwhile, because a graph has no ops to measure. {@value #WAIT} is the time in which a device had nothing to work on
 * because its next batch was not there yet; ops that make the batch, such as the gathering of rows, count as themselves.
 *
 * <pre>{@code
 * Profiler p = new Profiler();
 * Context.current().with(p).run(() -> trainer.fit(train, validation));
 * System.out.print(p.byOp().table(20));
 * p.writeTrace(Path.of("trace.json"));        // for chrome://tracing or ui.perfetto.dev
 * }</pre>
 *
 * One profiler may serve several threads.
 */
public final class Profiler implements Interceptor {
    /** Marks that wait for their time at most: a device has only so many. */
    private static final int PENDING = 512;
    /** Events of the trace; what comes later is in the tables only. */
    private static final int TRACED = 200_000;

    /** The name under which waiting stands in both tables and in the trace. */
    public static final String WAIT = "wait for data";

    private final Map<Device, Line> lines = new HashMap<>();
    private final List<Event> events = new ArrayList<>();
    private final Map<String, Sum> ops = new LinkedHashMap<>();
    private final Map<String, Sum> modules = new LinkedHashMap<>();

    /** A device's work, in its order. */
    private static final class Line {
        private final List<Open> pending = new ArrayList<>();
        private final Map<Thread, Wait> waiting = new HashMap<>();
        private Mark base;
        private double baseMicros;
    }

    /** @param calls 0 for what goes on with a wait behind an op */
    private record Open(String op, String path, String inputs, int calls, Mark begin, Mark end) {}

    /** A thread's wait since an op in it, with 0 calls, or since its beginning. */
    private record Wait(Mark since, int calls) {
        Open until(Mark end) {
            return new Open(WAIT, WAIT, "", calls, since, end);
        }
    }

    private record Event(String op, String path, String inputs, Device device, double start, double micros) {}

    private static final class Sum {
        private long calls;
        private double micros;
    }

    /**
     * Times by op, or by module.
     *
     * @param what {@code op} or {@code module}
     * @param rows the slowest first
     */
    public record Times(String what, List<Row> rows) {
        /** @param share of the time of all rows */
        public record Row(String name, long calls, double micros, double share) {}

        /** The sum of all rows. */
        public double micros() {
            return rows.stream().mapToDouble(Row::micros).sum();
        }

        /** The first {@code n} rows, that of waiting wherever it stands, and the sum of the others, one a line. */
        public String table(int n) {
            List<Row> shown = new ArrayList<>(rows.subList(0, Math.min(n, rows.size())));
            List<Row> rest = new ArrayList<>(rows.subList(shown.size(), rows.size()));
            rest.removeIf(r -> r.name().equals(WAIT) && shown.add(r));
            int width = Math.max(what.length(), shown.stream().mapToInt(r -> r.name().length()).max().orElse(0));
            StringBuilder s = new StringBuilder();
            s.append(line(width, what, "calls", "ms", "us/call", "share"));
            shown.forEach(r -> s.append(line(width, r.name(), "" + r.calls(), number(r.micros() / 1e3),
                    number(r.micros() / r.calls()), number(100 * r.share()) + " %")));
            if (!rest.isEmpty()) {
                double micros = rest.stream().mapToDouble(Row::micros).sum();
                s.append(line(width, rest.size() + " more", "" + rest.stream().mapToLong(Row::calls).sum(),
                        number(micros / 1e3), "", number(100 * rest.stream().mapToDouble(Row::share).sum()) + " %"));
            }
            return s.toString();
        }

        private static String number(double v) {
            return String.format(Locale.ROOT, "%.1f", v);
        }

        private static String line(int width, String name, String... columns) {
            StringBuilder s = new StringBuilder(name).append(" ".repeat(Math.max(0, width - name.length())));
            for (String c : columns) {
                s.append(" ".repeat(Math.max(1, 11 - c.length()))).append(c);
            }
            return s.append('\n').toString();
        }
    }

    @Override
    public Tensor[] intercept(Op op, Tensor[] in, Next next) {
        Device device = op instanceof CreateOp c ? c.device() : in[0].device();
        Backend backend = Backends.of(device);
        if (op instanceof LayoutOp.Reshape || op instanceof FusedOp f && !backend.supports(f)) {
            return next.run(op, in);            // no work, or work that comes by here in parts
        }
        Mark begin = begin(device, backend);
        Tensor[] out = next.run(op, in);
        end(op.name(), inputs(in), device, begin, backend.mark());
        return out;
    }

    @Override
    public void update(String name, Device device, Runnable change) {
        Backend backend = Backends.of(device);
        Mark begin = begin(device, backend);
        change.run();
        end(name, "", device, begin, backend.mark());
    }

    @Override
    public <T> T waiting(Device device, Supplier<T> get) {
        Backend backend = Backends.of(device);
        boolean mine = beginWait(device, backend);
        try {
            return get.get();
        } finally {
            if (mine) {
                endWait(device, backend);
            }
        }
    }

    /** False inside of another wait. */
    private synchronized boolean beginWait(Device device, Backend backend) {
        Line line = lines.get(device);
        if (line != null && line.waiting.containsKey(Thread.currentThread())) {
            return false;
        }
        Mark begin = begin(device, backend);
        lines.get(device).waiting.put(Thread.currentThread(), new Wait(begin, 1));
        return true;
    }

    private synchronized void endWait(Device device, Backend backend) {
        Line line = lines.get(device);
        add(device, line, line.waiting.remove(Thread.currentThread()).until(backend.mark()));
    }

    private synchronized Mark begin(Device device, Backend backend) {
        Line line = lines.computeIfAbsent(device, d -> new Line());
        Mark m = backend.mark();
        if (line.base == null) {
            line.base = m;
        }
        Wait wait = line.waiting.get(Thread.currentThread());
        if (wait != null) {
            line.pending.add(wait.until(m));
            line.waiting.put(Thread.currentThread(), new Wait(m, 0));      // an op that fails has no end
        }
        return m;
    }

    private synchronized void end(String op, String inputs, Device device, Mark begin, Mark end) {
        Line line = lines.get(device);
        line.waiting.computeIfPresent(Thread.currentThread(), (t, w) -> new Wait(end, 0));
        add(device, line, new Open(op, Context.current().path(), inputs, 1, begin, end));
    }

    private void add(Device device, Line line, Open open) {
        line.pending.add(open);
        if (line.pending.size() >= PENDING) {
            settle(device, line);
        }
    }

    private static String inputs(Tensor[] in) {
        StringBuilder s = new StringBuilder();
        for (Tensor t : in) {
            s.append(s.isEmpty() ? "" : ", ").append(t.spec());
        }
        return s.toString();
    }

    /** Asks for the times of what has been marked. */
    private void settle(Device device, Line line) {
        Mark last = null;
        for (Open o : line.pending) {
            double micros = o.begin.microsTo(o.end);
            add(ops, o.op, o.calls, micros);
            add(modules, o.path.isEmpty() ? "(none)" : o.path, o.calls, micros);
            if (events.size() < TRACED) {
                events.add(new Event(o.op, o.path, o.inputs, device, line.baseMicros + line.base.microsTo(o.begin), micros));
            }
            last = o.begin;
        }
        if (last != null) {
            line.baseMicros += line.base.microsTo(last);
            line.base = last;
        }
        line.pending.clear();
    }

    private static void add(Map<String, Sum> to, String name, int calls, double micros) {
        Sum s = to.computeIfAbsent(name, n -> new Sum());
        s.calls += calls;
        s.micros += micros;
    }

    private synchronized void settle() {
        lines.forEach(this::settle);
    }

    /** Times by op. */
    public Times byOp() {
        return times("op", ops);
    }

    /** Times by the path of the module that was running. */
    public Times byModule() {
        return times("module", modules);
    }

    private synchronized Times times(String what, Map<String, Sum> sums) {
        settle();
        double all = sums.values().stream().mapToDouble(s -> s.micros).sum();
        return new Times(what, sums.entrySet().stream()
                .map(e -> new Times.Row(e.getKey(), e.getValue().calls, e.getValue().micros, e.getValue().micros / all))
                .sorted((a, b) -> Double.compare(b.micros(), a.micros())).toList());
    }

    /** Writes what was measured in Chrome's trace format: a row for each device. */
    public synchronized void writeTrace(Path file) {
        settle();
        List<Device> devices = new ArrayList<>(lines.keySet());
        StringBuilder s = new StringBuilder("{\"displayTimeUnit\": \"ms\", \"traceEvents\": [\n");
        Function<Device, Integer> row = devices::indexOf;
        for (Device d : devices) {
            s.append("{\"name\": \"thread_name\", \"ph\": \"M\", \"pid\": 1, \"tid\": ").append(row.apply(d))
                    .append(", \"args\": {\"name\": ").append(quoted(d.toString())).append("}},\n");
        }
        for (Event e : events) {
            s.append(String.format(Locale.ROOT,
                    "{\"ph\": \"X\", \"pid\": 1, \"tid\": %d, \"ts\": %.3f, \"dur\": %.3f, \"name\": %s,"
                    + " \"args\": {\"module\": %s, \"inputs\": %s}},%n", row.apply(e.device), e.start, e.micros,
                    quoted(e.op), quoted(e.path), quoted(e.inputs)));
        }
        s.append("{\"name\": \"process_name\", \"ph\": \"M\", \"pid\": 1, \"args\": {\"name\": \"Graft\"}}\n]}\n");
        try {
            Files.writeString(file, s, StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String quoted(String text) {
        StringBuilder s = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') {
                s.append('\\').append(c);
            } else if (c < ' ') {
                s.append(String.format(Locale.ROOT, "\\u%04x", (int) c));
            } else {
                s.append(c);
            }
        }
        return s.append('"').toString();
    }
}
