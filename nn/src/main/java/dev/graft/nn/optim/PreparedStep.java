package dev.graft.nn.optim;

import dev.graft.tensor.Device;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.Change;
import dev.graft.tensor.op.Update;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * An optimizer's step whose gradients are known: {@link #run} changes all parameters, in a few calls of the backend. A
 * captured step runs it in every replay with the same tensors and other rates and counts.
 */
public final class PreparedStep implements AutoCloseable {
    private final UpdateRule rule;
    private final List<ParamGroup> groups;
    private final double limit;
    private final Map<Device, Part> parts = new LinkedHashMap<>();

    /** How often a parameter has been changed. */
    interface Count {
        long steps();

        void add(int n);
    }

    /**
     * One parameter.
     *
     * @param weightDecay of the update rule
     * @param decoupled   what the regularizers take off the weights besides, times the learning rate
     * @param scaled      whether the gradient has been multiplied by the scale and clipped already
     * @param in          the gradient and the rule's states
     */
    record Item(Count count, int group, double weightDecay, double decoupled, boolean scaled, Tensor weight, Tensor[] in) {
        Item retained() {
            Tensor[] mine = in.clone();
            mine[0] = in[0].retain();
            return new Item(count, group, weightDecay, decoupled, scaled, weight, mine);
        }
    }

    /**
     * What lies on one device.
     *
     * @param scale of the gradients, null for 1
     * @param guard 1, and NaN where the scale is: for changes that are not to be scaled
     */
    private record Part(List<Item> items, Tensor scale, Tensor guard) {}

    PreparedStep(UpdateRule rule, List<ParamGroup> groups, List<Item> items, Tensor scale, double limit) {
        this(rule, groups, limit, Map.of());
        for (Item i : items) {
            parts.computeIfAbsent(i.weight().device(), d -> part(scale == null ? null : scale.to(d))).items().add(i);
        }
    }

    private static Part part(Tensor scale) {
        return new Part(new ArrayList<>(), scale, scale == null ? null : scale.mul(0).add(1));
    }

    private PreparedStep(UpdateRule rule, List<ParamGroup> groups, double limit, Map<Device, Part> parts) {
        this.rule = rule;
        this.groups = groups;
        this.limit = limit;
        this.parts.putAll(parts);
    }

    /** The same on handles of its own, which stay when the scope that this step was made in is closed; to be closed. */
    public PreparedStep retained() {
        Map<Device, Part> mine = new LinkedHashMap<>();
        parts.forEach((device, p) -> mine.put(device, new Part(p.items().stream().map(Item::retained).toList(),
                retained(p.scale()), retained(p.guard()))));
        return new PreparedStep(rule, groups, limit, mine);
    }

    private static Tensor retained(Tensor t) {
        return t == null ? null : t.retain();
    }

    /** Changes the parameters; {@code factors} multiply the learning rates, one for all groups or one per group. */
    public void run(double... factors) {
        check(factors);
        for (Part p : parts.values()) {
            List<Change> decays = new ArrayList<>();
            List<Change> scaled = new ArrayList<>();
            List<Change> plain = new ArrayList<>();
            for (Item i : p.items()) {
                double lr = groups.get(i.group()).baseLr(rule) * factors[factors.length == 1 ? 0 : i.group()];
                if (i.decoupled() != 0) {
                    decays.add(new Change(new Update.Axpby(1 - lr * i.decoupled(), 0), i.weight(), i.weight()));
                }
                Update update = rule.update(lr, i.weightDecay(), i.count().steps() + 1);
                (i.scaled() ? plain : scaled).add(new Change(update, i.weight(), i.in()));
            }
            Dispatcher.updateAll(decays, p.guard());
            Dispatcher.updateAll(scaled, p.scale(), limit);
            Dispatcher.updateAll(plain, p.guard());
        }
        count(1);
    }

    void check(double... factors) {
        Range.check(factors.length == 1 || factors.length == groups.size(), "optimizer: " + factors.length
                + " learning-rate factors for " + groups.size() + " groups: give one, or one per group");
    }

    /** After a run that changed nothing, because the scale was not finite: the counts go back as well. */
    public void undo() {
        count(-1);
    }

    /** Frees the handles of a {@link #retained} step. */
    @Override
    public void close() {
        for (Part p : parts.values()) {
            p.items().forEach(i -> i.in()[0].close());
            if (p.scale() != null) {
                p.scale().close();
                p.guard().close();
            }
        }
    }

    private void count(int n) {
        parts.values().forEach(p -> p.items().forEach(i -> i.count().add(n)));
    }
}
