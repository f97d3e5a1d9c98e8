package dev.graft.nn.transfer;

import dev.graft.nn.Dropout;
import dev.graft.nn.Module;
import dev.graft.nn.ParamSelector;
import dev.graft.nn.Parameter;
import dev.graft.nn.StochasticDepth;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * A network that is a chain of stages and ends in a head. The chain is what transfer learning works with: its longest
 * frozen prefix is computed once and cached, gradual unfreezing goes through it from the head down, and the head is the
 * stage that is replaced.
 */
public abstract class StagedNetwork extends Module {
    private List<Stage> stages;

    /** The chain, input first, the head last. Called once, after the constructor. */
    protected abstract List<Stage> chain();

    /** Path of the module that maps features to classes, such as {@code fc} or {@code classifier.1}. */
    public abstract String headPath();

    /** A new module for {@link #headPath()} with {@code classes} outputs and random weights. */
    protected abstract Module newHead(int classes);

    /** Number of outputs now. */
    public abstract int classes();

    public final List<Stage> stages() {
        if (stages == null) {
            stages = List.copyOf(chain());
        }
        return stages;
    }

    @Override
    protected Tensor forward(Tensor x) {
        return run(x, 0, stages().size());
    }

    /** Runs the stages {@code from} (included) to {@code to} (excluded) on the output of the stage before. */
    public final Tensor callStages(Tensor x, int from, int to) {
        return within(() -> run(x, from, to));
    }

    private Tensor run(Tensor x, int from, int to) {
        Tensor y = x;
        for (Stage s : stages().subList(from, to)) {
            y = s.function().apply(y);
        }
        return y;
    }

    /** Replaces the head by one with {@code classes} outputs and random weights and closes the old one; the rest stays. */
    public final StagedNetwork replaceHead(int classes) {
        if (classes < 1) {
            throw new GraftException("replace head: " + classes + " classes, at least 1 is needed");
        }
        Module old = at(headPath());
        replace(headPath(), newHead(classes));
        old.close();
        return this;
    }

    /** How many stages from the input on give the same in every epoch: what can be computed once and cached. */
    public final int frozenPrefix() {
        Map<String, Parameter> all = parameters();
        int n = 0;
        for (Stage s : stages()) {
            boolean trainable = all.entrySet().stream()
                    .anyMatch(e -> e.getValue().trainable() && s.parameters().matches(e.getKey()));
            if (trainable || drawsAtRandom(s)) {
                return n;
            }
            n++;
        }
        return n;
    }

    /** Whether dropout or stochastic depth in {@code s} is on in training. */
    private boolean drawsAtRandom(Stage s) {
        return modules().entrySet().stream()
                .filter(e -> e.getValue() instanceof Dropout || e.getValue() instanceof StochasticDepth)
                .anyMatch(e -> s.parameters().matches(e.getKey()) && !isWithinFrozen(e.getKey()));
    }

    private boolean isWithinFrozen(String path) {
        for (int dot = path.indexOf('.'); dot >= 0; dot = path.indexOf('.', dot + 1)) {
            if (at(path.substring(0, dot)).frozen()) {
                return true;
            }
        }
        return at(path).frozen();
    }

    /** The stages that have parameters, the head excluded, input first: the order of gradual unfreezing, reversed. */
    public final List<Stage> backbone() {
        Map<String, Parameter> all = parameters();
        List<Stage> found = new ArrayList<>();
        for (Stage s : stages()) {
            if (!s.parameters().matches(headPath() + ".weight")
                    && all.keySet().stream().anyMatch(s.parameters()::matches)) {
                found.add(s);
            }
        }
        return found;
    }

    /** Selects the head's parameters. */
    public final ParamSelector head() {
        return ParamSelector.of(headPath());
    }
}
