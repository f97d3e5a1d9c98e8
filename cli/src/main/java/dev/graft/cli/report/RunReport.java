package dev.graft.cli.report;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * The report of one fine-tuning run.
 *
 * @param summary     what {@code result.json} holds
 * @param history     one row per epoch
 * @param plan        the fine-tuning plan
 * @param confusion   on the validation images, by the saved model
 * @param samples     validation images with predictions; show the wrong ones first
 * @param settings    every setting that reproduces the run
 * @param environment machine, JVM, backend
 */
public record RunReport(
        RunSummary summary,
        List<EpochRow> history,
        Table plan,
        Confusion confusion,
        List<SamplePrediction> samples,
        Table settings,
        Table environment) {
    public RunReport {
        history = List.copyOf(history);
        samples = List.copyOf(samples);
    }

    /** Writes {@code report.html} into {@code folder}. */
    public void write(Path folder) throws IOException {
        AtomicFile.write(folder.resolve(RunFiles.REPORT), html());
    }

    String html() {
        RunSummary s = summary;
        Page page = new Page(s.model() + ": " + s.strategy());
        page.html.element("p", s.classes().size() + " classes, " + Page.count(s.trainImages()) + " training and "
                + Page.count(s.valImages()) + " validation images", "class", "soft").newLine();
        page.facts("Best validation accuracy", Page.percent(s.bestValAccuracy()),
                "Best epoch", s.bestEpoch() + " of " + s.epochs(),
                "Time", Page.duration(s.seconds()),
                "Images per second", Page.count(Math.round(s.imagesPerSecond())),
                "Trainable parameters", Page.count(s.trainableParameters()),
                "All parameters", Page.count(s.parameters()));
        page.heading("Training");
        page.charts(Page.curves(history, s.bestEpoch()));
        page.heading("Confusion matrix");
        page.confusion(confusion);
        if (!samples.isEmpty()) {
            page.heading("Sample predictions");
            page.samples(samples);
        }
        page.heading("Plan");
        page.table(plan);
        page.heading("Settings");
        page.table(settings);
        page.heading("Environment");
        page.table(environment);
        return page.finish();
    }
}
