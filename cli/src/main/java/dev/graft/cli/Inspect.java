package dev.graft.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.graft.pretrained.format.WeightEntry;
import dev.graft.pretrained.format.WeightFile;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code graft inspect}: what a weight file holds. Only its list of tensors is read, not their values. */
@Command(
        name = "inspect",
        description = {"List the tensors of a weight file: safetensors, PyTorch (zip or legacy), npy or npz.",
            "Nothing in the file is executed."},
        mixinStandardHelpOptions = true,
        footer = {"", "Examples:", "  graft inspect mobilenet_v2.safetensors",
            "  graft inspect --json checkpoint.pth > tensors.json"})
final class Inspect implements Callable<Integer> {
    private static final int METADATA_LINES = 12;
    private static final int METADATA_WIDTH = 90;

    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "FILE", description = "The weight file; its format is recognised by content.")
    private Path file;

    @Option(names = "--json", description = "Print one JSON object instead of a table.")
    private boolean json;

    @Override
    public Integer call() throws IOException {
        PrintWriter out = spec.commandLine().getOut();
        try (WeightFile weights = WeightFile.open(file)) {
            if (json) {
                out.println(new ObjectMapper().writeValueAsString(asMap(weights)));
            } else {
                print(weights, out);
            }
        }
        out.flush();
        return 0;
    }

    private static Map<String, Object> asMap(WeightFile weights) {
        List<Map<String, Object>> tensors = weights.entries().stream().map(e -> {
            Map<String, Object> tensor = new LinkedHashMap<>();
            tensor.put("name", e.name());
            tensor.put("dtype", e.dtype().label());
            tensor.put("shape", e.shape().dims());
            tensor.put("bytes", e.bytes());
            return tensor;
        }).toList();
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("file", weights.path().toString());
        map.put("format", weights.format());
        map.put("tensors", tensors);
        map.put("unreadable", weights.unreadable());
        map.put("metadata", weights.metadata());
        return map;
    }

    private static void print(WeightFile weights, PrintWriter out) {
        TextTable table = new TextTable("name", "dtype", "shape", "> bytes");
        long elements = 0;
        long bytes = 0;
        for (WeightEntry e : weights.entries()) {
            table.row(e.name(), e.dtype().label(), e.shape().toString(), String.format(Locale.ROOT, "%,d", e.bytes()));
            elements += e.shape().size();
            bytes += e.bytes();
        }
        table.print(out);
        out.println();
        out.printf(Locale.ROOT, "%s: %s, %,d tensors, %,d elements, %,d bytes%n",
                TextTable.printable(weights.path().toString()), weights.format(), weights.entries().size(), elements, bytes);
        if (!weights.unreadable().isEmpty()) {
            out.println("Not readable:");
            weights.unreadable().forEach((name, why) -> out.println("  " + TextTable.printable(name + ": " + why)));
        }
        if (!weights.metadata().isEmpty()) {
            out.println("Also in the file:");
            weights.metadata().entrySet().stream().limit(METADATA_LINES).forEach(e -> {
                String line = TextTable.printable(e.getKey() + ": " + e.getValue());
                out.println("  " + (line.length() > METADATA_WIDTH ? line.substring(0, METADATA_WIDTH) + "…" : line));
            });
            int more = weights.metadata().size() - METADATA_LINES;
            if (more > 0) {
                out.println("  and " + more + " more (--json shows all)");
            }
        }
    }
}
