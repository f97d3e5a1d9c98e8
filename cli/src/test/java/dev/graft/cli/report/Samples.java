package dev.graft.cli.report;

import dev.graft.cli.demo.DrawnTask;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Made-up but complete inputs for reports. */
final class Samples {
    static final String NASTY = "a <b> & \"c\" 'd'\u0001 日本.jpg";

    private Samples() {
    }

    static List<EpochRow> history(int epochs, double best) {
        List<EpochRow> rows = new ArrayList<>();
        for (int e = 1; e <= epochs; e++) {
            double t = 1 - Math.exp(-e / 6.0);
            double wobble = 0.02 * Math.sin(5 * e);
            rows.add(new EpochRow(e, 2.3 * (1 - t) + 0.05, 0.1 + 0.88 * t, 2.3 * (1 - 0.8 * t) + 3 * wobble,
                    0.1 + (best - 0.1) * t + wobble, 0.01 * Math.cos(1.5 * e / epochs), 1.25));
        }
        return rows;
    }

    static RunSummary summary() {
        return new RunSummary("mobilenet_v2", "finetune", List.of("ants", "bees", NASTY), 244, 153, 0.941, 9, 12, 83.4, 35.1,
                2_226_434, 2_226_434, 7);
    }

    static RunReport run(int epochs) {
        DrawnTask task = DrawnTask.draw(1, 1, 1);
        List<SamplePrediction> predictions = new ArrayList<>();
        predictions.add(new SamplePrediction(NASTY, "ants", "bees", 0.612, task.train().getFirst().image()));
        predictions.add(new SamplePrediction("val/bees/none.png", "bees", "bees", 0.999, null));
        task.train().forEach(s -> predictions.add(
                new SamplePrediction("val/" + s.name() + ".png", "bees", "bees", 0.9, s.image())));
        return new RunReport(summary(), history(epochs, 0.94),
                new Table("Plan", List.of("Group", "Parameters", "Trainable", "Learning rate", "BatchNorm"), List.of(
                        List.of("features.*", "2 223 872", "yes", "0.001", "trained"),
                        List.of("classifier.1.*", "3 843", "yes", "0.01", "–"))),
                new Confusion(summary().classes(), new int[][] {{66, 4, 0}, {5, 78, 0}, {0, 0, 0}}),
                predictions, Table.of("Settings", pairs("data", NASTY, "epochs", "12")),
                Table.of("Environment", pairs("java", "25", "backend", "cpu, 2 threads")));
    }

    static DemoReport demo() {
        DrawnTask task = DrawnTask.draw(1, 12, 3);
        int n = DrawnTask.classes().size();
        int[][] counts = new int[n][n];
        for (int i = 0; i < n; i++) {
            counts[i][i] = 35;
            counts[i][(i + 3) % n] = 15;
        }
        List<SamplePrediction> predictions = task.test().stream().limit(20)
                .map(s -> new SamplePrediction(s.name(), DrawnTask.classes().get(s.label()), "cat", 0.5, s.image()))
                .toList();
        return new DemoReport("Ten classes of drawings & few images.",
                List.of(row("scratch", 0.28, 20), row("features", 0.42, 4),
                        row("finetune", 0.7, 21), row("gradual", 0.68, 17)),
                DrawnTask.contactSheet(task.train(), 12, 2), DrawnTask.classes(), new Confusion(DrawnTask.classes(), counts),
                predictions, Table.of("Settings", pairs("seeds", "1, 2, 3")), Table.of("Environment", pairs("java", "25")));
    }

    private static StrategyRow row(String name, double best, double seconds) {
        return new StrategyRow(name, "what " + name + " trains", List.of(best - 0.02, best, best + 0.03), seconds, 272_474,
                history(20, best));
    }

    private static Map<String, String> pairs(String... namesAndValues) {
        Map<String, String> map = new LinkedHashMap<>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            map.put(namesAndValues[i], namesAndValues[i + 1]);
        }
        return map;
    }
}
