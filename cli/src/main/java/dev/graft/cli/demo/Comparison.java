package dev.graft.cli.demo;

import dev.graft.cli.report.EpochRow;
import dev.graft.cli.report.StrategyRow;
import dev.graft.nn.Parameter;
import dev.graft.nn.data.DataSplit;
import dev.graft.nn.data.Dataset;
import dev.graft.nn.data.ImageArrays;
import dev.graft.nn.data.image.RgbImage;
import dev.graft.nn.transfer.FineTuneResult;
import dev.graft.nn.transfer.FineTuning;
import dev.graft.nn.transfer.StagedNetwork;
import dev.graft.nn.transfer.Strategy;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/** Trains the drawn task by every strategy with every seed, and examines each network on the same test images. */
public final class Comparison {
    private final DemoSettings settings;
    private final Supplier<StagedNetwork> backbone;
    private final Consumer<Done> listener;

    /**
     * One run.
     *
     * @param accuracy on the test images
     * @param seconds  of training, setting up included
     */
    public record Done(Strategy strategy, long seed, double accuracy, double seconds) {}

    private record Run(double accuracy, double seconds, long trainable, List<EpochRow> history, Examination examination) {}

    /** @param backbone a new pretrained network on every call */
    public Comparison(DemoSettings settings, Supplier<StagedNetwork> backbone, Consumer<Done> listener) {
        this.settings = settings;
        this.backbone = backbone;
        this.listener = listener;
    }

    public Outcome run() {
        List<Strategy> strategies = DemoSettings.STRATEGIES;
        List<List<Run>> runs = new ArrayList<>();
        strategies.forEach(s -> runs.add(new ArrayList<>()));
        DrawnTask first = null;
        for (long seed = 1; seed <= settings.seeds(); seed++) {
            DrawnTask task = DrawnTask.draw(seed, settings.trainPerClass(), settings.testPerClass());
            first = first == null ? task : first;
            for (int i = 0; i < strategies.size(); i++) {
                Run r = run(strategies.get(i), task, seed);
                runs.get(i).add(r);
                listener.accept(new Done(strategies.get(i), seed, r.accuracy(), r.seconds()));
            }
        }
        List<StrategyRow> rows = new ArrayList<>();
        for (int i = 0; i < strategies.size(); i++) {
            rows.add(row(strategies.get(i), runs.get(i)));
        }
        int best = IntStream.range(0, rows.size()).reduce((a, b) -> rows.get(b).mean() > rows.get(a).mean() ? b : a)
                .orElseThrow();
        return new Outcome(rows, best, runs.get(best).getFirst().examination(), first);
    }

    private Run run(Strategy strategy, DrawnTask task, long seed) {
        long start = System.nanoTime();
        Dataset test = dataset(task.test());
        DataSplit data = new DataSplit(dataset(task.train()), test.subset(watched()));
        try (StagedNetwork net = backbone.get()) {
            FineTuneResult result = new FineTuning(net, settings.plan(strategy, net, seed), data, DemoSettings.TRAIN,
                    DemoSettings.EVAL).cache(null).run();
            double seconds = (System.nanoTime() - start) / 1e9;
            long trainable = net.parameters().values().stream().filter(Parameter::trainable)
                    .mapToLong(Parameter::size).sum();
            Examination exam = Examination.of(net, test, DemoSettings.EVAL);
            return new Run(exam.accuracy(), seconds, trainable, result.training().history().rows().stream()
                    .map(EpochRow::of).toList(), exam);
        }
    }

    /** The first test images of every class. */
    private int[] watched() {
        int per = settings.testPerClass();
        return IntStream.range(0, DrawnTask.classes().size() * per).filter(i -> i % per < settings.watchPerClass())
                .toArray();
    }

    static Dataset dataset(List<DrawnTask.Sample> samples) {
        return new ImageArrays(
                samples.stream().map(s -> new RgbImage(ShapePainter.SIZE, ShapePainter.SIZE, s.rgb())).toList(),
                samples.stream().mapToInt(DrawnTask.Sample::label).toArray(), DrawnTask.classes());
    }

    private static StrategyRow row(Strategy strategy, List<Run> runs) {
        return new StrategyRow(strategy.label(), meaning(strategy), runs.stream().map(Run::accuracy).toList(),
                runs.stream().mapToDouble(Run::seconds).average().orElse(Double.NaN), runs.getFirst().trainable(),
                runs.getFirst().history());
    }

    private static String meaning(Strategy strategy) {
        return switch (strategy) {
            case SCRATCH -> "all layers, from random weights";
            case FEATURES -> "a new head on the frozen pretrained network";
            case FINETUNE -> "all layers, from the pretrained weights";
            case GRADUAL -> "the head first, then more and more layers below it";
        };
    }
}
