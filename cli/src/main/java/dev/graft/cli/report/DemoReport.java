package dev.graft.cli.report;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/**
 * The report of the demo: strategies side by side.
 *
 * @param task        what the task is, in a sentence or two
 * @param rows        strategies, in the order they are shown
 * @param pictures    some of the training images
 * @param classes     names of the classes, top to bottom in {@code pictures}
 * @param confusion   of the best strategy
 * @param samples     predictions of the best strategy
 * @param settings    every setting that reproduces the demo
 * @param environment machine, JVM, backend
 */
public record DemoReport(
        String task,
        List<StrategyRow> rows,
        BufferedImage pictures,
        List<String> classes,
        Confusion confusion,
        List<SamplePrediction> samples,
        Table settings,
        Table environment) {
    public DemoReport {
        rows = List.copyOf(rows);
        classes = List.copyOf(classes);
        samples = List.copyOf(samples);
    }

    public void write(Path file) throws IOException {
        AtomicFile.write(file, html());
    }

    String html() {
        Page page = new Page("Does transfer learning help?");
        page.html.element("p", task).newLine();
        comparison(page);
        page.heading("Accuracy while training (first seed)");
        List<StrategyRow> shown = rows.subList(0, Math.min(LineChart.MOST, rows.size()));
        page.charts(List.of(
                new LineChart("Test accuracy", true,
                        shown.stream().map(r -> Page.series(r.strategy(), r.history(), EpochRow::valAccuracy)).toList(), 0),
                new LineChart("Training loss", false,
                        shown.stream().map(r -> Page.series(r.strategy(), r.history(), EpochRow::trainLoss)).toList(), 0)));
        page.heading("Training images");
        page.picture(pictures, "Training images, one row per class: " + String.join(", ", classes));
        page.heading("Confusion matrix of the best strategy");
        page.confusion(confusion);
        page.heading("Predictions of the best strategy");
        page.samples(samples);
        page.heading("Settings");
        page.table(settings);
        page.heading("Environment");
        page.table(environment);
        return page.finish();
    }

    private void comparison(Page page) {
        Html html = page.html;
        page.heading("Strategies compared");
        page.openTable("Accuracy on the test images: mean, lowest and highest of the seeds; time of one run.", "");
        html.open("thead").open("tr");
        for (String c : List.of("Strategy", "What is trained", "Accuracy", "")) {
            html.element("th", c, "scope", "col");
        }
        for (String c : List.of("Lowest", "Highest", "Time", "Parameters trained")) {
            html.element("th", c, "scope", "col", "class", "number");
        }
        html.close().close().open("tbody");
        for (StrategyRow r : rows) {
            double width = Double.isFinite(r.mean()) ? 100 * Math.clamp(r.mean(), 0, 1) : 0;
            html.open("tr").element("th", r.strategy(), "scope", "row").element("td", r.meaning());
            html.element("td", Page.percent(r.mean()), "class", "number");
            html.open("td").open("span", "class", "bar", "aria-hidden", "true")
                    .element("span", "", "style", String.format(Locale.ROOT, "width: %.1f%%", width)).close().close();
            html.element("td", Page.percent(r.lowest()), "class", "number");
            html.element("td", Page.percent(r.highest()), "class", "number");
            html.element("td", Page.duration(r.seconds()), "class", "number");
            html.element("td", Page.count(r.trainableParameters()), "class", "number");
            html.close().newLine();
        }
        html.close().close().close().newLine();
    }
}
