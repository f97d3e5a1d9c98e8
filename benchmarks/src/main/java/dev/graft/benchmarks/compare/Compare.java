package dev.graft.benchmarks.compare;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.graft.benchmarks.Environment;
import dev.graft.benchmarks.peers.Row;
import dev.graft.benchmarks.peers.Rows;
import dev.graft.benchmarks.peers.Rows.Peer;
import dev.graft.benchmarks.peers.Work;
import dev.graft.benchmarks.peers.Works;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;

/**
 * {@code graft bench --peers}: for every group of rows, and in every round, a process of Graft and one of each peer that
 * take turns. Property {@code bench.home} is the folder of the benchmarks module, {@code bench.flags} holds the JVM flags of
 * Graft's processes, {@code bench.commit} says what is measured.
 */
final class Compare {
    static final String PEAK = "peak of ";
    private static final String PREDICT = "predict";
    private static final String MEMORY = "memory";
    private static final int PREDICT_STARTS = 3;
    private static final String DJL_PREDICT = "dev.graft.benchmarks.peers.djl.DjlPredict";

    private final Options options;
    private final Path home;
    private final Side ours;
    private final Map<Peer, Side> peers = new LinkedHashMap<>();
    private final Map<Peer, List<Row>> rows = new LinkedHashMap<>();
    private final Measured measured = new Measured();

    private Compare(Options options, Path home) throws IOException {
        this.options = options;
        this.home = home;
        ours = Side.ours(options.threads(), options.avx2());
        for (Peer p : options.peers()) {
            List<Row> wanted = Rows.of(p, options.all()).stream()
                    .filter(r -> options.only().matcher(r.name()).find())
                    .filter(r -> !options.avx2() || r.kind() != Row.Kind.MEMORY)    // it is the same
                    .toList();
            if (!wanted.isEmpty()) {
                peers.put(p, Side.of(p, home.resolve("peers"), options.threads(), options.avx2()));
                rows.put(p, wanted);
            }
        }
    }

    public static void main(String[] args) throws IOException, InterruptedException {
        List<String> given = new ArrayList<>(List.of(args));
        if (given.contains("--help") || given.contains("-h")) {
            System.out.print(Options.USAGE);
            return;
        }
        boolean list = given.remove("--list");
        Options options;
        try {
            options = Options.parse(given.toArray(String[]::new));
        } catch (IllegalArgumentException e) {
            System.err.println("graft bench: " + e.getMessage());
            System.err.print(Options.USAGE);
            System.exit(2);
            return;
        }
        if (list) {
            options.peers().stream().flatMap(p -> Rows.of(p, options.all()).stream()).map(Row::name).distinct()
                    .filter(n -> options.only().matcher(n).find()).forEach(System.out::println);
            return;
        }
        Compare c = new Compare(options, Path.of(System.getProperty("bench.home")));
        if (c.rows.isEmpty()) {
            System.err.println("graft bench: no row's name holds '" + options.only() + "'; --list shows them");
            System.exit(2);
        }
        c.run();
    }

    private void run() throws IOException, InterruptedException {
        ObjectNode environment = Environment.of(System.getProperty("bench.commit", "unknown"));
        CpuTime before = CpuTime.now();
        long start = System.nanoTime();
        Map<String, Double> took = new HashMap<>();
        int whole = 0;
        for (int round = 0; round < options.rounds(); round++) {
            boolean cut = false;
            for (String part : parts(round)) {
                double now = (System.nanoTime() - start) / 1e9;
                if (round > 0 && now + took.getOrDefault(part, 0.0) > 60 * options.minutes()) {
                    System.err.printf(Locale.ROOT, "round %d of %d, %s: left out, it would end after %s minutes%n",
                            round + 1, options.rounds(), part, options.minutes());
                    cut = true;
                    continue;
                }
                System.err.printf(Locale.ROOT, "round %d of %d, %s (%.0f s)%n", round + 1, options.rounds(), part, now);
                switch (part) {
                    case PREDICT -> predict(round);
                    case MEMORY -> memory(round);
                    default -> time(round, part);
                }
                took.put(part, (System.nanoTime() - start) / 1e9 - now);
            }
            whole += cut ? 0 : 1;
            record(environment, before, start, whole, round + 1);   // what is there, should the run be ended before its end
        }
        System.out.printf(Locale.ROOT, "%n%s%n", environment.path("cpu").asText());
        System.out.printf(Locale.ROOT, "%d threads, %d rounds of %d turns%s, %d s; other processes used %.1f s of processor"
                + " time meanwhile%n", options.threads(), whole, options.turns(), whole == options.rounds() ? "" :
                        " and parts of " + (options.rounds() - whole) + " more", environment.path("seconds").asInt(),
                environment.path("foreign_cpu_seconds").asDouble());
        if (options.avx2()) {
            System.out.println("limited to AVX2: graft by " + ours.limits());
            peers.values().forEach(p -> System.out.println("                 " + p.name() + " by " + p.limits()));
        }
        tables().forEach(t -> System.out.print(t.text()));
        if (out() != null) {
            System.out.println("recorded in " + out());
        }
    }

