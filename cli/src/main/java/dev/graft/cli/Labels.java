package dev.graft.cli;

import dev.graft.tensor.GraftException;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Reads the names of classes from a file: one name a line, in the order of the outputs; or tab-separated columns with the
 * class's index in one and its name in the last that is text. A heading line is recognised by its lack of an index.
 */
final class Labels {
    private static final long MAX_BYTES = 16L << 20;

    private Labels() {}

    /** Exactly {@code classes} names. A list with one more begins with a background class, as TensorFlow's do. */
    static List<String> read(Path file, int classes) throws IOException {
        if (Files.size(file) > MAX_BYTES) {
            throw new GraftException(file + " is too large for a list of labels: one class per line is expected");
        }
        List<String> lines;
        try {
            lines = Files.readAllLines(file).stream().map(String::strip).filter(l -> !l.isEmpty()).toList();
        } catch (CharacterCodingException e) {
            throw new GraftException(file + " is no text in UTF-8: one class per line is expected", e);
        }
        List<String> names = lines.stream().anyMatch(l -> l.indexOf('\t') >= 0) ? table(file, lines, classes) : lines;
        if (names.size() == classes + 1 && names.getFirst().equalsIgnoreCase("background")) {
            names = names.subList(1, names.size());
        }
        if (names.size() != classes) {
            throw new GraftException(file + " names " + names.size() + " classes, the network has " + classes + " outputs");
        }
        return List.copyOf(names);
    }

    private static List<String> table(Path file, List<String> lines, int classes) {
        List<String[]> rows = new ArrayList<>();
        lines.forEach(l -> rows.add(l.split("\t")));
        int column = indexColumn(file, rows);
        Map<Integer, String> names = new TreeMap<>();
        for (String[] row : rows) {
            if (column < row.length && row[column].matches("\\d{1,7}")) {
                names.putIfAbsent(Integer.parseInt(row[column]), name(row, column));
            }
        }
        int last = names.isEmpty() ? -1 : names.keySet().stream().max(Integer::compare).orElseThrow();
        if (last >= Math.max(classes, 0) + 1) {
            throw new GraftException(file + " names class " + last + ", the network has " + classes + " outputs");
        }
        // Some lists name only the classes that occur: the others keep their number.
        int size = last == classes ? classes + 1 : classes;
        List<String> all = new ArrayList<>();
        for (int i = 0; i < size; i++) {
            all.add(names.getOrDefault(i, Integer.toString(i)));
        }
        return all;
    }

    /** The first column that holds a number in every line but perhaps the first. */
    private static int indexColumn(Path file, List<String[]> rows) {
        List<String[]> body = rows.size() > 1 ? rows.subList(1, rows.size()) : rows;
        for (int c = 0; c < body.getFirst().length; c++) {
            int column = c;
            if (body.stream().allMatch(r -> column < r.length && r[column].matches("\\d{1,7}"))) {
                return c;
            }
        }
        throw new GraftException(file + " has columns, but none with the index of the class in every line");
    }

    /** The last column that is not the index. */
    private static String name(String[] row, int index) {
        for (int c = row.length - 1; c >= 0; c--) {
            if (c != index && !row[c].isBlank()) {
                return row[c].strip();
            }
        }
        return row[index];
    }
}
