package dev.graft.nn.transfer;

import dev.graft.nn.Inference;
import dev.graft.nn.data.DataLoader;
import dev.graft.nn.data.DataSplit;
import dev.graft.nn.data.Dataset;
import dev.graft.nn.data.LoaderOptions;
import dev.graft.nn.data.image.Transforms;
import dev.graft.nn.loss.CrossEntropy;
import dev.graft.nn.metric.ConfusionMatrix;
import dev.graft.nn.optim.GradientClip;
import dev.graft.nn.optim.Monitor;
import dev.graft.nn.optim.Optimizer;
import dev.graft.nn.train.Batches;
import dev.graft.nn.train.CheckpointPolicy;
import dev.graft.nn.train.EarlyStopping;
import dev.graft.nn.train.TrainEvent;
import dev.graft.nn.train.TrainOptions;
import dev.graft.nn.train.TrainResult;
import dev.graft.nn.train.Trainer;
import dev.graft.nn.train.TrainingBatch;
import dev.graft.nn.train.TrainingCheckpoint;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;

/**
 * Carries a plan out on images: puts the new head in place, freezes and unfreezes by epoch, computes the features of
 * stages that stay frozen once, trains, and puts the best weights back.
 *
 * <pre>{@code
 * FineTuneResult r = new FineTuning(net, plan, images, trainTransforms, evalTransforms).run();
 * }</pre>
 *
 * The network is changed: afterwards it has one output per class and the trained weights. A run with the same seed, plan
 * and data gives the same bits.
 */
public final class FineTuning {
    private final StagedNetwork net;
    private final FineTunePlan plan;
    private final DataSplit data;
    private final Transforms train;
    private final Transforms eval;
    private final List<Consumer<TrainEvent>> listeners = new ArrayList<>();
    private final List<Consumer<String>> notes = new ArrayList<>();
    private FeatureCache cache = FeatureCache.standard();
    private CheckpointPolicy checkpoints;
    private TrainingCheckpoint resumed;
    private Integer workers;        // null: as many as the loader takes by default
    private boolean newHead = true;
    private boolean prepared;
    private boolean progress;
    private boolean stopped;
    private Trainer running;

    /** @param train what training images go through; {@code eval} is taken instead when the plan does not augment */
    public FineTuning(StagedNetwork net, FineTunePlan plan, DataSplit data, Transforms train, Transforms eval) {
        if (data.classes().size() < 2) {
            throw new GraftException("fine-tuning: the data has one class only, " + data.classes()
                    + ": a classifier needs at least two");
        }
        this.net = net;
        this.plan = plan;
        this.data = data;
        this.train = plan.augmentation() ? train : eval;
        this.eval = eval;
    }

    /** Keeps the head there is; it must have one output per class. */
    public FineTuning keepHead() {
        newHead = false;
        return this;
    }

    /** Where features are kept on disk; {@link FeatureCache#standard} by default, null for memory only. */
    public FineTuning cache(FeatureCache c) {
        cache = c == null ? FeatureCache.MEMORY : c;
        return this;
    }

    /** Saves checkpoints into {@code folder} after every epoch, the plan with them. */
    public FineTuning checkpoints(Path folder) {
        checkpoints = new CheckpointPolicy(folder);
        return this;
    }

    /**
     * Goes on from {@code saved}, which a run of the same plan on the same data wrote. All weights come from it, those of
     * frozen stages too. It must stay open until {@link #run} has begun to train.
     *
     * @throws GraftException when it was saved by a run of another plan
     */
    public FineTuning resume(TrainingCheckpoint saved) {
        if (!FineTunePlan.fromJson(saved.plan()).equals(plan)) {
            throw new GraftException(saved.file() + " was saved by a run of another plan: resume with the plan it holds,"
                    + " FineTunePlan.fromJson(checkpoint.plan()), or begin a new run");
        }
        resumed = saved;
        return this;
    }

    public FineTuning on(Consumer<TrainEvent> listener) {
        listeners.add(listener);
        return this;
    }

