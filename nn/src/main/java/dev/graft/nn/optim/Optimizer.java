package dev.graft.nn.optim;

import dev.graft.autograd.Gradients;
import dev.graft.autograd.Tape;
import dev.graft.nn.Module;
import dev.graft.nn.NearestNames;
import dev.graft.nn.ParamSelector;
import dev.graft.nn.Parameter;
import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.Change;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Changes a model's parameters by their gradients. Parameters are assigned to groups when the optimizer is made, so
 * replace heads before.
 *
 * <p>A parameter has state exactly while it is trainable: it gets it in its first step, also when it is unfrozen in the
 * middle of a run, and loses it in the first step after it was frozen (its step count starts again at 1). A frozen
 * parameter, and a trainable one on which the loss does not depend, is not touched: no step, no decay, no penalty.
 */
public final class Optimizer implements AutoCloseable {
    private static final String START = "start";

    private final UpdateRule rule;
    private final List<ParamGroup> groups;
    private final Map<String, Entry> entries = new LinkedHashMap<>();

    /** One parameter: where it belongs and what is remembered of it. */
    private static final class Entry implements PreparedStep.Count {
        private final Parameter parameter;
        private final int group;
        private final Map<String, Tensor> slots = new LinkedHashMap<>();
        private Tensor start;
        private long steps;

        Entry(Parameter parameter, int group) {
            this.parameter = parameter;
            this.group = group;
        }

        @Override
        public long steps() {
            return steps;
        }

        @Override
        public void add(int n) {
            steps += n;
        }

        /** Follows its parameter to another device. */
        void moveTo(Device device) {
            slots.replaceAll((slot, t) -> moved(t, device));
            start = start == null ? null : moved(start, device);
        }

        private static Tensor moved(Tensor t, Device device) {
            if (t.device().equals(device)) {
                return t;
            }
            try (t) {
                return Scope.persistent(() -> t.to(device));
            }
        }

        void dropState() {
            slots.values().forEach(Tensor::close);
            slots.clear();
            steps = 0;
        }
    }

    /** Parameters that no group selects form a last group, {@code default}. */
    public Optimizer(Module model, UpdateRule rule, List<ParamGroup> groups) {
        this.rule = rule;
        List<ParamGroup> all = new ArrayList<>(groups);
        Map<String, Parameter> parameters = model.parameters();
        check(groups, parameters.keySet());
        parameters.forEach((path, p) -> entries.put(path, new Entry(p, index(groups, path))));
        if (groups.isEmpty() || entries.values().stream().anyMatch(e -> e.group == groups.size())) {
            all.add(ParamGroup.of("default", ParamSelector.ALL));
        }
        this.groups = List.copyOf(all);
        entries.forEach((path, e) -> {
            if (e.parameter.trainable() && needsStart(e)) {
                keepStart(e);
            }
        });
    }

    /** Of the first group that selects {@code path}, or the number of groups. */
    private static int index(List<ParamGroup> groups, String path) {
        int g = 0;
        while (g < groups.size() && !groups.get(g).selector().matches(path)) {
            g++;
        }
        return g;
    }

    /**
     * Refuses {@code groups} that an optimizer of parameters at {@code paths} would refuse.
     *
     * @throws GraftException when a group gets no parameter, or two have the same name
     */
    public static void check(List<ParamGroup> groups, Collection<String> paths) {
        int[] members = new int[groups.size() + 1];
        paths.forEach(path -> members[index(groups, path)]++);
        Set<String> names = new HashSet<>();
        for (int i = 0; i < groups.size(); i++) {
            ParamGroup g = groups.get(i);
            Range.check(names.add(g.name()), "optimizer: two groups are named '" + g.name() + "': give each its own name");
            if (members[i] == 0) {
                boolean taken = paths.stream().anyMatch(g.selector()::matches);
                throw new GraftException("group '" + g.name() + "': " + (taken ? "all parameters that '" + g.selector()
                        + "' selects belong to groups before it: put it first, or remove it"
                        : "'" + g.selector() + "' selects no parameter: the nearest names are "
                        + String.join(", ", NearestNames.ofPattern(g.selector().patterns().getFirst(), paths, 3))));
            }
        }
    }

    public UpdateRule rule() {
        return rule;
    }

    /** In order, the group of all others last. */
    public List<ParamGroup> groups() {
        return groups;
    }