    private List<Table> tables() {
        return rows.entrySet().stream().map(e -> {
            String peer = peers.get(e.getKey()).name();
            return new Table(peer, e.getValue().stream().map(r -> measured.line(r.kind() == Row.Kind.MEMORY ? peaks(r) : r,
                    ours.name(), peer, options.rounds() * options.turns())).toList());
        }).toList();
    }

    /** Null for a part of the rows that has no file named for it: it must not take the place of a whole recording. */
    private Path out() {
        if (options.out() != null || !options.only().pattern().isEmpty()) {
            return options.out() == null ? null : Path.of(options.out());
        }
        String name = (options.avx2() ? "peers-avx2-" : "peers-") + LocalDate.now(ZoneOffset.UTC) + ".json";
        return home.resolve("results").resolve(name);
    }

    private void record(ObjectNode environment, CpuTime before, long start, int whole, int begun) throws IOException {
        CpuTime after = CpuTime.now();
        environment.put("threads", options.threads());
        environment.put("seconds", Math.round((System.nanoTime() - start) / 1e9));
        environment.put("foreign_cpu_seconds", Math.round(10 * after.foreignSince(before)) / 10.0);
        environment.put("stolen_cpu_seconds", Math.round(10 * (after.stolen() - before.stolen())) / 10.0);
        environment.put("rounds", whole);
        environment.put("rounds_in_part", begun - whole);
        environment.put("turns_per_round", options.turns());
        environment.put("seconds_per_row", options.seconds());
        environment.put("graft", ours.description());
        if (options.avx2()) {
            environment.put("limits", ours.limits());
        }
        ObjectNode json = new ObjectMapper().createObjectNode();
        json.set("environment", environment);
        ObjectNode all = json.putObject("peers");
        for (Table t : tables()) {
            ObjectNode o = all.putObject(t.peer());
            Side side = peers.get(Peer.valueOf(t.peer().toUpperCase(Locale.ROOT)));
            o.put("engine", side.description());
            if (options.avx2()) {
                o.put("limits", side.limits());
            }
            side.settings().forEach(o.putObject("settings")::put);
            t.write(o.putArray("rows"));
        }
        if (out() == null) {
            return;
        }
        Files.createDirectories(out().toAbsolutePath().getParent());
        Files.writeString(out(), new ObjectMapper().writerWithDefaultPrettyPrinter().writeValueAsString(json) + "\n");
    }

    private static Row peaks(Row r) {
        return new Row(r.name(), r.kind(), r.ours().stream().map(w -> PEAK + w).toList(),
                r.theirs().stream().map(w -> PEAK + w).toList(), r.bar(), r.exact());
    }

    /** What a round consists of. */
    private Set<String> parts(int round) {
        Set<String> parts = new LinkedHashSet<>();
        rows.values().forEach(list -> list.stream().filter(r -> r.kind() == Row.Kind.TIME)
                .forEach(r -> r.ours().forEach(w -> parts.add(Works.byName(w).group()))));
        for (List<Row> list : rows.values()) {
            if (list.stream().anyMatch(r -> r.kind() == Row.Kind.PREDICT)) {
                parts.add(PREDICT);
            }
            if (list.stream().anyMatch(r -> r.kind() == Row.Kind.MEMORY)) {
                parts.add(MEMORY);
            }
        }
        return parts;
    }

    /**
     * What takes turns together: works whose names differ in the last part only, so that all of a row's are in one unit. The
     * steps of all layers, which no row sets against anything else, are apart, for the sake of memory.
     */
    static String unit(String work) {
        String of = work.substring(0, work.lastIndexOf('/'));
        return work.endsWith("/full_step") ? work : of;
    }

