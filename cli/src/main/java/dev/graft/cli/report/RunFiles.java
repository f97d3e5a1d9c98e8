package dev.graft.cli.report;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.graft.tensor.GraftException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.commons.csv.CSVFormat;
import org.apache.commons.csv.CSVParser;
import org.apache.commons.csv.CSVPrinter;
import org.apache.commons.csv.CSVRecord;

/** Reads and writes the files of a run's folder that are made for programs. */
public final class RunFiles {
    public static final String RESULT = "result.json";
    public static final String HISTORY = "history.csv";
    public static final String PLAN = "plan.json";
    public static final String MODEL = "model.safetensors";
    public static final String REPORT = "report.html";

    private static final String[] COLUMNS =
            {"epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds"};
    private static final CSVFormat CSV =
            CSVFormat.DEFAULT.builder().setHeader(COLUMNS).setSkipHeaderRecord(true).setRecordSeparator("\n").get();
    private static final ObjectMapper JSON = JsonMapper.builder()
            .enable(SerializationFeature.INDENT_OUTPUT)
            .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .defaultPrettyPrinter(new DefaultPrettyPrinter().withObjectIndenter(new DefaultIndenter("  ", "\n")))
            .build();

    private RunFiles() {
    }

    public static void writeResult(Path folder, RunSummary summary) throws IOException {
        writeJson(folder.resolve(RESULT), summary);
    }

    public static RunSummary readResult(Path folder) throws IOException {
        Path file = folder.resolve(RESULT);
        if (!Files.isRegularFile(file)) {
            throw new GraftException(folder + " is not the folder of a finished run: it has no " + RESULT);
        }
        try {
            return JSON.readValue(file.toFile(), RunSummary.class);
        } catch (JsonProcessingException e) {
            throw new GraftException(file + " is damaged: " + e.getOriginalMessage(), e);
        }
    }

    /** Any value that Jackson can write: records, maps, lists; used for {@code plan.json}. */
    public static void writeJson(Path file, Object value) throws IOException {
        AtomicFile.write(file, JSON.writeValueAsString(value) + "\n");
    }

    public static void writeHistory(Path folder, List<EpochRow> rows) throws IOException {
        StringBuilder text = new StringBuilder(String.join(",", COLUMNS)).append('\n');
        try (CSVPrinter printer = new CSVPrinter(text, CSV)) {
            for (EpochRow r : rows) {
                printer.printRecord(r.epoch(), cell(r.trainLoss()), cell(r.trainAccuracy()), cell(r.valLoss()),
                        cell(r.valAccuracy()), cell(r.learningRate()), cell(r.seconds()));
            }
        }
        AtomicFile.write(folder.resolve(HISTORY), text.toString());
    }

    public static List<EpochRow> readHistory(Path folder) throws IOException {
        Path file = folder.resolve(HISTORY);
        List<EpochRow> rows = new ArrayList<>();
        try (CSVParser parser = CSVParser.parse(file, StandardCharsets.UTF_8, CSV)) {
            for (CSVRecord r : parser) {
                rows.add(row(file + ", line " + parser.getCurrentLineNumber(), r));
            }
        }
        return rows;
    }

    private static EpochRow row(String place, CSVRecord r) {
        if (r.size() != COLUMNS.length) {
            throw new GraftException(place + ": expected " + COLUMNS.length + " values, found " + r.size());
        }
        try {
            return new EpochRow(Integer.parseInt(r.get(0)), number(r.get(1)), number(r.get(2)), number(r.get(3)),
                    number(r.get(4)), number(r.get(5)), number(r.get(6)));
        } catch (NumberFormatException e) {
            throw new GraftException(place + ": not a number in " + r.toList(), e);
        }
    }

    private static Object cell(double value) {
        return Double.isNaN(value) ? "" : (Object) value;
    }

    private static double number(String cell) {
        return cell.isEmpty() ? Double.NaN : Double.parseDouble(cell);
    }
}
