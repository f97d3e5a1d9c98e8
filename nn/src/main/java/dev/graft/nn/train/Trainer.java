package dev.graft.nn.train;

import dev.graft.nn.CapturedForward;
import dev.graft.nn.Module;
import dev.graft.nn.loss.Loss;
import dev.graft.nn.metric.Metric;
import dev.graft.nn.optim.LearningRates;
import dev.graft.nn.optim.Optimizer;
import dev.graft.nn.optim.Progress;
import dev.graft.tensor.Context;
import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.backend.Backends;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.ToDoubleFunction;
import java.util.function.UnaryOperator;

/**
 * Trains a model: epochs of steps, validation after each, early stopping, checkpoints.
 *
 * <pre>{@code
 * Optimizer optimizer = new AdamW(1e-3).optimizer(model);
 * TrainResult r = new Trainer(model, optimizer, new CrossEntropy(), new TrainOptions(10, seed))
 *         .on(e -> { if (e instanceof TrainEvent.EpochEnd end) System.out.println(end.row()); })
 *         .fit(train, validation);
 * }</pre>
 *
 * The same seed, data and options give the same bits, also when the run was stopped and resumed in between. A trainer
 * serves one run.
 */
public final class Trainer {
    private final Module model;
    private final Optimizer optimizer;
    private final Loss loss;
    private final TrainOptions options;
    private final Device device;
    private final List<Consumer<TrainEvent>> listeners = new ArrayList<>();
    private final List<Consumer<Evaluator>> metrics = new ArrayList<>();
    private final LearningRates rates;
    private final BestWeights best;
    private final MixedPrecision precision;
    private UnaryOperator<Tensor> forward;
    private volatile boolean stop;
    private boolean used;

    // where the run stands
    private int epoch;
    private int batch;
    private long step;
    private final Tally tally = new Tally();
    private double trainSeconds;
    private double waited;
    private final List<HistoryRow> history = new ArrayList<>();
    private EarlyStopping.State stopping = EarlyStopping.State.START;
    private boolean stopped;
    private TrainingState resumed;

    public Trainer(Module model, Optimizer optimizer, Loss loss, TrainOptions options) {
        this.model = model;
        this.optimizer = optimizer;
        this.loss = loss;
        this.options = options;
        this.device = model.device();
        this.rates = new LearningRates(optimizer.groups(), options.schedule());
        this.best = new BestWeights(model);
        this.precision = new MixedPrecision(options.precision(), device);
        this.forward = model::call;
    }

    /** Runs {@code f} instead of {@code model.call}: for data that are features of a frozen part, not inputs. */
    public Trainer forward(UnaryOperator<Tensor> f) {
        forward = f;
        return this;
    }

    public Trainer on(Consumer<TrainEvent> listener) {
        listeners.add(listener);
        return this;
    }

    /** A further metric on the validation data; monitors may watch it by {@code name}. */
    public <R extends Record> Trainer metric(String name, Metric<R> metric, ToDoubleFunction<R> value) {
        metrics.add(e -> e.metric(name, metric, value));
        return this;
    }

    /** Ends the run after the step in progress, with a checkpoint if there is a policy. From any thread. */
    public void stop() {
        stop = true;
    }

    /**
     * Takes over model, optimizer and everything else from {@code saved}; {@link #fit} then goes on from there. The
     * checkpoint may be closed afterwards.
     *
     * @throws GraftException when it was saved by another model, optimizer or seed
     */
    public Trainer resume(TrainingCheckpoint saved) {
        TrainingState s = saved.state();
        if (s.seed() != options.seed()) {
            throw new GraftException(saved.file() + " was saved by a run with seed " + s.seed() + ", this one has "
                    + options.seed() + ": resume with the same seed");
        }
        saved.loadInto(model);
        optimizer.load(saved.optimizer());
        rates.load(s.plateaus());
        best.load(saved.best());
        precision.load(s.lossScale());
        epoch = s.epoch();
        batch = s.batch();
        step = s.step();
        tally.load(s.sums());
        trainSeconds = s.trainSeconds();
        history.clear();
        history.addAll(s.history());
        stopping = s.stopping();
        stopped = s.stopped();
        resumed = s;
        return this;
    }

