package dev.graft.cli.demo;

import dev.graft.nn.data.image.Normalize;
import dev.graft.nn.data.image.Transforms;
import dev.graft.nn.ParamSelector;
import dev.graft.nn.optim.Schedule;
import dev.graft.nn.optim.Sgd;
import dev.graft.nn.transfer.FineTunePlan;
import dev.graft.nn.transfer.StagedNetwork;
import dev.graft.nn.transfer.Strategy;
import dev.graft.tensor.GraftException;
import java.util.List;

/**
 * What the demo compares, in numbers. Every strategy has the same images, epochs and batches, and is judged after its last
 * epoch, so that no test image helps to choose anything.
 *
 * @param seeds         runs of each strategy, each with training images of its own
 * @param epochs        of each run
 * @param trainPerClass training images of a class
 * @param watchPerClass test images of a class that the curves show, epoch by epoch
 * @param testPerClass  test images of a class that judge the result
 * @param batch         images a step
 */
public record DemoSettings(int seeds, int epochs, int trainPerClass, int watchPerClass, int testPerClass, int batch) {
    public static final DemoSettings FULL = new DemoSettings(3, 16, 15, 10, 50, 32);
    public static final DemoSettings QUICK = new DemoSettings(1, 10, 15, 5, 30, 32);

    /** In the order in which they are shown: the comparison first. */
    static final List<Strategy> STRATEGIES = List.of(Strategy.SCRATCH, Strategy.FEATURES, Strategy.FINETUNE,
            Strategy.GRADUAL);
    static final Transforms TRAIN = Transforms.trainSmall(ShapePainter.SIZE, 4, Normalize.IMAGENET);
    static final Transforms EVAL = Transforms.of(Normalize.IMAGENET);

    public DemoSettings {
        if (seeds < 1 || watchPerClass > testPerClass) {
            throw new GraftException("demo: " + seeds + " seeds and " + watchPerClass + " of " + testPerClass
                    + " test images to watch make no sense: use at least one seed, and at most all images");
        }
    }

    public DemoSettings withSeeds(int n) {
        return new DemoSettings(n, epochs, trainPerClass, watchPerClass, testPerClass, batch);
    }

    /** The task in a sentence. */
    public String describe() {
        return trainPerClass + " drawn images a class to learn from (" + String.join(", ", DrawnTask.classes()) + "), "
                + testPerClass + " a class for the test, " + epochs + " epochs, " + seeds
                + (seeds == 1 ? " seed" : " seeds");
    }

    /**
     * The plan of one run. Drawings are far from the photographs of the pretraining, so the backbone learns as fast as the
     * head, and batch norms that are trained learn their statistics too. Features are computed once, which leaves no place
     * for augmentation; with it the frozen network did no better.
     */
    FineTunePlan plan(Strategy strategy, StagedNetwork net, long seed) {
        FineTunePlan p = FineTunePlan.of(strategy, net, epochs).withBatch(batch).withSeed(seed).restoreBest(false)
                .withSchedule(Schedule.oneCycle()).withFixedStatistics(ParamSelector.NONE)
                .withRule(new Sgd(rate(strategy), 0.9).withWeightDecay(5e-4).withNesterov());
        return strategy == Strategy.FINETUNE ? p.withGroups() : p;
    }

    /** The best of those tried for each strategy, with other images for training and for the test than the demo's. */
    static double rate(Strategy strategy) {
        return switch (strategy) {
            case SCRATCH -> 0.05;
            case FEATURES, FINETUNE -> 0.1;
            case GRADUAL -> 0.5;
        };
    }
}
