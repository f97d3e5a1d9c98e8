package dev.graft.pretrained.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.graft.tensor.GraftException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Real files against tensors recorded by another reader: dtype, shape, float64 sum and first four values of each. */
class RecordedTensorsTest {
    private static final List<String> EXTENSIONS = List.of(".pt", ".pth", ".th", ".safetensors", ".npy", ".npz");

    private record Row(String tensor, String dtype, String shape, String sum, String first, String note) {
    }

    @TestFactory
    Stream<DynamicTest> everyRecordedTensor() throws IOException {
        assumeTrue(table() != null, "the recorded tensors are not beside this checkout (system property graft.test.data)");
        Map<String, List<Row>> files = new LinkedHashMap<>();
        for (String line : Files.readAllLines(table())) {
            String[] f = line.split("\t", -1);
            if (EXTENSIONS.stream().anyMatch(f[0]::endsWith)) {
                files.computeIfAbsent(f[0], k -> new ArrayList<>()).add(new Row(f[1], f[2], f[3], f[4], f[5], f[6]));
            }
        }
        assertThat(files).hasSizeGreaterThan(40);
        return files.entrySet().stream()
                .map(e -> DynamicTest.dynamicTest(e.getKey(), () -> check(e.getKey(), e.getValue())));
    }

    private static Path table() {
        String folder = System.getProperty("graft.test.data");
        Path table = folder == null ? null : Path.of(folder, "TENSORS.tsv");
        return table != null && Files.exists(table) ? table : null;
    }

    private static void check(String file, List<Row> rows) {
        Path path = table().resolveSibling(file);
        if (rows.getFirst().dtype.equals("ERROR")) {
            assertThatThrownBy(() -> WeightFile.open(path)).isInstanceOf(GraftException.class).hasMessageContaining(file);
            return;
        }
        try (WeightFile weights = WeightFile.open(path)) {
            assertThat(weights.entries()).extracting(WeightEntry::name)
                    .containsExactlyInAnyOrderElementsOf(rows.stream().map(r -> nameOf(r)).toList());
            for (Row r : rows) {
                assertThat(r.note.split(" ")[0]).isEqualTo(weights.format());
                WeightEntry e = weights.entry(nameOf(r));
                assertThat(dtype(r.dtype)).as(r.tensor).isEqualTo(e.dtype().name());
                assertThat(shape(e)).as(r.tensor).isEqualTo(r.shape);
                double[] values = weights.doubles(e.name());
                assertThat(values).hasSize((int) e.shape().size());
                if (!r.sum.isEmpty()) {
                    checkValues(r, values);
                }
            }
        }
    }

    private static void checkValues(Row r, double[] values) {
        double sum = 0;
        double magnitude = 0;
        for (double v : values) {
            sum += v;
            magnitude += Math.abs(v);
        }
        double expected = Double.parseDouble(r.sum.replace("nan", "NaN"));
        if (Double.isNaN(expected)) {
            assertThat(sum).isNaN();
        } else {
            assertThat(Math.abs(sum - expected)).as(r.tensor).isLessThanOrEqualTo(1e-13 * magnitude);
        }
        String[] first = r.first.isEmpty() ? new String[0] : r.first.split(" ");
        assertThat(first).hasSize(Math.min(4, values.length));
        for (int i = 0; i < first.length; i++) {
            String v = first[i].replace("nan", "NaN").replace("inf", "Infinity");
            // Recorded with nine digits, enough to tell neighbouring float32 values apart.
            assertThat(Float.valueOf((float) values[i])).as(r.tensor + "[" + i + "]").isEqualTo(Float.valueOf(v));
        }
    }

    /** A file that is one array has the empty name; the table has "-" there for npy. */
    private static String nameOf(Row r) {
        return r.tensor.equals("-") ? "" : r.tensor;
    }

    private static String dtype(String recorded) {
        return recorded.replace("float", "F").replace("uint", "U").replace("int", "I").toUpperCase(Locale.ROOT);
    }

    private static String shape(WeightEntry e) {
        return e.shape().rank() == 0 ? "scalar" : e.shape().toString().replaceAll("[\\[\\] ]", "").replace(',', 'x');
    }
}
