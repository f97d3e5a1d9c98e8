package dev.graft.benchmarks.gpu;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/** Joins both sides' results: a ratio above 1 says that we are faster. */
final class Report {
    private static final ObjectMapper JSON = new ObjectMapper();

    private Report() {}

    /** @param peer may be absent */
    static void write(Path own, Path peer, Path out) throws IOException {
        ObjectNode all = (ObjectNode) JSON.readTree(own.toFile());
        if (Files.isRegularFile(peer)) {
            JsonNode other = JSON.readTree(peer.toFile());
            all.set("pytorch", other);
            ratios(all, other);
        }
        Files.writeString(out, JSON.writerWithDefaultPrettyPrinter().writeValueAsString(all) + "\n");
    }

    private static void ratios(ObjectNode all, JsonNode other) {
        Map<String, JsonNode> theirs = new LinkedHashMap<>();
        other.path("results").forEach(r -> theirs.put(r.path("name").asText(), r));
        ArrayNode table = all.putArray("ratios");
        System.out.printf(Locale.ROOT, "%n%-58s %10s %10s %7s%n", "PyTorch's time / ours", "ours ms", "theirs ms", "ratio");
        for (JsonNode ours : all.path("results")) {
            String name = ours.path("name").asText();
            row(table, name, ours, theirs.get(name));
            row(table, name + " compiled", ours, theirs.get(name + " compiled"));
        }
    }

    private static void row(ArrayNode table, String name, JsonNode ours, JsonNode theirs) {
        if (theirs == null || !theirs.has("seconds")) {
            return;
        }
        double a = ours.path("seconds").asDouble();
        double b = theirs.path("seconds").asDouble();
        ObjectNode row = table.addObject().put("name", name).put("ratio", b / a);
        if (ours.has("peak_bytes")) {
            row.put("memory_ratio", ours.path("peak_bytes").asDouble() / theirs.path("peak_bytes").asDouble());
        }
        System.out.printf(Locale.ROOT, "%-58s %10.3f %10.3f %7.2f%s%n", name, a * 1e3, b * 1e3, b / a,
                row.has("memory_ratio")
                        ? String.format(Locale.ROOT, "  memory x%.2f", row.path("memory_ratio").asDouble()) : "");
    }
}
