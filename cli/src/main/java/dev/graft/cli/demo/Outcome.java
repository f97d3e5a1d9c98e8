package dev.graft.cli.demo;

import dev.graft.cli.report.Confusion;
import dev.graft.cli.report.DemoReport;
import dev.graft.cli.report.SamplePrediction;
import dev.graft.cli.report.StrategyRow;
import dev.graft.cli.report.Table;
import dev.graft.nn.transfer.FineTuneResult.Prediction;
import dev.graft.nn.transfer.Strategy;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a comparison came to.
 *
 * @param rows        one per strategy
 * @param best        index of the row with the highest mean accuracy
 * @param examination of the best strategy's network with the first seed
 * @param task        the images of the first seed
 */
public record Outcome(List<StrategyRow> rows, int best, Examination examination, DrawnTask task) {
    private static final int ZOOM = 2;
    private static final int SAMPLES = 40;

    public Outcome {
        rows = List.copyOf(rows);
    }

    public DemoReport report(DemoSettings settings, String network, Table environment) {
        return new DemoReport(settings.describe() + ". Network: " + network + ", pretrained by Graft on CIFAR-10.", rows,
                DrawnTask.contactSheet(task.train(), settings.trainPerClass(), ZOOM), DrawnTask.classes(),
                new Confusion(DrawnTask.classes(), examination.counts()), samples(), settings(settings, network),
                environment);
    }

    /** Test images spread over all classes. */
    private List<SamplePrediction> samples() {
        List<SamplePrediction> shown = new ArrayList<>();
        int step = Math.max(1, examination.predictions().size() / SAMPLES);
        for (int i = 0; i < examination.predictions().size(); i += step) {
            Prediction p = examination.predictions().get(i);
            DrawnTask.Sample s = task.test().get(p.sample());
            shown.add(new SamplePrediction(s.name(), DrawnTask.classes().get(p.label()),
                    DrawnTask.classes().get(p.predicted()), p.probabilities()[p.predicted()], s.image()));
        }
        return shown;
    }

    private static Table settings(DemoSettings s, String network) {
        Map<String, String> rows = new LinkedHashMap<>();
        rows.put("Network", network);
        rows.put("Seeds", "1 to " + s.seeds() + ": each with training images, order and random weights of its own");
        rows.put("Training images", s.trainPerClass() + " a class");
        rows.put("Test images", s.testPerClass() + " a class, the same for all; the curves show " + s.watchPerClass());
        rows.put("Epochs, batch", s.epochs() + ", " + s.batch());
        rows.put("Training images pass", DemoSettings.TRAIN.toString());
        rows.put("Optimizer", "SGD, Nesterov momentum 0.9, weight decay 5e-4, one-cycle schedule");
        for (Strategy strategy : DemoSettings.STRATEGIES) {
            rows.put("Learning rate of " + strategy.label(), Double.toString(DemoSettings.rate(strategy)));
        }
        return Table.of("Settings; the learning rates were chosen with other images", rows);
    }
}