    /**
     * Trains to the end of the last epoch, to early stopping or to {@link #stop}. With early stopping that restores, the
     * model has the best epoch's values afterwards.
     *
     * @param validation or null for none
     */
    public TrainResult fit(Batches train, Batches validation) {
        begin(train);
        StepWork work = new StepWork(forward, loss, optimizer, options.clip(), precision);
        try (precision;
                StepGraphs graphs = options.graphs() && Backends.of(device).captures()
                        ? new StepGraphs(work, device, model) : null;
                CapturedForward evaluation = new CapturedForward(model, forward, options.graphs());
                ProgressDisplay display = new ProgressDisplay(ProgressDisplay.terminal(options.progress()), options.epochs(),
                train.samples())) {
            while (epoch < options.epochs() && !stopped && !stop) {
                tell(new TrainEvent.EpochStart(epoch, batch));
                checkTrainable();
                best.cover();
                display.epoch(epoch, tally.samples());
                if (steps(train, display, new TrainStep(work, graphs, optimizer, precision, options.seed()))) {
                    display.close();
                    endOfEpoch(train, validation, evaluation);
                }
            }
            boolean interrupted = stop && !stopped && epoch < options.epochs();
            if (!interrupted && options.earlyStopping() != null && options.earlyStopping().restoreBest()) {
                best.restore();
            }
            TrainResult result = new TrainResult(new History(history), stopping.bestEpoch(), stopping.best(), step, stopped,
                    interrupted);
            tell(new TrainEvent.Finished(result));
            return result;
        } finally {
            best.close();
        }
    }

    private void begin(Batches train) {
        if (used) {
            throw new GraftException("training: this trainer has been used: make a new one, and resume it from a"
                    + " checkpoint");
        }
        used = true;
        if (train.count() < 1) {
            throw new GraftException("training: the data is empty: give at least one batch");
        }
        if (resumed != null && resumed.batchCount() != train.count()) {
            throw new GraftException("training: the checkpoint was saved with " + resumed.batchCount()
                    + " batches per epoch, the data now gives " + train.count()
                    + ": resume with the same data and batch size");
        }
    }

    private void checkTrainable() {
        if (optimizer.trainableCount() == 0) {
            throw new GraftException("training: all " + model.parameterCount() + " values of the model are frozen in epoch "
                    + epoch + ": leave something to train");
        }
        if (resumed != null && batch > 0 && !resumed.trainable().equals(trainable())) {
            throw new GraftException("training: the checkpoint was saved with " + resumed.trainable().size()
                    + " trainable parameters in epoch " + epoch + ", now there are " + trainable().size()
                    + " or others: resume with the same freezing");
        }
    }

    private List<String> trainable() {
        return model.parameters().entrySet().stream().filter(e -> e.getValue().trainable()).map(Map.Entry::getKey).toList();
    }

    /** The rest of an epoch; false when it was stopped before its end. */
    private boolean steps(Batches train, ProgressDisplay display, TrainStep one) {
        int count = train.count();
        double before = trainSeconds;       // of this epoch, when it is gone on with
        try (DeviceBatches cursor = new DeviceBatches(train.open(epoch, batch), device)) {
            while (batch < count) {
                long start = System.nanoTime();
                int batches = Math.min(options.accumulate(), count - batch);
                TrainStep.Done done = one.run(cursor, batches, step, rates.factors(progress(count)), tally);
                step++;
                batch += done.batches();
                trainSeconds += (System.nanoTime() - start) / 1e9;
                waited = cursor.waited() / (trainSeconds - before);
                display.step(tally);
                tell(new TrainEvent.Step(step, epoch, batch, done.loss(), done.samples()));
                CheckpointPolicy policy = options.checkpoints();
                if (batch < count && policy != null
                        && (stop || policy.everySteps() > 0 && step % policy.everySteps() == 0)) {
                    save(count);
                }
                if (stop && batch < count) {
                    return false;
                }
            }
        }
        return true;
    }

    private Progress progress(int count) {
        long perEpoch = (count + options.accumulate() - 1) / options.accumulate();
        return new Progress(step, perEpoch * options.epochs(), perEpoch);
    }

