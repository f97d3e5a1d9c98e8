package dev.graft.benchmarks;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/** Turns JMH's JSON into the recorded form: environment and commit, then one line of numbers per benchmark. */
final class Recording {
    private static final ObjectMapper JSON = new ObjectMapper();

    private Recording() {}

    /** Arguments: JMH's JSON, the file to write, the commit. */
    public static void main(String[] args) throws IOException {
        ObjectNode out = JSON.createObjectNode();
        out.set("environment", Environment.of(args[2]));
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
}
