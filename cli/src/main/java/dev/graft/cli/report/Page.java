package dev.graft.cli.report;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;
import javax.imageio.ImageIO;

/** The parts that reports are put together from. One page is one file: style and pictures are inside it. */
final class Page {
    final Html html = new Html();

    Page(String title) {
        html.open("html", "lang", "en").open("head").empty("meta", "charset", "utf-8")
                .empty("meta", "name", "viewport", "content", "width=device-width, initial-scale=1")
                .element("title", title).newLine().open("style");
        html.text(style()).close().close().newLine();
        html.open("body").open("main").element("h1", title).newLine();
    }

    private static String style() {
        try (InputStream in = Page.class.getResourceAsStream("report.css")) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException("report.css cannot be read from the jar", e);
        }
    }

    String finish() {
        return html.close().close().close().document();
    }

    void heading(String text) {
        html.element("h2", text).newLine();
    }

    /** Figures that stand out, as names and values in turn. */
    void facts(String... namesAndValues) {
        html.open("dl", "class", "facts");
        for (int i = 0; i < namesAndValues.length; i += 2) {
            html.open("div").element("dt", namesAndValues[i]).element("dd", namesAndValues[i + 1]).close();
        }
        html.close().newLine();
    }

    void charts(List<LineChart> charts) {
        html.open("div", "class", "charts");
        charts.stream().filter(c -> !c.isEmpty()).forEach(c -> c.writeTo(html));
        html.close().newLine();
    }

    static LineChart.Series series(String name, List<EpochRow> rows, ToDoubleFunction<EpochRow> value) {
        return new LineChart.Series(name, rows.stream().mapToDouble(EpochRow::epoch).toArray(),
                rows.stream().mapToDouble(value).toArray());
    }

    void table(Table table) {
        openTable(table.caption(), "");
        html.open("thead").open("tr");
        for (int c = 0; c < table.columns().size(); c++) {
            html.element("th", table.columns().get(c), "scope", "col", "class", table.isNumeric(c) ? "number" : "");
        }
        html.close().close().open("tbody");
        for (List<String> row : table.rows()) {
            html.open("tr").element("th", row.getFirst(), "scope", "row", "class", table.isNumeric(0) ? "number" : "");
            for (int c = 1; c < row.size(); c++) {
                html.element("td", row.get(c), "class", table.isNumeric(c) ? "number" : "");
            }
            html.close().newLine();
        }
        html.close().close().close().newLine();
    }

    void confusion(Confusion m) {
        openTable("Rows: the true class. Columns: what the network said. Shading: share of the row.", "matrix");
        html.open("thead").open("tr").element("th", "true \\ predicted", "scope", "col");
        m.classes().forEach(c -> html.element("th", c, "scope", "col"));
        html.element("th", "right", "scope", "col").close().close().open("tbody");
        for (int i = 0; i < m.classes().size(); i++) {
            html.open("tr").element("th", m.classes().get(i), "scope", "row");
            int total = m.total(i);
            for (int j = 0; j < m.classes().size(); j++) {
                int n = m.counts()[i][j];
                html.element("td", n == 0 ? "·" : String.valueOf(n), "class", i == j ? "hit" : "", "style",
                        String.format(Locale.ROOT, "--share: %.3f", total == 0 ? 0 : n / (double) total));
            }
            html.element("td", total == 0 ? "–" : percent(m.counts()[i][i] / (double) total), "style", "--share: 0");
            html.close().newLine();
        }
        html.close().close().close().newLine();
    }

    void samples(List<SamplePrediction> samples) {
        html.open("ul", "class", "samples");
        for (SamplePrediction s : samples) {
            html.open("li");
            if (s.thumbnail() != null) {
                html.empty("img", "src", png(s.thumbnail()), "class", s.thumbnail().getWidth() < 100 ? "small" : "",
                        "alt", s.file() + ", a picture of class " + s.actual());
            }
            html.element("div", (s.right() ? "✓ " : "✗ ") + s.predicted() + " " + percent(s.probability()), "class",
                    s.right() ? "right" : "wrong");
            if (!s.right()) {
                html.element("div", "is: " + s.actual());
            }
            html.element("div", s.file(), "class", "file").close().newLine();
        }
        html.close().newLine();
    }

    /** A picture with its description. */
    void picture(BufferedImage image, String alt) {
        html.open("figure").empty("img", "src", png(image), "alt", alt, "class", "wide").close().newLine();
    }

    void openTable(String caption, String style) {
        // Wide tables scroll inside their own box, reachable by keyboard, so that the page itself fits a phone.
        html.open("div", "class", "scroll", "role", "region", "tabindex", "0", "aria-label", caption)
                .open("table", "class", style).element("caption", caption);
    }

    static String percent(double share) {
        return Double.isFinite(share) ? String.format(Locale.ROOT, "%.1f %%", 100 * share) : "–";
    }

    static String count(long n) {
        return String.format(Locale.ROOT, "%,d", n).replace(',', '\u202f');
    }

    static String duration(double seconds) {
        if (seconds < 60) {
            return String.format(Locale.ROOT, "%.1f s", seconds);
        }
        long s = Math.round(seconds);
        return s < 3600 ? s / 60 + " min " + s % 60 + " s" : s / 3600 + " h " + s % 3600 / 60 + " min";
    }

    private static String png(BufferedImage image) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try {
            ImageIO.write(image, "png", bytes);
        } catch (IOException e) {
            throw new UncheckedIOException("writing to memory failed", e);
        }
        return "data:image/png;base64," + Base64.getEncoder().encodeToString(bytes.toByteArray());
    }

    /** Charts of one run: loss and accuracy, training against validation, and the learning rate. */
    static List<LineChart> curves(List<EpochRow> rows, int bestEpoch) {
        List<LineChart> charts = new ArrayList<>();
        charts.add(new LineChart("Loss", false, List.of(series("validation", rows, EpochRow::valLoss),
                series("training", rows, EpochRow::trainLoss)), bestEpoch));
        charts.add(new LineChart("Accuracy", true, List.of(series("validation", rows, EpochRow::valAccuracy),
                series("training", rows, EpochRow::trainAccuracy)), bestEpoch));
        charts.add(new LineChart("Learning rate", false,
                List.of(series("largest of all groups", rows, EpochRow::learningRate)), bestEpoch));
        return charts;
    }
}
