package dev.graft.cli;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;

/** A table for the terminal: columns as wide as their widest value, two spaces between them. */
final class TextTable {
    private final boolean[] flushRight;
    private final List<String[]> rows = new ArrayList<>();

    /** Column headings; one that starts with {@code "> "} sets its column flush right. */
    TextTable(String... headings) {
        flushRight = new boolean[headings.length];
        String[] first = headings.clone();
        for (int i = 0; i < first.length; i++) {
            flushRight[i] = first[i].startsWith("> ");
            first[i] = flushRight[i] ? first[i].substring(2) : first[i];
        }
        rows.add(first);
    }

    TextTable row(String... values) {
        if (values.length != flushRight.length) {
            throw new IllegalArgumentException(flushRight.length + " columns, but " + values.length + " values");
        }
        String[] row = new String[values.length];
        for (int i = 0; i < row.length; i++) {
            row[i] = printable(values[i]);
        }
        rows.add(row);
        return this;
    }

    void print(PrintWriter out) {
        int[] widths = new int[flushRight.length];
        for (String[] row : rows) {
            for (int i = 0; i < widths.length; i++) {
                widths[i] = Math.max(widths[i], row[i].length());
            }
        }
        for (int r = 0; r < rows.size(); r++) {
            StringBuilder line = new StringBuilder();
            for (int i = 0; i < widths.length; i++) {
                String pad = " ".repeat(widths[i] - rows.get(r)[i].length());
                line.append(i == 0 ? "" : "  ").append(flushRight[i] ? pad + rows.get(r)[i] : rows.get(r)[i] + pad);
            }
            out.println(line.toString().stripTrailing());
            if (r == 0) {
                out.println("-".repeat(line.length()));
            }
        }
    }

    /** {@code text} with control characters replaced: names come from files, and must not steer the terminal. */
    static String printable(String text) {
        return text.replaceAll("[\\p{Cntrl}\\x{202a}-\\x{202e}\\x{2066}-\\x{2069}]", "\ufffd");
    }
}