    /** Hears what happens besides training, such as that features were found in the cache. */
    public FineTuning onNote(Consumer<String> listener) {
        notes.add(listener);
        return this;
    }

    /**
     * How many threads decode and vary images, from 0, when the thread that trains does it, to 256. By default
     * {@link LoaderOptions#defaultWorkers}. What comes out does not depend on it.
     */
    public FineTuning workers(int n) {
        workers = LoaderOptions.eval(plan.batch()).withWorkers(n).workers();
        return this;
    }

    /** Shows a progress bar when the output is a terminal. */
    public FineTuning progress(boolean on) {
        progress = on;
        return this;
    }

    /** Ends the run after the step in progress, or before the first one; from any thread. */
    public synchronized void stop() {
        stopped = true;
        if (running != null) {
            running.stop();
        }
    }

    /**
     * Puts the head and the first epoch's freezing in place, so that the plan can be printed before the run. {@link #run}
     * does it otherwise; it happens once.
     *
     * @throws GraftException when the plan does not fit the network, which is as it was then
     */
    public FineTuning prepare() {
        if (!prepared) {
            begin();
            prepared = true;
        }
        plan.applyTo(net, 0);
        return this;
    }

    private void begin() {
        int classes = data.classes().size();
        if (!newHead && net.classes() != classes) {
            throw new GraftException("fine-tuning: the head has " + net.classes() + " outputs, the data " + classes
                    + " classes: replace the head");
        }
        plan.check(net, newHead);       // before anything of the network changes
        if (plan.randomWeights()) {
            net.initialize(plan.seed());
        }
        if (newHead) {
            net.replaceHead(classes);
            net.at(net.headPath()).initialize(plan.seed());
        }
    }

    public FineTuneResult run() {
        long start = System.nanoTime();
        prepare();
        if (resumed != null) {
            resumed.loadInto(net);      // before the features of frozen stages are computed with these weights
        }
        FeatureCache mine = cache.forRun();
        FeatureChoice choice = FeatureChoice.of(net, plan, data, train, eval, mine, loadingThreads());
        plan.applyTo(net, 0);
        try (Sources sources = sources(choice, mine);
                Optimizer optimizer = new Optimizer(net, plan.rule(), plan.groups())) {
            int prefix = sources.prefix();
            FeatureData trainData = sources.training();
            FeatureData validation = sources.validation();
            double featureSeconds = (System.nanoTime() - start) / 1e9;
            if (prefix > 0) {
                note(trainData.saving(net, prefix, validation, choice.reason()));
            }
            CrossEntropy loss = new CrossEntropy().labelSmoothing(plan.labelSmoothing());
            Trainer trainer = new Trainer(net, optimizer, loss, options())
                    .forward(x -> net.callStages(x, prefix, net.stages().size()))
                    .on(this::tell);
            if (resumed != null) {
                trainer.resume(resumed);
            }
            synchronized (this) {
                running = trainer;
                if (stopped) {
                    trainer.stop();
                }
            }
            TrainResult result = trainer.fit(trainData.batches(), validation.batches());
            return evaluate(result, validation, prefix, featureSeconds, start);
        }
    }

    private TrainOptions options() {
        TrainOptions o = new TrainOptions(plan.epochs(), plan.seed()).withSchedule(plan.schedule()).withProgress(progress)
                .withPlan(plan.toJson()).withPrecision(plan.precision())
                .withEarlyStopping(new EarlyStopping(Monitor.VAL_ACCURACY,
                        plan.patience() == 0 ? Integer.MAX_VALUE : plan.patience(), 0, plan.restoreBest()));
        if (plan.clipNorm() > 0) {
            o = o.withClip(new GradientClip.ByNorm(plan.clipNorm()));
        }
        return checkpoints == null ? o : o.withCheckpoints(checkpoints);
    }

    private void tell(TrainEvent e) {
        if (e instanceof TrainEvent.EpochStart start) {
            plan.applyTo(net, start.epoch());
        }
        listeners.forEach(l -> l.accept(e));
    }

