package dev.graft.nn.train;

import dev.graft.nn.Buffer;
import dev.graft.nn.Module;
import dev.graft.nn.Parameter;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.Update;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A copy of the values that the best epoch ended with. Frozen parameters are not copied: they cannot change. One that is
 * unfrozen later is copied just before, while it still has the best epoch's values.
 */
final class BestWeights implements AutoCloseable {
    private final Module model;
    private final Map<String, Tensor> copies = new LinkedHashMap<>();

    BestWeights(Module model) {
        this.model = model;
    }

    /** Remembers the values of now. */
    void take() {
        current().forEach((path, t) -> {
            Tensor old = copies.get(path);
            if (old != null) {
                Dispatcher.update(new Update.Assign(), old, t);
            } else {
                copies.put(path, Scope.persistent(t::copy));
            }
        });
    }

    /** To be called when parameters may have been unfrozen, before they change. */
    void cover() {
        if (!copies.isEmpty()) {
            current().forEach((path, t) -> copies.computeIfAbsent(path, p -> Scope.persistent(t::copy)));
        }
    }

    /** What may change, and what was taken before. */
    private Map<String, Tensor> current() {
        Map<String, Tensor> values = new LinkedHashMap<>();
        for (Map.Entry<String, Parameter> e : model.parameters().entrySet()) {
            if (e.getValue().trainable() || copies.containsKey(e.getKey())) {
                values.put(e.getKey(), e.getValue().value());
            }
        }
        for (Map.Entry<String, Buffer> e : model.buffers().entrySet()) {
            values.put(e.getKey(), e.getValue().value());
        }
        return values;
    }

    /** Puts the remembered values into the model; nothing when there are none. */
    void restore() {
        Map<String, Tensor> values = TrainingCheckpoint.values(model);
        copies.forEach((path, t) -> Dispatcher.update(new Update.Assign(), values.get(path), t));
    }

    Map<String, Tensor> copies() {
        return copies;
    }

    void load(Map<String, Tensor> saved) {
        close();
        saved.forEach((path, t) -> copies.put(path, Scope.persistent(
                () -> TrainingCheckpoint.copyTo(model.device(), t))));
    }

    @Override
    public void close() {
        copies.values().forEach(Tensor::close);
        copies.clear();
    }
}
