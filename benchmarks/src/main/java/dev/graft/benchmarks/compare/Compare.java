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
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * {@code graft bench --peers}: a process of Graft and one of each peer in turn, for every group of rows and in every round.
 * Property {@code bench.home} is the folder of the benchmarks module, {@code bench.flags} holds the JVM flags of Graft's
 * processes, {@code bench.commit} says what is measured.
 */
final class Compare {
    static final String PEAK = "peak of ";
    private static final int MEMORY_STEPS = 5;
    private static final int PREDICT_STARTS = 3;

    private final Options options;
    private final Path home;
    private final Side ours;
    private final Map<Peer, Side> peers = new LinkedHashMap<>();
    private final Map<Peer, List<Row>> rows = new LinkedHashMap<>();
    private final Measured measured = new Measured();

    private Compare(Options options, Path home) throws IOException {
        this.options = options;
        this.home = home;
        ours = Side.ours(options.threads());
        for (Peer p : options.peers()) {
            List<Row> wanted = Rows.of(p, options.all()).stream()
                    .filter(r -> options.only().matcher(r.name()).find()).toList();
            if (!wanted.isEmpty()) {
                peers.put(p, Side.of(p, home.resolve("peers"), options.threads()));
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
        for (int round = 0; round < options.rounds(); round++) {
            for (String group : groups()) {
                System.err.printf(Locale.ROOT, "round %d of %d, %s (%.0f s)%n", round + 1, options.rounds(), group,
                        (System.nanoTime() - start) / 1e9);
                time(round, group);
            }
            predict(round);
            if (round == 0) {
                memory();
            }
            record(environment, before, start, round + 1);     // what is there, should the run be ended before its end
        }
        System.out.printf(Locale.ROOT, "%n%s%n", environment.path("cpu").asText());
        System.out.printf(Locale.ROOT, "%d threads, %d rounds, %d s; other processes used %.1f s of processor time"
                + " meanwhile%n", options.threads(), options.rounds(), environment.path("seconds").asInt(),
                environment.path("foreign_cpu_seconds").asDouble());
        tables().forEach(t -> System.out.print(t.text()));
        if (out() != null) {
            System.out.println("recorded in " + out());
        }
    }

    private List<Table> tables() {
        return rows.entrySet().stream().map(e -> {
            String peer = peers.get(e.getKey()).name();
            return new Table(peer, e.getValue().stream().map(r -> measured.line(r.kind() == Row.Kind.MEMORY ? peaks(r) : r,
                    ours.name(), peer, options.rounds())).toList());
        }).toList();
    }

    /** Null for a part of the rows that has no file named for it: it must not take the place of a whole recording. */
    private Path out() {
        return options.out() != null ? Path.of(options.out()) : !options.only().pattern().isEmpty() ? null
                : home.resolve("results").resolve("peers-" + LocalDate.now(ZoneOffset.UTC) + ".json");
    }

    private void record(ObjectNode environment, CpuTime before, long start, int rounds) throws IOException {
        CpuTime after = CpuTime.now();
        environment.put("threads", options.threads());
        environment.put("seconds", Math.round((System.nanoTime() - start) / 1e9));
        environment.put("foreign_cpu_seconds", Math.round(10 * after.foreignSince(before)) / 10.0);
        environment.put("stolen_cpu_seconds", Math.round(10 * (after.stolen() - before.stolen())) / 10.0);
        environment.put("rounds", rounds);
        environment.put("seconds_per_row", options.seconds());
        environment.put("graft", ours.description());
        ObjectNode json = new ObjectMapper().createObjectNode();
        json.set("environment", environment);
        ObjectNode all = json.putObject("peers");
        for (Table t : tables()) {
            ObjectNode o = all.putObject(t.peer());
            o.put("engine", peers.get(Peer.valueOf(t.peer().toUpperCase(Locale.ROOT))).description());
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

    private Set<String> groups() {
        Set<String> groups = new LinkedHashSet<>();
        rows.values().forEach(list -> list.stream().filter(r -> r.kind() == Row.Kind.TIME)
                .forEach(r -> r.ours().forEach(w -> groups.add(Works.byName(w).group()))));
        return groups;
    }

    private void time(int round, String group) throws IOException, InterruptedException {
        Set<String> mine = new LinkedHashSet<>();
        Map<Peer, Set<String>> theirs = new LinkedHashMap<>();
        rows.forEach((peer, list) -> list.stream().filter(r -> r.kind() == Row.Kind.TIME).forEach(r -> {
            r.ours().stream().filter(w -> Works.byName(w).group().equals(group)).forEach(mine::add);
            r.theirs().stream().filter(w -> Works.byName(w).group().equals(group))
                    .forEach(theirs.computeIfAbsent(peer, p -> new LinkedHashSet<>())::add);
        }));
        if (!mine.isEmpty()) {
            ours.run(round, group, timing(ours, mine), measured);
        }
        theirs.values().removeIf(Set::isEmpty);
        for (Map.Entry<Peer, Set<String>> e : theirs.entrySet()) {
            Side peer = peers.get(e.getKey());
            peer.run(round, group, timing(peer, e.getValue()), measured);
        }
    }

    /** Kernels of a JVM need their time to be compiled, those of libraries little; whole networks have long steps. */
    private List<String> timing(Side side, Set<String> works) {
        Work first = Works.byName(works.iterator().next());
        boolean net = first instanceof Work.Net || first instanceof Work.Bert;
        double seconds = net ? 2 * options.seconds() : options.seconds();
        double leastWarm = side == ours ? net ? 1.2 : 0.8 : 0.2;
        double mostWarm = side == ours ? net ? 2.5 : 2 : 1;
        List<String> a = new ArrayList<>(List.of("time", Double.toString(seconds), Double.toString(leastWarm),
                Double.toString(mostWarm)));
        a.addAll(works);
        return a;
    }

    /** The median of some starts of both in turn; the first, which unpacks libraries and fills caches, is left out. */
    private void predict(int round) throws IOException, InterruptedException {
        if (rows.values().stream().noneMatch(list -> list.stream().anyMatch(r -> r.kind() == Row.Kind.PREDICT))) {
            return;
        }
        Side djl = peers.get(Peer.DJL);
        try (ColdPredict p = new ColdPredict()) {
            List<Sample> mine = new ArrayList<>();
            List<Sample> theirs = new ArrayList<>();
            for (int i = 0; i <= PREDICT_STARTS; i++) {
                List<String> predict = p.ours(home.resolveSibling("graft"), options.threads());
                mine.add(ColdPredict.time(ours.command(null, predict), true));
                theirs.add(ColdPredict.time(djl.command("dev.graft.benchmarks.peers.djl.DjlPredict", p.theirs()), false));
            }
            measured.add(ours.name(), round, ColdPredict.WORK, middle(mine));
            measured.add(djl.name(), round, ColdPredict.WORK, middle(theirs));
        } catch (IOException e) {
            measured.failed(ours.name(), ColdPredict.WORK, e.getMessage());
        }
    }

    private static Sample middle(List<Sample> starts) {
        return new Sample(Measured.median(starts.subList(1, starts.size()).stream().map(Sample::value).toList()),
                starts.getLast().print());
    }

    /** Every step in a process of its own, once: it hardly differs from run to run. */
    private void memory() throws IOException, InterruptedException {
        Set<String> works = new LinkedHashSet<>();
        rows.values().forEach(list -> list.stream().filter(r -> r.kind() == Row.Kind.MEMORY)
                .forEach(r -> works.addAll(r.ours())));
        for (String w : works) {
            List<String> a = List.of("memory", Integer.toString(MEMORY_STEPS), w);
            ours.run(0, Works.byName(w).group(), a, measured);
            for (Map.Entry<Peer, Side> e : peers.entrySet()) {
                if (rows.get(e.getKey()).stream().anyMatch(r -> r.kind() == Row.Kind.MEMORY && r.theirs().contains(w))) {
                    e.getValue().run(0, Works.byName(w).group(), a, measured);
                }
            }
        }
    }
}