    /** What is trained on and validated with: images, or features behind {@code prefix} stages. */
    private record Sources(FeatureData training, FeatureData validation, int prefix) implements AutoCloseable {
        @Override
        public void close() {
            try {
                validation.close();
            } finally {
                training.close();
            }
        }
    }

    private Sources sources(FeatureChoice choice, FeatureCache mine) {
        if (choice.prefix() > 0) {
            FeatureData training = null;
            try {
                training = features(choice, choice.training(), true, mine);
                Sources both = new Sources(training, features(choice, List.of(choice.validation()), false, mine),
                        choice.prefix());
                training = null;
                return both;
            } catch (FeatureCache.NoRoom e) {       // what was estimated to fit does not: it takes longer without them
                return sources(FeatureChoice.none(e.getMessage()), mine);
            } finally {
                if (training != null) {
                    training.close();
                }
            }
        }
        if (choice.reason() != null) {
            note("features of the frozen layers are not cached: " + choice.reason());
        }
        FeatureData training = images(data.train(), train, true);
        try {
            return new Sources(training, images(data.validation(), eval, false), 0);
        } catch (RuntimeException | Error e) {
            training.close();
            throw e;
        }
    }

    private FeatureData images(Dataset set, Transforms transforms, boolean training) {
        LoaderOptions o = training ? LoaderOptions.train(plan.batch(), plan.seed()) : LoaderOptions.eval(plan.batch());
        return FeatureData.images(new DataLoader(set, transforms, o.withWorkers(loadingThreads())));
    }

    private int loadingThreads() {
        return workers == null ? LoaderOptions.defaultWorkers() : workers;
    }

    private FeatureData features(FeatureChoice choice, List<FeatureRequest> copies, boolean training, FeatureCache mine) {
        int images = copies.getFirst().data().size();
        long start = System.nanoTime();
        List<Features> all = new ArrayList<>();
        try {
            for (FeatureRequest r : copies) {
                all.add(mine.of(r, choice.format(), n -> { }));
            }
            String varied = copies.size() > 1 ? " in " + copies.size() + " varied copies" : "";
            note(String.format(Locale.ROOT, "features of %d %s images%s: %.1f s", images,
                    training ? "training" : "validation", varied, (System.nanoTime() - start) / 1e9));
            return FeatureData.features(all, net.device(), plan.batch(), training, plan.seed());
        } catch (RuntimeException | Error e) {
            all.forEach(Features::close);
            throw e;
        }
    }

    private void note(String text) {
        notes.forEach(n -> n.accept(text));
    }

    private FineTuneResult evaluate(TrainResult result, FeatureData validation, int prefix, double featureSeconds,
            long start) {
        ConfusionMatrix confusion = new ConfusionMatrix(data.classes().size());
        List<FineTuneResult.Prediction> predictions = new ArrayList<>();
        try (Inference inference = new Inference(net, x -> net.callStages(x, prefix, net.stages().size()), plan.precision());
                Batches.Cursor cursor = validation.batches().open(0, 0)) {
            while (cursor.hasNext()) {
                try (Scope s = Scope.open("evaluation")) {
                    TrainingBatch b = Dispatcher.waiting(net.device(), cursor::next);
                    Scope.adopt(b.input());
                    Scope.adopt(b.target());
                    Tensor p = inference.apply(b.input()).softmax();
                    confusion.update(p, b.target());
                    int classes = p.dim(1);
                    float[] all = p.toFloats();
                    int[] labels = b.target().toInts();
                    for (int i = 0; i < labels.length; i++) {
                        int sample = validation.samples() == null ? b.indices()[i] : validation.samples()[b.indices()[i]];
                        predictions.add(new FineTuneResult.Prediction(sample, labels[i],
                                Arrays.copyOfRange(all, i * classes, (i + 1) * classes)));
                    }
                }
            }
        }
        return new FineTuneResult(result, confusion.result(), List.copyOf(predictions), prefix, featureSeconds,
                (System.nanoTime() - start) / 1e9);
    }
}