    private void endOfEpoch(Batches train, Batches validation, CapturedForward evaluation) {
        int count = train.count();
        Map<String, Double> lr = optimizer.rates(rates.factors(new Progress(Math.max(0, step - 1),
                progress(count).totalSteps(), progress(count).stepsPerEpoch())));
        HistoryRow row = row(validation == null ? null : validate(validation, evaluation), lr);
        history.add(row);
        rates.epochEnd(row.values());
        boolean isBest = judge(row);
        int ended = epoch;
        epoch++;
        batch = 0;
        tally.load(TrainingState.Sums.NONE);
        trainSeconds = 0;
        tell(new TrainEvent.EpochEnd(row, isBest, optimizer.penalty()));
        CheckpointPolicy policy = options.checkpoints();
        if (policy != null && (stop || stopped || epoch == options.epochs()
                || policy.everyEpochs() > 0 && epoch % policy.everyEpochs() == 0)) {
            save(count);
        }
        if (stopped) {
            tell(new TrainEvent.StoppedEarly(ended, stopping.bestEpoch(), stopping.best()));
        }
    }

    private Evaluation validate(Batches validation, CapturedForward evaluation) {
        Evaluator evaluator = new Evaluator(x -> precision.forward(() -> evaluation.apply(x)), loss, device);
        metrics.forEach(m -> m.accept(evaluator));
        Evaluation e = precision.bind(Context.current()).call(() -> evaluator.evaluate(validation));
        evaluation.close();         // what was recorded and cast of weights that change now only takes memory
        precision.evaluated();
        if (!Double.isFinite(e.loss())) {
            throw new GraftException("training stopped after step " + step + " (end of epoch " + epoch
                    + "): the validation loss is " + e.loss()
                    + "; likely fixes: a smaller learning rate, a warm-up, gradient clipping, or inputs without NaN");
        }
        return e;
    }

    private HistoryRow row(Evaluation e, Map<String, Double> lr) {
        double nan = Double.NaN;
        return new HistoryRow(epoch, tally.loss(), tally.accuracy(), e == null ? nan : e.loss(),
                e == null ? nan : e.accuracy(), e == null ? Map.of() : e.metrics(), lr, tally.samples(),
                trainSeconds + (e == null ? 0 : e.seconds()), tally.samples() / trainSeconds, waited);
    }

    /** Whether this is the best epoch so far; sets whether the run is to stop. */
    private boolean judge(HistoryRow row) {
        EarlyStopping rule = options.earlyStopping();
        if (rule == null) {
            return false;
        }
        Double value = row.values().get(rule.monitor().metric());
        if (value == null) {
            throw new GraftException("early stopping: it watches '" + rule.monitor().metric() + "', but an epoch gives "
                    + row.values().keySet() + ": give validation data, or watch one of these");
        }
        stopping = rule.next(stopping, epoch, value);
        boolean isBest = stopping.bestEpoch() == epoch;
        if (isBest && rule.restoreBest()) {
            best.take();
        }
        stopped = rule.stops(stopping);
        return isBest;
    }

    private void save(int count) {
        checkWeights();
        TrainingState s = new TrainingState(TrainingState.VERSION, options.seed(), epoch, batch, count, step, tally.sums(),
                trainSeconds, List.copyOf(history), stopping, stopped, rates.state(), optimizer.state().steps(), trainable(),
                options.plan(), precision.state());
        Path file = TrainingCheckpoint.save(options.checkpoints().folder(), options.checkpoints().keep(), model,
                optimizer.state(), best.copies(), s);
        tell(new TrainEvent.Saved(file, step));
    }

    /** So that a run never resumes from weights that are lost: the gradient may overflow while the loss is fine. */
    private void checkWeights() {
        model.parameters().forEach((path, p) -> {
            try (Scope scope = Scope.open("check")) {
                if (p.trainable() && !Double.isFinite(p.value().sum().item())) {
                    throw new GraftException("training stopped after step " + step + ": " + path + " has become NaN or"
                            + " infinite, no checkpoint was written; likely fixes: a smaller learning rate, a warm-up, or"
                            + " gradient clipping");
                }
            }
        });
    }

    private void tell(TrainEvent e) {
        listeners.forEach(l -> l.accept(e));
    }
}
