package dev.graft.benchmarks;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.graft.tensor.cpu.WorkerPool;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.openjdk.jmh.infra.BenchmarkParams;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.BenchmarkList;
import org.openjdk.jmh.runner.BenchmarkListEntry;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.format.OutputFormatFactory;
import org.openjdk.jmh.runner.options.CommandLineOptionException;
import org.openjdk.jmh.runner.options.CommandLineOptions;
import org.openjdk.jmh.runner.options.Options;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

/**
 * {@code graft bench}: the JMH benchmarks, and what share of the machine's peak each reaches. The peak is measured first, in
 * the same run and on as many threads.
 */
final class Suite {
    private static final String USAGE = """
            Runs the JMH suite and prints times and percent of the machine's peak.
              ./graft bench [--quick] [FILTER...] [JMH's own arguments, such as -p shape=8x56x64x64x3x1x1]
              ./graft bench --peers ...     Graft and other engines in turn, see ./graft bench --peers --help
              ./graft bench --resize [PYTHON [FILE]]    Graft's resize, Pillow's and libvips' in turn, see docs/data.md
              FILTER     benchmarks whose name holds this regular expression, such as MatMul or Convolution.*forward
              --quick    short measurements, and of convolutions a few shapes, of the op catalogue a few ops only
              -p op=OPS  cases of the op catalogue: names of ops with commas between, or the name of one case in quotes
              --out FILE where the result goes instead of benchmarks/results
            """;

    private Suite() {}

    public static void main(String[] args) throws IOException, CommandLineOptionException, RunnerException {
        List<String> rest = new ArrayList<>(List.of(args));
        if (rest.contains("--help") || rest.contains("-h")) {
            System.out.print(USAGE);
            return;
        }
        boolean quick = rest.remove("--quick");
        Path out = Path.of(System.getProperty("bench.home"), "results", "jmh-" + LocalDate.now(ZoneOffset.UTC) + ".json");
        int at = rest.indexOf("--out");
        if (at >= 0 && at + 1 < rest.size()) {
            out = Path.of(rest.remove(at + 1));
            rest.remove(at);
        }
        Options all;
        try {
            all = options(rest, quick);
        } catch (IllegalArgumentException e) {
            System.err.println("graft bench: " + e.getMessage());
            System.exit(2);
            return;
        }
        Collection<BenchmarkListEntry> benchmarks = BenchmarkList.defaultList().find(
                OutputFormatFactory.createFormatInstance(System.out, VerboseMode.SILENT), all.getIncludes(),
                all.getExcludes());
        if (benchmarks.isEmpty()) {
            System.err.println("graft bench: no benchmark's name holds " + String.join(" or ", all.getIncludes()));
            System.exit(2);
        }
        ObjectNode json = new ObjectMapper().createObjectNode();
        json.set("environment", Environment.of(System.getProperty("bench.commit", "unknown")));
        Peak peak = Peak.measure(WorkerPool.shared().threads());
        System.out.printf(Locale.ROOT, "peak of %d threads: %.0f GFLOP/s, %.1f GB/s copied%n", peak.threads(), peak.gflops(),
                peak.gigabytes());
        json.putObject("peak").put("threads", peak.threads()).put("gflops", peak.gflops())
                .put("copy_gb_s", peak.gigabytes());
        Files.createDirectories(out.toAbsolutePath().getParent());
        ArrayNode results = json.putArray("results");
        System.out.printf("%n%-44s %-28s %12s %9s %9s %7s%n", "benchmark", "parameters", "ms", "GFLOP/s", "GB/s", "% peak");
        for (BenchmarkListEntry b : benchmarks) {
            OptionsBuilder one = new OptionsBuilder();
            one.parent(all);
            lengths(one, all, b, quick);
            // an include would be one more beside the filters, so it is the others that are left out
            benchmarks.stream().filter(other -> other != b)
                    .forEach(other -> one.exclude("^" + Pattern.quote(other.getUsername()) + "$"));
            report(new Runner(one.build()).run(), peak, results);
            // what is there, should the run be ended before its end
            Files.writeString(out, new ObjectMapper().writerWithDefaultPrettyPrinter().writeValueAsString(json) + "\n");
        }
        System.out.println("recorded in " + out);
    }

    /** JMH's own arguments win over ours. */
    private static Options options(List<String> args, boolean quick) throws CommandLineOptionException {
        List<String> ops = ops(args);
        CommandLineOptions given = new CommandLineOptions(args.toArray(String[]::new));
        OptionsBuilder b = new OptionsBuilder();
        b.parent(given);
        if (!given.getForkCount().hasValue()) {
            b.forks(1);
        }
        if (!given.verbosity().hasValue()) {
            b.verbosity(VerboseMode.SILENT);
        }
        if (!quick && !given.getParameter("shape").hasValue()) {
            Set<String> shapes = NetworkShapes.convolutions();
            shapes.addAll(List.of(ConvolutionBenchmark.DEPTHWISE_5, ConvolutionBenchmark.GROUPED,
                    ConvolutionBenchmark.TRANSPOSED));
            b.param("shape", shapes.toArray(String[]::new));
        }
        if (ops.isEmpty()) {
            ops = quick ? CatalogueRow.chosen(CatalogueRow.QUICK)
                    : CatalogueRow.rows().stream().map(CatalogueRow::name).toList();
        }
        b.param("op", ops.toArray(String[]::new));
        return b.build();
    }

