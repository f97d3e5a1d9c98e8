package dev.graft.cli;

import dev.graft.cli.report.EpochRow;
import dev.graft.cli.report.RunFiles;
import dev.graft.cli.report.RunSummary;
import dev.graft.nn.data.DataSplit;
import dev.graft.nn.data.ImageFolder;
import dev.graft.nn.data.image.Normalize;
import dev.graft.nn.data.image.Transforms;
import dev.graft.nn.io.AtomicFile;
import dev.graft.nn.optim.Schedule;
import dev.graft.nn.optim.Sgd;
import dev.graft.nn.train.TrainingCheckpoint;
import dev.graft.nn.transfer.FineTunePlan;
import dev.graft.nn.transfer.FineTuneResult;
import dev.graft.nn.transfer.FineTuning;
import dev.graft.nn.transfer.Strategy;
import dev.graft.pretrained.ModelZoo;
import dev.graft.pretrained.PretrainedModel;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Visibility;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code graft pretrain}: what made the network that comes with Graft. */
@Command(
        name = "pretrain",
        description = {"Train a network from random weights on many small images of one size, such as CIFAR-10's.",
            "SGD with Nesterov momentum 0.9, weight decay 5e-4, one-cycle schedule; random crops and flips.",
            "Writes model.safetensors (float16), history.csv, result.json, log.txt and checkpoints."},
        mixinStandardHelpOptions = true,
        sortOptions = false,
        footer = {"", "Example:",
            "  graft pretrain --data cifar10-train-jpeg.zip --test cifar10-jpeg-subset.zip --epochs 8 --out backbone"})
final class Pretrain implements Callable<Integer> {
    private static final int PADDING = 4;
    private static final String LOG = "log.txt";

    @Spec
    private CommandSpec spec;

    @Option(names = "--data", paramLabel = "ZIP-OR-FOLDER", required = true, description = "Training images.")
    private Path data;

    @Option(names = "--test", paramLabel = "ZIP-OR-FOLDER",
            description = "Test images (its val or test part). Default: a part of the training images.")
    private Path test;

    @Option(names = "--model", paramLabel = "NAME", description = "Network.", defaultValue = "resnet20_cifar",
            showDefaultValue = Visibility.ALWAYS)
    private String model;

    @Option(names = "--epochs", paramLabel = "N", defaultValue = "8", showDefaultValue = Visibility.ALWAYS,
            description = "Passes over the training images.")
    private int epochs;

    @Option(names = "--batch", paramLabel = "N", defaultValue = "128", showDefaultValue = Visibility.ALWAYS,
            description = "Images a step.")
    private int batch;

    @Option(names = "--lr", paramLabel = "X", defaultValue = "0.2", showDefaultValue = Visibility.ALWAYS,
            description = "Highest learning rate.")
    private double lr;

    @Option(names = "--seed", paramLabel = "N", defaultValue = "1", showDefaultValue = Visibility.ALWAYS,
            description = "Of everything random.")
    private long seed;

    @Option(names = "--out", paramLabel = "DIR", required = true, description = "Folder for the results.")
    private Path folder;

    @Mixin
    private Threads threads;

    @Mixin
    private Devices devices;

    @Mixin
    private Precisions precision;

    @Option(names = "--resume", description = "Go on from the newest checkpoint in DIR; give the same options as before.")
    private boolean resume;

    @Override
    public Integer call() throws IOException {
        PrintWriter out = spec.commandLine().getOut();
        threads.apply();
        Device device = devices.choose(out);
        if (!resume) {
            OutputFolder.checkFree(folder);
        }
        // Not every image is looked at beforehand: a broken one among many thousands is left out when it is met.
        try (ImageFolder train = ImageFolder.open(data, ImageFolder.Options.DEFAULT.with(ImageFolder.Check.NONE));
                ImageFolder other = test == null ? null : ImageFolder.open(test)) {
            DataSplit split = other == null ? train.split() : new DataSplit(train.train(), other.validation()
                    .orElse(other.train()));
            try (PretrainedModel m = ModelZoo.find(model).random(split.classes());
                    TrainingCheckpoint saved = resume ? TrainingCheckpoint.latest(folder) : null) {
                OutputFolder.create(folder);
                m.to(device);
                run(m, split, saved, out);
            }
        }
        return 0;
    }

    private void run(PretrainedModel m, DataSplit split, TrainingCheckpoint saved, PrintWriter out) throws IOException {
        FineTunePlan plan = FineTunePlan.of(Strategy.SCRATCH, m.network(), epochs)
                .withRule(new Sgd(lr, 0.9, 0, 5e-4, true)).withSchedule(Schedule.oneCycle()).withBatch(batch).withSeed(seed)
                .withPrecision(precision.chosen).restoreBest(false);
        int size = m.card().inputSize();
        FineTuning tuning = new FineTuning(m.network(), plan, split,
                Transforms.trainSmall(size, PADDING, Normalize.IMAGENET), Transforms.of(Normalize.IMAGENET))
                .cache(null).checkpoints(folder).progress(true);
        if (saved != null) {
            if (!FineTunePlan.fromJson(saved.plan()).equals(plan)) {
                throw new GraftException(saved.file() + " was saved with another recipe: give the same --epochs, --batch,"
                        + " --lr, --precision and --seed as before");
            }
            tuning.resume(saved);
        }
        out.println(split);
        tuning.prepare();
        out.println(plan.describe(m.network()));
        out.flush();
        FineTuneResult result = tuning.on(new EpochLines(out, epochs)).run();
        write(m, split, plan, result, out);
    }

    private void write(PretrainedModel m, DataSplit split, FineTunePlan plan, FineTuneResult result, PrintWriter out)
            throws IOException {
        var rows = result.training().history().rows();
        double accuracy = result.accuracy();
        m.save(folder.resolve(RunFiles.MODEL), DType.F16);
        AtomicFile.writeText(folder.resolve(RunFiles.PLAN), plan.toJson() + "\n");
        RunFiles.writeHistory(folder, rows.stream().map(EpochRow::of).toList());
        StringBuilder log = new StringBuilder(split.toString()).append('\n').append(plan.describe(m.network()));
        rows.forEach(r -> log.append(r).append('\n'));
        log.append("accuracy of the last epoch's weights on ").append(split.validation().size()).append(" test images: ")
                .append(accuracy).append('\n');
        AtomicFile.writeText(folder.resolve(LOG), log.toString());
        RunFiles.writeResult(folder, new RunSummary(m.name(), plan.strategy(), split.classes(), split.train().size(),
                split.validation().size(), accuracy, rows.size(), rows.size(), result.training().seconds(),
                result.training().samplesPerSecond(), m.network().parameterCount(), m.network().parameterCount(), seed));
        out.printf(Locale.ROOT, "%nAccuracy %.1f %% on %d test images; %s%n", 100 * accuracy,
                split.validation().size(), folder.resolve(RunFiles.MODEL));
        out.flush();
    }
}
