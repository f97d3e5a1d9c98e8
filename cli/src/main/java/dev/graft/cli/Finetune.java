package dev.graft.cli;

import dev.graft.nn.transfer.Strategy;
import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Visibility;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code graft finetune}: trains a network on a folder of images, and goes on with a run that was interrupted. */
@Command(
        name = "finetune",
        description = {"Fine-tune a pretrained network on a folder of images.",
            "The images lie in DIR/train/CLASS/ and DIR/val/CLASS/, or in DIR/CLASS/ (then a part is kept for validation)."},
        mixinStandardHelpOptions = true,
        sortOptions = false,
        footer = {"",
            "Strategies:",
            "  features   the network is frozen, only a new head is trained (fast)",
            "  finetune   all layers, the backbone at a tenth of the head's learning rate",
            "  gradual    the head first, then more and more layers below it",
            "  scratch    all layers from random weights, for comparison",
            "",
            "Examples:",
            "  graft finetune --model mobilenet_v2 --weights mobilenet_v2.safetensors --data photos --out run1",
            "  graft finetune --model resnet20_cifar --data icons --strategy finetune --epochs 10 --out run2",
            "  graft finetune --resume run2"})
final class Finetune implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Mixin
    private ModelArguments network;

    @Option(names = "--data", paramLabel = "DIR", description = "Folder or zip file of images, one folder per class.")
    private Path data;

    @Option(names = "--out", paramLabel = "DIR", description = "New folder for the results.")
    private Path out;

    @Option(names = "--resume", paramLabel = "DIR",
            description = "Go on with the interrupted run in DIR; everything is read from there.")
    private Path resume;

    @Option(names = "--strategy", paramLabel = "S", description = "scratch, features, finetune or gradual.",
            defaultValue = "features", showDefaultValue = Visibility.ALWAYS)
    private String strategy;

    @Option(names = "--freeze", paramLabel = "PATTERN",
            description = "Freeze what matches as well, such as 'features.0.*'. Repeatable.")
    private final List<String> freeze = new ArrayList<>();

    @Option(names = "--epochs", paramLabel = "N",
            description = "Default: 20 (features, scratch), 8 (finetune), 10 (gradual).")
    private Integer epochs;

    @Option(names = "--batch", paramLabel = "N", description = "Images a step. Default: 32.")
    private Integer batch;

    @Option(names = "--lr", paramLabel = "X",
            description = "Learning rate of AdamW for the head. Default: 0.002 (features), 0.0005 (finetune), 0.001."
                    + " The backbone has a tenth of it.")
    private Double lr;

    @Option(names = "--seed", paramLabel = "N", description = "Of everything random.", defaultValue = "0",
            showDefaultValue = Visibility.ALWAYS)
    private long seed;

    @Option(names = "--augment", negatable = true,
            description = "Vary training images at random. Default: all strategies but features do.")
    private Boolean augment;

    @Option(names = "--feature-cache", paramLabel = "F", description = "What frozen layers make of each image is computed"
            + " once and kept as float16, float32 or int8; auto: as float16 (int8 where there is no room for that) where"
            + " that is no larger than the images; off: not kept.",
            defaultValue = "auto", showDefaultValue = Visibility.ALWAYS)
    private String featureCache;

    @Option(names = "--augmented-copies", paramLabel = "N", description = "Vary each training image in N ways, one after the"
            + " other, instead of anew in every epoch: then frozen layers' features can be kept. Default: 0, no such limit.",
            defaultValue = "0")
    private int augmentedCopies;

    @Option(names = "--label-smoothing", paramLabel = "X", description = "Of the loss, 0 to 1.", defaultValue = "0")
    private double labelSmoothing;

    @Option(names = "--patience", paramLabel = "N",
            description = "Stop after N epochs without a better validation accuracy. Default: run all.", defaultValue = "0")
    private int patience;

    @Option(names = "--val-fraction", paramLabel = "X",
            description = "Share of the images kept for validation where DIR has no val folder.", defaultValue = "0.2",
            showDefaultValue = Visibility.ALWAYS)
    private double valFraction;

    @Option(names = "--no-cache", description = "Do not keep features of frozen layers on disk for later runs.")
    private boolean noCache;

    @Mixin
    private Threads threads;

    @Option(names = "--workers", paramLabel = "N", converter = Threads.Count.class, description = "Threads that decode and"
            + " vary images ahead of the training; with 0 the training thread does it. Default: half as many as compute,"
            + " from 1 to 8.")
    private Integer workers;

    @Mixin
    private Devices devices;

    @Mixin
    private Precisions precision;

    @Option(names = "--profile", paramLabel = "FILE",
            description = "Time every op of the training, print the slowest and write FILE for chrome://tracing.")
    private Path profile;

    @Option(names = "--nan-guard", description = "Stop at the first op that makes NaN or infinity, and name it. Slow.")
    private boolean nanGuard;

    @Override
    public Integer call() throws IOException {
        PrintWriter to = spec.commandLine().getOut();
        FineTuneRun run;
        Watch.check(profile);
        if (resume != null) {
            checkResumeAlone();
            run = FineTuneRun.resume(resume, devices.choose(to), threads.chosen, workers, to);
        } else {
            require(network.model, "--model");
            require(data, "--data");
            require(out, "--out");
            Strategy s = Strategy.parse(strategy);
            Device device = devices.choose(to);
            OutputFolder.checkFree(out);
            run = FineTuneRun.begin(new FineTuneRun.Request(network.choose(), network.weights, data, valFraction,
                    threads.chosen, workers, !noCache, device), new Recipe(s, freeze, epochs, batch, lr, seed, augment,
                    featureCache.toLowerCase(Locale.ROOT), augmentedCopies, labelSmoothing, patience, precision.chosen),
                    out, to);
        }
        try (run) {
            new Watch(profile, nanGuard, to).over(run::execute);
        }
        to.flush();
        return 0;
    }

    private void require(Object value, String option) {
        if (value == null) {
            throw new ParameterException(spec.commandLine(), "Missing required option: '" + option
                    + "' (or --resume DIR, which needs nothing else)");
        }
    }

    private void checkResumeAlone() {
        List<String> free = List.of("--resume", "--threads", "--workers", "--device", "--profile", "--nan-guard", "--debug");
        List<String> others = spec.commandLine().getParseResult().matchedOptions().stream().map(OptionSpec::longestName)
                .filter(n -> !free.contains(n)).toList();
        if (!others.isEmpty()) {
            throw new GraftException("--resume goes on with the run as it was begun, so " + String.join(", ", others)
                    + " cannot be changed: leave it out, or begin a new run with --out");
        }
    }
}