    /** All engines' processes are alive, but only one of them has something to do: A B C, A B C, ... for each unit. */
    private void time(int round, String group) throws IOException, InterruptedException {
        Map<String, Map<Side, Set<String>>> units = new LinkedHashMap<>();
        rows.forEach((peer, list) -> list.stream().filter(r -> r.kind() == Row.Kind.TIME).forEach(r -> {
            Predicate<String> here = w -> Works.byName(w).group().equals(group);
            r.ours().stream().filter(here).forEach(w -> add(units, ours, w));
            r.theirs().stream().filter(here).forEach(w -> add(units, peers.get(peer), w));
        }));
        Map<Side, EngineProcess> processes = new LinkedHashMap<>();
        try {
            for (Map<Side, Set<String>> unit : units.values()) {
                for (Map.Entry<Side, Set<String>> e : unit.entrySet()) {
                    EngineProcess p = processes.computeIfAbsent(e.getKey(),
                            side -> side.begin(group, timing(side, e.getValue()), measured));
                    for (String w : e.getValue()) {
                        p.prepare(w);
                    }
                }
                for (int turn = 0; turn < options.turns(); turn++) {
                    for (Map.Entry<Side, Set<String>> e : unit.entrySet()) {
                        for (String w : e.getValue()) {
                            processes.get(e.getKey()).time(w, round * options.turns() + turn);
                        }
                    }
                }
                for (Side side : unit.keySet()) {
                    processes.get(side).drop();
                }
            }
        } finally {
            processes.values().forEach(EngineProcess::close);
        }
    }

    private static void add(Map<String, Map<Side, Set<String>>> units, Side side, String work) {
        units.computeIfAbsent(unit(work), k -> new LinkedHashMap<>()).computeIfAbsent(side, k -> new LinkedHashSet<>())
                .add(work);
    }

    /** Kernels of a JVM need their time to be compiled, those of libraries little; whole networks have long steps. */
    private List<String> timing(Side side, Set<String> works) {
        Work first = Works.byName(works.iterator().next());
        boolean net = first instanceof Work.Net || first instanceof Work.Bert;
        double seconds = net ? 4 * options.seconds() : options.seconds();
        double leastWarm = side == ours ? net ? 1.2 : 0.8 : 0.2;
        double mostWarm = side == ours ? net ? 4 : 2 : 1;
        return List.of(Double.toString(seconds), Double.toString(leastWarm), Double.toString(mostWarm));
    }

    /** The median of some starts of both in turn; the first, which unpacks libraries and fills caches, is left out. */
    private void predict(int round) throws IOException, InterruptedException {
        Side djl = peers.get(Peer.DJL);
        try (ColdPredict p = new ColdPredict()) {
            List<Sample> mine = new ArrayList<>();
            List<Sample> theirs = new ArrayList<>();
            for (int i = 0; i <= PREDICT_STARTS; i++) {
                List<String> predict = p.ours(home.resolveSibling("graft"), options.threads());
                if (!start(ours, ours.command(null, predict), true, mine)
                        || !start(djl, djl.command(DJL_PREDICT, p.theirs()), false, theirs)) {
                    return;
                }
            }
            measured.add(ours.name(), round, ColdPredict.WORK, middle(mine));
            measured.add(djl.name(), round, ColdPredict.WORK, middle(theirs));
        }
    }

    private boolean start(Side side, ProcessBuilder command, boolean json, List<Sample> into) throws InterruptedException {
        try {
            into.add(ColdPredict.time(command, json));
            return true;
        } catch (IOException e) {
            measured.failed(side.name(), ColdPredict.WORK, e.getMessage());
            return false;
        }
    }

    private static Sample middle(List<Sample> starts) {
        return new Sample(Measured.median(starts.subList(1, starts.size()).stream().map(Sample::value).toList()),
                starts.getLast().print());
    }

    /** Every step in a process of its own. */
    private void memory(int round) throws IOException, InterruptedException {
        Set<String> works = new LinkedHashSet<>();
        rows.values().forEach(list -> list.stream().filter(r -> r.kind() == Row.Kind.MEMORY)
                .forEach(r -> works.addAll(r.ours())));
        for (String w : works) {
            peak(ours, w, round);
            for (Map.Entry<Peer, Side> e : peers.entrySet()) {
                if (rows.get(e.getKey()).stream().anyMatch(r -> r.kind() == Row.Kind.MEMORY && r.theirs().contains(w))) {
                    peak(e.getValue(), w, round);
                }
            }
        }
    }

    private void peak(Side side, String work, int round) throws IOException, InterruptedException {
        try (EngineProcess p = side.begin(Works.byName(work).group(), timing(side, Set.of(work)), measured)) {
            p.memory(work, round);
        }
    }
}
