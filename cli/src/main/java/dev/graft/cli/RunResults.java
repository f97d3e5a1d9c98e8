package dev.graft.cli;

import dev.graft.cli.report.Confusion;
import dev.graft.cli.report.EpochRow;
import dev.graft.cli.report.RunFiles;
import dev.graft.cli.report.RunReport;
import dev.graft.cli.report.RunSummary;
import dev.graft.cli.report.SamplePrediction;
import dev.graft.cli.report.Table;
import dev.graft.nn.Parameter;
import dev.graft.nn.data.DataSplit;
import dev.graft.nn.train.TrainResult;
import dev.graft.nn.transfer.FineTunePlan;
import dev.graft.nn.transfer.FineTuneResult;
import dev.graft.nn.transfer.FineTuneResult.Prediction;
import dev.graft.pretrained.PretrainedModel;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Turns the outcome of a run into the files of its folder. Each appears whole or not at all. */
record RunResults(RunConfig config, FineTunePlan plan, DataSplit data, PretrainedModel model, FineTuneResult result) {
    private static final int SAMPLES = 24;

    void write(Path folder, PrintWriter to) throws IOException {
        RunSummary summary = summary();
        List<EpochRow> history = result.training().history().rows().stream().map(EpochRow::of).toList();
        model.save(folder.resolve(RunFiles.MODEL));
        RunFiles.writeHistory(folder, history);
        RunFiles.writeResult(folder, summary);
        new RunReport(summary, history, planTable(), confusion(), samples(), settings(folder),
                Environment.table(model.network().device()))
                .write(folder);
        to.printf(Locale.ROOT, "%nBest validation accuracy %.1f %% (epoch %d of %d), %.1f s%n",
                100 * summary.bestValAccuracy(), summary.bestEpoch(), summary.epochs(), summary.seconds());
        to.println("  network  " + folder.resolve(RunFiles.MODEL) + "   (graft predict --run " + folder + " IMAGE...)");
        to.println("  report   " + folder.resolve(RunFiles.REPORT));
        to.println("  numbers  " + folder.resolve(RunFiles.RESULT) + ", " + RunFiles.HISTORY + ", " + RunFiles.PLAN);
    }

    private RunSummary summary() {
        TrainResult t = result.training();
        long trainable = model.network().parameters().values().stream().filter(Parameter::trainable)
                .mapToLong(Parameter::size).sum();
        return new RunSummary(config.model(), plan.strategy(), data.classes(), data.train().size(), data.validation().size(),
                t.best(), t.bestEpoch() + 1, t.history().rows().size(), t.seconds() + result.featureSeconds(),
                t.samplesPerSecond(), model.network().parameterCount(), trainable, plan.seed());
    }

    private Confusion confusion() {
        return new Confusion(data.classes(), result.confusion().counts().stream()
                .map(row -> row.stream().mapToInt(Math::toIntExact).toArray()).toArray(int[][]::new));
    }

    /** The surest mistakes first, then the least sure hits. */
    private List<SamplePrediction> samples() {
        Comparator<Prediction> order = Comparator.comparing((Prediction p) -> p.predicted() == p.label())
                .thenComparingDouble(p -> p.predicted() == p.label() ? probability(p) : -probability(p))
                .thenComparingInt(Prediction::sample);
        List<SamplePrediction> shown = new ArrayList<>();
        for (Prediction p : result.predictions().stream().sorted(order).limit(SAMPLES).toList()) {
            Path file = Path.of(data.validation().name(p.sample()).replace('!', '/'));
            int names = file.getNameCount();
            shown.add(new SamplePrediction(file.subpath(Math.max(0, names - 2), names).toString(),
                    data.classes().get(p.label()), data.classes().get(p.predicted()), probability(p),
                    Thumbnail.of(data.validation().image(p.sample()))));
        }
        return shown;
    }

    private static double probability(Prediction p) {
        return p.probabilities()[p.predicted()];
    }

    private Table planTable() {
        Map<String, String> rows = new LinkedHashMap<>();
        rows.put("Strategy", plan.strategy());
        rows.put("Frozen", plan.frozen().isEmpty() ? "nothing" : plan.frozen().toString());
        plan.unfreezing().forEach(u -> rows.put("Unfrozen from epoch " + (u.epoch() + 1), u.selector().toString()));
        rows.put("Optimizer", plan.rule().toString());
        plan.groups().forEach(g -> rows.put("Group " + g.name(), g.selector() + ", learning rate "
                + String.format(Locale.ROOT, "%.3g", g.baseLr(plan.rule()))));
        rows.put("Schedule", plan.schedule().toString());
        rows.put("Epochs", plan.epochs() + (plan.patience() > 0 ? ", patience " + plan.patience() : ""));
        rows.put("Batch", Integer.toString(plan.batch()));
        rows.put("Label smoothing", Double.toString(plan.labelSmoothing()));
        rows.put("Augmentation", plan.augmentation() ? "yes" : "no");
        rows.put("Stages computed once", Integer.toString(result.cachedStages()));
        return Table.of("Plan", rows);
    }

    private Table settings(Path folder) {
        Map<String, String> rows = new LinkedHashMap<>();
        rows.put("Model", config.model());
        config.options().forEach((k, v) -> rows.put("Model option " + k, v));
        rows.put("Weights", config.weights() != null ? config.weights() : plan.randomWeights() ? "random" : "in Graft");
        rows.put("Images", config.data());
        rows.put("Preprocessing", config.preprocessing().toString());
        rows.put("Seed", Long.toString(plan.seed()));
        rows.put("Folder", folder.toString());
        return Table.of("Settings of this run", rows);
    }
}
