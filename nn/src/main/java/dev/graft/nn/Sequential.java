package dev.graft.nn;

import dev.graft.tensor.GraftException;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import java.util.List;

/**
 * Layers one after the other, named by their place ({@code 0}, {@code 1}, ...) or as given. Neighbours that a backend can
 * compute in one go do so, see {@link Fused}; each intermediate is freed as soon as the next layer has read it.
 */
public final class Sequential extends Module {
    public Sequential(Module... layers) {
        for (Module m : layers) {
            add(m);
        }
    }

    /** Appends {@code layer} under its place's number. */
    public Sequential add(Module layer) {
        return add(Integer.toString(size()), layer);
    }

    /** Appends {@code layer} as {@code name}. */
    public Sequential add(String name, Module layer) {
        if (children().containsKey(name)) {
            throw new GraftException("sequential: there is a layer '" + name + "' already: use replace");
        }
        child(name, layer);
        return this;
    }

    public int size() {
        return children().size();
    }

    public Module get(int i) {
        return List.copyOf(children().values()).get(i);
    }

    /** Runs the layers {@code from} (included) to {@code to} (excluded) only. */
    public Tensor call(Tensor x, int from, int to) {
        List<Module> part = List.copyOf(children().values()).subList(from, to);
        return within(() -> run(part, null, x));
    }

    /** call(x) + residual, added by the last convolution itself where it can. */
    public Tensor callAdd(Tensor x, Tensor residual) {
        return within(() -> run(List.copyOf(children().values()), residual, x));
    }

    @Override
    protected Tensor forward(Tensor x) {
        return run(List.copyOf(children().values()), null, x);
    }

    private static Tensor run(List<Module> layers, Tensor residual, Tensor x) {
        Tensor whole = Fused.invertedResidual(layers, residual, x);
        if (whole != null) {
            return whole;
        }
        Tensor y = x;
        boolean added = residual == null;
        for (int i = 0, n; i < layers.size(); i += n) {
            n = Fused.length(layers, i);
            List<Module> group = layers.subList(i, i + n);
            boolean addHere = !added && i + n == layers.size() && Fused.takesResidual(group);
            Tensor before = y;
            y = Fused.run(group, addHere ? residual : null, before);
            added |= addHere;
            if (before != x && before != y && before != residual) {
                Scope.drop(before);
            }
        }
        return added ? y : y.add(residual);
    }
}
