package dev.graft.benchmarks;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.graft.tensor.cpu.CpuFeatures;
import dev.graft.tensor.cpu.WorkerPool;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Locale;
import java.util.stream.Stream;

/** Turns JMH's JSON into the recorded form: environment and commit, then one line of numbers per benchmark. */
final class Recording {
    private static final ObjectMapper JSON = new ObjectMapper();

    private Recording() {}

    /** Arguments: JMH's JSON, the file to write, the commit. */
    public static void main(String[] args) throws IOException {
        ObjectNode out = JSON.createObjectNode();
        out.set("environment", environment(args[2]));
        ArrayNode results = out.putArray("results");
        for (JsonNode r : JSON.readTree(Files.readAllBytes(Path.of(args[0])))) {
            ObjectNode row = results.addObject();
            row.put("benchmark", r.get("benchmark").asText().replace("dev.graft.benchmarks.", ""));
            row.set("params", r.path("params"));
            JsonNode metric = r.get("primaryMetric");
            row.put("score", metric.get("score").asDouble());
            row.put("error", metric.get("scoreError").asDouble());
            row.put("unit", metric.get("scoreUnit").asText());
            row.set("samples", metric.get("rawData"));
            System.out.printf(Locale.ROOT, "%-50s %-32s %12.1f ± %-10.1f %s%n", row.get("benchmark").asText(),
                    row.get("params").toString(), row.get("score").asDouble(), row.get("error").asDouble(),
                    row.get("unit").asText());
        }
        JSON.writerWithDefaultPrettyPrinter().writeValue(Path.of(args[1]).toFile(), out);
        System.out.println("recorded in " + args[1]);
    }

    private static ObjectNode environment(String commit) throws IOException {
        ObjectNode e = JSON.createObjectNode();
        e.put("commit", commit);
        e.put("date", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
        e.put("cpu", cpu());
        e.put("cores", Runtime.getRuntime().availableProcessors());
        e.put("threads", WorkerPool.shared().threads());
        e.put("kernels", CpuFeatures.describe());
        e.put("java", System.getProperty("java.vm.name") + " " + System.getProperty("java.runtime.version"));
        e.put("os", System.getProperty("os.name") + " " + System.getProperty("os.version") + " " + System.getProperty("os.arch"));
        e.put("load", java.lang.management.ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage());
        return e;
    }

    private static String cpu() throws IOException {
        Path info = Path.of("/proc/cpuinfo");
        if (!Files.isReadable(info)) {
            return System.getProperty("os.arch");
        }
        try (Stream<String> lines = Files.lines(info)) {
            return lines.filter(l -> l.startsWith("model name")).findFirst().map(l -> l.substring(l.indexOf(':') + 2))
                    .orElse("unknown");
        }
    }
}