    /** The group of the parameter at {@code path}. */
    public ParamGroup groupOf(String path) {
        Entry e = entries.get(path);
        if (e == null) {
            throw new GraftException("optimizer: it has no parameter '" + path + "': the nearest names are "
                    + String.join(", ", NearestNames.of(path, entries.keySet(), 3)));
        }
        return groups.get(e.group);
    }

    /** The learning rate of every group, by its name, under these schedule factors. */
    public Map<String, Double> rates(double... factors) {
        Map<String, Double> out = new LinkedHashMap<>();
        for (int i = 0; i < groups.size(); i++) {
            out.put(groups.get(i).name(), groups.get(i).baseLr(rule) * factors[factors.length == 1 ? 0 : i]);
        }
        return out;
    }

    /** Number of values that a step changes now. */
    public long trainableCount() {
        return entries.values().stream().map(e -> e.parameter).filter(Parameter::trainable)
                .mapToLong(Parameter::size).sum();
    }

    /** The gradients of trainable parameters that the loss depends on. */
    public ParamGradients gradients(Gradients g) {
        Map<String, Tensor> out = new LinkedHashMap<>();
        entries.forEach((path, e) -> {
            Tensor t = e.parameter.trainable() ? g.find(e.parameter.value()) : null;
            if (t != null) {
                out.put(path, t);
            }
        });
        return new ParamGradients(out);
    }

    /** One step with the groups' own rates. */
    public void step(Gradients g) {
        step(gradients(g), 1);
    }

    /** One step; {@code factors} multiply the learning rates, one for all groups or one per group. */
    public void step(ParamGradients g, double... factors) {
        try (Scope scope = Scope.open("optimizer step")) {
            prepare(g, null, Change.NO_LIMIT).run(factors);
        }
    }

    /**
     * Backward and one step: each parameter is changed as soon as its gradient is complete, which is dropped then, so that
     * the gradients are never in memory all at once. The parameters become what {@code step(tape.backward(loss))} makes of
     * them; should backward fail, some are changed and others are not.
     *
     * @param factors multiply the learning rates, one for all groups or one per group; none for the groups' own rates
     */
    public void backwardAndStep(Tape tape, Tensor loss, double... factors) {
        backwardAndStep(tape, loss, null, factors);
    }

    /**
     * {@link #backwardAndStep(Tape, Tensor, double...)} with clipped gradients. Clipping by norm cannot be done so: it needs
     * all gradients first.
     *
     * @param clip null for none
     */
    public void backwardAndStep(Tape tape, Tensor loss, GradientClip.ByValue clip, double... factors) {
        double[] by = factors == null || factors.length == 0 ? new double[] {1} : factors;
        double limit = GradientClip.limit(clip);
        new PreparedStep(rule, groups, List.of(), null, limit).check(by);
        Map<Long, Entry> byId = new HashMap<>();
        for (Entry e : entries.values()) {
            if (e.parameter.trainable()) {
                byId.put(e.parameter.value().id(), e);
            } else {
                e.dropState();
            }
        }
        Gradients left = tape.backward(loss, (leaf, gradient) -> {
            Entry e = byId.get(leaf);
            if (e == null) {
                return false;
            }
            try (Scope scope = Scope.open("optimizer step")) {
                new PreparedStep(rule, groups, List.of(item(e, gradient, null, limit)), null, limit).run(by);
            }
            return true;
        });
        // what the pass could not give earlier, such as those of checkpointed segments
        try (Scope scope = Scope.open("optimizer step")) {
            prepare(gradients(left), null, limit).run(by);
        }
    }

    /**
     * A step up to the changes themselves: states made, penalties added to the gradients. Its tensors belong to the open
     * scope.
     *
     * @param scale what every gradient is multiplied by, penalties excepted: a float32 scalar; where it is NaN nothing will
     *              change. Null for 1
     * @param limit what every element of a gradient, multiplied so, is clipped to, of either sign, penalties excepted;
     *              {@link Change#NO_LIMIT} for none
     */
    public PreparedStep prepare(ParamGradients g, Tensor scale, double limit) {
        List<PreparedStep.Item> items = new ArrayList<>();
        entries.forEach((path, e) -> {
            Tensor gradient = g.byPath().get(path);
            if (!e.parameter.trainable()) {
                e.dropState();
            } else if (gradient != null) {
                items.add(item(e, gradient, scale, limit));
            }
        });
        return new PreparedStep(rule, groups, items, scale, limit);
    }

