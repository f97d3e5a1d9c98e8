package dev.graft.cli.report;

import dev.graft.tensor.GraftException;
import java.util.List;
import java.util.Map;

/**
 * A table of text for a report, such as the plan. A column in which every value starts like a number is set flush right.
 *
 * @param caption what the table shows
 * @param columns headings
 * @param rows    one value per column
 */
public record Table(String caption, List<String> columns, List<List<String>> rows) {
    public Table {
        columns = List.copyOf(columns);
        rows = rows.stream().map(List::copyOf).toList();
        for (List<String> row : rows) {
            if (row.size() != columns.size()) {
                throw new GraftException("table '" + caption + "' has " + columns.size() + " columns, but a row with "
                        + row.size() + " values: " + row);
            }
        }
    }

    /** Two columns: name and value, in the map's order. */
    public static Table of(String caption, Map<String, String> values) {
        return new Table(caption, List.of("Name", "Value"),
                values.entrySet().stream().map(e -> List.of(e.getKey(), e.getValue())).toList());
    }

    boolean isNumeric(int column) {
        return !rows.isEmpty() && rows.stream().allMatch(r -> r.get(column).matches("(?s)[-+0-9.–].*"));
    }
}
