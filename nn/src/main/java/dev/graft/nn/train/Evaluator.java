package dev.graft.nn.train;

import dev.graft.nn.Module;
import dev.graft.nn.loss.Loss;
import dev.graft.nn.metric.Metric;
import dev.graft.tensor.Context;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.RandomStream;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import java.util.function.UnaryOperator;

/** Loss and metrics of a model in inference: nothing recorded, no dropout, fixed batch norm, so always the same result. */
public final class Evaluator {
    private final UnaryOperator<Tensor> forward;
    private final Loss loss;
    private final Device device;
    private final List<Reading<?>> readings = new ArrayList<>();

    private record Reading<R extends Record>(String name, Metric<R> metric, ToDoubleFunction<R> value) {
        double read() {
            return value.applyAsDouble(metric.result());
        }
    }

    public Evaluator(Module model, Loss loss) {
        this(model::call, loss, model.device());
    }

    Evaluator(UnaryOperator<Tensor> forward, Loss loss, Device device) {
        this.forward = forward;
        this.loss = loss;
        this.device = device;
    }

    /** Adds {@code value} of {@code metric} under {@code name}; the metric is reset by every evaluation. */
    public <R extends Record> Evaluator metric(String name, Metric<R> metric, ToDoubleFunction<R> value) {
        readings.add(new Reading<>(name, metric, value));
        return this;
    }

    /** One pass over epoch 0 of {@code data}. */
    public Evaluation evaluate(Batches data) {
        long start = System.nanoTime();
        readings.forEach(r -> r.metric().reset());
        Tally tally = new Tally();
        Context context = Context.current().withTraining(false).withRandom(RandomStream.of(0, 0));
        try (DeviceBatches cursor = new DeviceBatches(data.open(0, 0), device)) {
            while (cursor.hasNext()) {
                try (Scope scope = Scope.open("evaluation")) {
                    context.run(() -> batch(cursor, tally));
                }
            }
        }
        if (tally.samples() == 0) {
            throw new GraftException("evaluation: the data is empty: give at least one sample");
        }
        Map<String, Double> metrics = new LinkedHashMap<>();
        readings.forEach(r -> metrics.put(r.name(), r.read()));
        return new Evaluation(tally.loss(), tally.accuracy(), tally.samples(), metrics, (System.nanoTime() - start) / 1e9);
    }

    private void batch(DeviceBatches cursor, Tally tally) {
        TrainingBatch b = cursor.next();
        Tensor prediction = forward.apply(b.input());
        Tensor value = loss.of(prediction, b.target());
        cursor.fetch();
        double[] report = value.size() != 1 ? new double[] {value.item()}
                : Tensor.stack(0, value.reshape(Shape.SCALAR).cast(DType.F64),
                        Tally.correct(prediction, b.target())).toDoubles();
        tally.add(report[0], b.size(), Math.round(report[1]),
                Tally.classifies(prediction, b.target()) ? b.target().size() : 0);
        readings.forEach(r -> r.metric().update(prediction, b.target()));
    }
}