    private PreparedStep.Item item(Entry e, Tensor gradient, Tensor scale, double limit) {
        ParamGroup group = groups.get(e.group);
        Tensor w = e.parameter.value();
        e.moveTo(w.device());
        Tensor g = gradient;
        double decay = 0;
        if (penalised(e)) {
            if (needsStart(e) && e.start == null) {
                keepStart(e);
            }
            g = Change.clipped(scale == null ? gradient : gradient.mul(scale), 1, limit);
            g = g == gradient ? gradient.copy() : g;
            for (Regularizer r : group.regularizers()) {
                r.addGradient(g, w, e.start);
                decay += r.decoupled();
            }
        }
        List<String> slots = rule.slots();
        Tensor[] in = new Tensor[1 + slots.size()];
        in[0] = g;
        for (int i = 0; i < slots.size(); i++) {
            in[i + 1] = e.slots.computeIfAbsent(slots.get(i), s -> Scope.persistent(w::zerosLike));
        }
        return new PreparedStep.Item(e, e.group, decays(e) ? group.baseDecay(rule) : 0, decay, g != gradient, w, in);
    }

    private boolean decays(Entry e) {
        return e.parameter.decays() || groups.get(e.group).decayBiasAndNorm();
    }

    private boolean penalised(Entry e) {
        return !groups.get(e.group).regularizers().isEmpty() && decays(e);
    }

    private boolean needsStart(Entry e) {
        return penalised(e) && groups.get(e.group).regularizers().stream().anyMatch(Regularizer::needsStart);
    }

    private static void keepStart(Entry e) {
        e.start = Scope.persistent(() -> e.parameter.value().copy());
    }

    /** Sum of all penalties on trainable parameters, in units of the loss. */
    public double penalty() {
        double sum = 0;
        for (Entry e : entries.values()) {
            if (e.parameter.trainable() && penalised(e)) {
                try (Scope scope = Scope.open("penalty")) {
                    for (Regularizer r : groups.get(e.group).regularizers()) {
                        Tensor w = e.parameter.value();
                        sum += r.value(w, r.needsStart() && e.start == null ? w : e.start);
                    }
                }
            }
        }
        return sum;
    }

    /** The optimizer's own tensors and counts, not copies: they change with the next step. */
    public OptimizerState state() {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        Map<String, Long> steps = new LinkedHashMap<>();
        entries.forEach((path, e) -> {
            e.slots.forEach((slot, t) -> tensors.put(slot + "/" + path, t));
            if (e.start != null) {
                tensors.put(START + "/" + path, e.start);
            }
            if (e.steps > 0) {
                steps.put(path, e.steps);
            }
        });
        return new OptimizerState(tensors, steps);
    }

    /** Takes copies of saved tensors and counts in place of its own. Nothing changes when they do not fit. */
    public void load(OptimizerState saved) {
        saved.tensors().forEach(this::checkSaved);
        saved.steps().keySet().forEach(this::groupOf);
        entries.values().forEach(e -> {
            e.dropState();
            closeStart(e);
        });
        saved.tensors().forEach((name, t) -> {
            int cut = name.indexOf('/');
            Entry e = entries.get(name.substring(cut + 1));
            Tensor copy = Scope.persistent(() -> copyTo(e.parameter.value().device(), t));
            if (name.startsWith(START + "/")) {
                e.start = copy;
            } else {
                e.slots.put(name.substring(0, cut), copy);
            }
        });
        saved.steps().forEach((path, n) -> entries.get(path).steps = n);
    }

    private void checkSaved(String name, Tensor t) {
        int cut = name.indexOf('/');
        String slot = name.substring(0, Math.max(0, cut));
        if (!slot.equals(START) && !rule.slots().contains(slot)) {
            throw new GraftException("optimizer: the saved state has '" + name + "', but " + rule.getClass().getSimpleName()
                    + " keeps " + Arrays.toString(rule.slots().toArray()) + ": resume with the optimizer that saved it");
        }
        groupOf(name.substring(cut + 1));
        Tensor w = entries.get(name.substring(cut + 1)).parameter.value();
        if (!t.spec().equals(w.spec())) {
            throw new GraftException("optimizer: the saved '" + name + "' is " + t.spec() + ", its parameter is " + w.spec()
                    + ": resume with the model that was trained");
        }
    }

    private static Tensor copyTo(Device device, Tensor t) {
        return t.device().equals(device) ? t.copy() : t.to(device);
    }

    private static void closeStart(Entry e) {
        if (e.start != null) {
            e.start.close();
            e.start = null;
        }
    }

    /** Frees the state; the parameters stay. */
    @Override
    public void close() {
        entries.values().forEach(e -> {
            e.dropState();
            closeStart(e);
        });
    }
}