    /** The cases that {@code -p op=...} names, taken out of the arguments: JMH would cut them at commas and equals signs. */
    static List<String> ops(List<String> args) {
        List<String> names = new ArrayList<>();
        for (int i = 0; i + 1 < args.size(); i++) {
            if (args.get(i).equals("-p") && args.get(i + 1).startsWith("op=")) {
                args.remove(i);
                names.addAll(CatalogueRow.chosen(args.remove(i--).substring("op=".length())));
            }
        }
        return names;
    }

    /** How long to measure, where neither the user says so nor the benchmark's own annotations. */
    private static void lengths(OptionsBuilder one, Options given, BenchmarkListEntry b, boolean quick) {
        if (!given.getWarmupIterations().hasValue() && !b.getWarmupIterations().hasValue()) {
            one.warmupIterations(quick ? 2 : 3);
        }
        if (!given.getWarmupTime().hasValue() && !b.getWarmupTime().hasValue()) {
            one.warmupTime(TimeValue.milliseconds(quick ? 300 : 500));
        }
        if (!given.getMeasurementIterations().hasValue() && !b.getMeasurementIterations().hasValue()) {
            one.measurementIterations(quick ? 3 : 5);
        }
        if (!given.getMeasurementTime().hasValue() && !b.getMeasurementTime().hasValue()) {
            one.measurementTime(TimeValue.milliseconds(quick ? 200 : 400));
        }
    }

    private static void report(Collection<RunResult> results, Peak peak, ArrayNode out) {
        for (RunResult r : results) {
            BenchmarkParams p = r.getParams();
            String name = p.getBenchmark().replace("dev.graft.benchmarks.", "");
            Map<String, String> params = new LinkedHashMap<>();
            p.getParamsKeys().forEach(k -> params.put(k, p.getParam(k)));
            Result<?> score = r.getPrimaryResult();
            CatalogueRow catalogued = params.containsKey("op") ? CatalogueRow.of(params.get("op")) : null;
            // of short measurements the median, which one that was disturbed leaves alone
            double time = catalogued != null ? score.getStatistics().getPercentile(50) : score.getScore();
            double seconds = time * p.getTimeUnit().toNanos(1) / 1e9;
            String shown = String.join(" ", params.values());
            Cost cost = Cost.of(name, params);
            ObjectNode row = out.addObject();
            row.put("benchmark", name);
            row.putPOJO("params", params);
            row.put("ms", seconds * 1e3);
            if (catalogued == null) {
                row.put("error_ms", score.getScoreError() * p.getTimeUnit().toNanos(1) / 1e6);
            } else {
                row.put("fastest_ms", score.getStatistics().getMin() * p.getTimeUnit().toNanos(1) / 1e6)
                        .put("slowest_ms", score.getStatistics().getMax() * p.getTimeUnit().toNanos(1) / 1e6);
            }
            if (cost == null) {
                System.out.printf(Locale.ROOT, "%-44s %-28s %12.4f%n", name, shown, seconds * 1e3);
                continue;
            }
            if (catalogued != null) {
                reportCatalogued(name, catalogued, cost, seconds, row);
                continue;
            }
            double share = cost.share(seconds, peak);
            row.put("gflops", cost.flops() / seconds / 1e9).put("gb_s", cost.bytes() / seconds / 1e9)
                    .put("share_of_peak", share);
            System.out.printf(Locale.ROOT, "%-44s %-28s %12.4f %9.1f %9.1f %6.0f%%%n", name, shown, seconds * 1e3,
                    cost.flops() / seconds / 1e9, cost.bytes() / seconds / 1e9, 100 * share);
        }
    }

    /** Without a share of the peak: these tensors fit into the caches. */
    private static void reportCatalogued(String name, CatalogueRow catalogued, Cost cost, double seconds, ObjectNode row) {
        boolean fallsBack = catalogued.fallsBack();
        row.put("label", catalogued.label()).put("elements", catalogued.elements())
                .put("ns_per_element", seconds * 1e9 / catalogued.elements()).put("gflops", cost.flops() / seconds / 1e9)
                .put("gb_s", cost.bytes() / seconds / 1e9).put("reference", fallsBack);
        System.out.printf(Locale.ROOT, "%-24s %-48s %12.4f %9.1f %9.1f%s%n", name, catalogued.label(), seconds * 1e3,
                cost.flops() / seconds / 1e9, cost.bytes() / seconds / 1e9, fallsBack ? "  reference" : "");
    }
}
