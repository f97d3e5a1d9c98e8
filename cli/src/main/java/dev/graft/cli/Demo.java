package dev.graft.cli;

import dev.graft.cli.demo.Comparison;
import dev.graft.cli.demo.DemoSettings;
import dev.graft.cli.demo.Outcome;
import dev.graft.cli.report.StrategyRow;
import dev.graft.pretrained.ModelZoo;
import dev.graft.pretrained.ZooModel;
import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Visibility;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code graft demo}: shows on drawn images, without any file, what transfer learning is worth. */
@Command(
        name = "demo",
        description = {"Compare training from scratch with transfer learning on images that the program draws.",
            "Needs no file and no network; takes about a minute, with --quick some seconds."},
        mixinStandardHelpOptions = true)
final class Demo implements Callable<Integer> {
    private static final String REPORT = "report.html";

    @Spec
    private CommandSpec spec;

    @Option(names = "--quick", description = "One seed and fewer epochs.")
    private boolean quick;

    @Option(names = "--seeds", paramLabel = "N", description = "Runs of each strategy. Default: 3, with --quick 1.")
    private Integer seeds;

    @Option(names = "--out", paramLabel = "DIR", description = "Folder for the report.", defaultValue = "graft-demo",
            showDefaultValue = Visibility.ALWAYS)
    private Path folder;

    @Mixin
    private Threads threads;

    @Mixin
    private Devices devices;

    @Override
    public Integer call() throws IOException {
        PrintWriter out = spec.commandLine().getOut();
        threads.apply();
        Device device = devices.choose(out);
        DemoSettings settings = quick ? DemoSettings.QUICK : DemoSettings.FULL;
        if (seeds != null) {
            settings = settings.withSeeds(seeds);
        }
        OutputFolder.create(folder);
        ZooModel backbone = backbone();
        out.println("Task: " + settings.describe());
        out.println("Network: " + backbone.name() + ", pretrained by Graft on photographs of CIFAR-10's 10 classes");
        out.println();
        long start = System.nanoTime();
        Comparison comparison = new Comparison(settings, () -> backbone.load().to(device).network(), d -> {
            out.printf(Locale.ROOT, "seed %d  %-9s %5.1f %%  %5.1f s%n", d.seed(), d.strategy().label(), 100 * d.accuracy(),
                    d.seconds());
            out.flush();
        });
        Outcome outcome = comparison.run();
        double seconds = (System.nanoTime() - start) / 1e9;
        out.println();
        print(outcome.rows(), out);
        outcome.report(settings, backbone.name(), Environment.table(device)).write(folder.resolve(REPORT));
        out.println();
        out.printf(Locale.ROOT, "%s%nReport: %s (%.0f s in all)%n", verdict(outcome.rows(), outcome.best()),
                folder.resolve(REPORT), seconds);
        out.flush();
        return 0;
    }

    private static ZooModel backbone() {
        return ModelZoo.all().stream().filter(m -> m.hasBundledWeights() && m.card().inputSize() == 32).findFirst()
                .orElseThrow(() -> new GraftException("demo: no pretrained network is in this build of Graft;"
                        + " use a complete graft-pretrained jar"));
    }

    private static void print(List<StrategyRow> rows, PrintWriter out) {
        TextTable table = new TextTable("strategy", "what is trained", "> accuracy", "> lowest", "> highest", "> time");
        for (StrategyRow r : rows) {
            table.row(r.strategy(), r.meaning(), percent(r.mean()), percent(r.lowest()), percent(r.highest()),
                    String.format(Locale.ROOT, "%.1f s", r.seconds()));
        }
        table.print(out);
    }

    /** One sentence that says which way it came out, whichever that is. */
    private static String verdict(List<StrategyRow> rows, int best) {
        StrategyRow scratch = rows.getFirst();
        StrategyRow winner = rows.get(best);
        return best == 0 ? "Here training from scratch did best: " + percent(scratch.mean()) + "."
                : "The same images and epochs: " + percent(winner.mean()) + " with " + winner.strategy() + ", "
                        + percent(scratch.mean()) + " from scratch.";
    }

    private static String percent(double share) {
        return String.format(Locale.ROOT, "%.1f %%", 100 * share);
    }
}
