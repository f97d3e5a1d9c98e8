package dev.graft.pretrained;

import dev.graft.nn.Buffer;
import dev.graft.nn.Module;
import dev.graft.nn.Parameter;
import dev.graft.nn.transfer.StagedNetwork;
import dev.graft.pretrained.format.LoadPlan;
import dev.graft.pretrained.format.LoadReport;
import dev.graft.pretrained.format.Target;
import dev.graft.pretrained.format.WeightFile;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.cpu.WorkerPool;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Puts a weight file into a network, all or nothing: what does not fit is found from names and shapes before any data is
 * read, and all data is read before the first parameter changes. Layouts and dtypes are converted on the way: int8 weights
 * with {@code <name>_scale} beside them are widened for a float32 network, and a quantised network stores what it is given,
 * of whatever type, as it stores its weights.
 */
public final class WeightLoader {
    /** Above this share of fitting tensors a model of the zoo is named as the likely right one. */
    private static final double LIKELY = 0.8;
    private static final int SHOWN = 3;

    private WeightLoader() {}

    /** As the other, for a file that nothing else is read from. */
    public static LoadReport load(Module network, Path file, LoadOptions options) {
        try (WeightFile weights = WeightFile.open(file)) {
            return load(network, weights, options);
        }
    }

    /**
     * Loads {@code file} into {@code network}.
     *
     * @return what was loaded and what was not, where {@code options} tolerate it
     * @throws GraftException when more is missing than they tolerate; it names the model of the zoo that the file fits, if
     *                        one does. Also when a weight is NaN or infinite and the network stores it as int8. The
     *                        network is as it was
     */
    public static LoadReport load(Module network, WeightFile file, LoadOptions options) {
        return load(network, network.getClass().getSimpleName(), file, options);
    }

    /** @param name what messages call the network */
    static LoadReport load(Module network, String name, WeightFile file, LoadOptions options) {
        LoadPlan plan = options.names().plan(Target.of(network), file);
        check(network, name, file, plan.report(), options.tolerance());
        List<Tensor> values = read(plan, file);
        Map<String, Parameter> parameters = network.parameters();
        Map<String, Buffer> buffers = network.buffers();
        storable(plan, values, parameters, file);
        for (int i = 0; i < values.size(); i++) {
            String target = plan.assignments().get(i).target().name();
            if (parameters.containsKey(target)) {
                parameters.get(target).assign(values.get(i));
            } else {
                buffers.get(target).assign(values.get(i));
            }
        }
        return plan.report();
    }

    /** Refuses what a quantised network cannot store, before the first parameter changes. */
    private static void storable(LoadPlan plan, List<Tensor> values, Map<String, Parameter> parameters, WeightFile file) {
        for (int i = 0; i < values.size(); i++) {
            String target = plan.assignments().get(i).target().name();
            Parameter p = parameters.get(target);
            try {
                if (p != null) {
                    p.check(values.get(i));
                }
            } catch (GraftException e) {
                values.forEach(Tensor::close);
                throw new GraftException(file.path() + ": " + target + ": " + e.getMessage(), e);
            }
        }
    }

    private static List<Tensor> read(LoadPlan plan, WeightFile file) {
        Tensor[] values = new Tensor[plan.assignments().size()];
        Queue<Throwable> failures = new ConcurrentLinkedQueue<>();
        WorkerPool.shared().run(values.length, i -> {
            try {
                if (failures.isEmpty()) {
                    values[i] = Scope.persistent(() -> plan.assignments().get(i).read(file));
                }
            } catch (RuntimeException | Error e) {
                failures.add(e); // thrown here, it would not wait for the other threads
            }
        });
        if (!failures.isEmpty()) {
            Arrays.stream(values).filter(Objects::nonNull).forEach(Tensor::close);
            switch (failures.peek()) {
                case Error e -> throw e;
                case RuntimeException e -> throw e;
                case Throwable e -> throw new IllegalStateException(e);
            }
        }
        return Arrays.asList(values);
    }

    private static void check(Module network, String name, WeightFile file, LoadReport report,
                              LoadOptions.Tolerance tolerance) {
        List<String> open = Stream.concat(report.missing().stream().map(LoadReport.Missing::target),
                report.mismatched().stream().map(LoadReport.Mismatch::target)).toList();
        String head = network instanceof StagedNetwork n ? n.headPath() + "." : null;
        boolean onlyHead = open.stream().allMatch(path -> head != null && path.startsWith(head));
        String counts = report.loaded().size() + " of " + size(report) + " tensors fit";
        if (report.loaded().isEmpty() || tolerance != LoadOptions.Tolerance.ANYTHING) {
            // A deeper network of the same family has all the names of a shallower one, and more.
            if (!onlyHead || !report.unused().isEmpty()) {
                refuseAnotherModels(name, file, report, counts);
            }
            boolean tolerated = switch (tolerance) {
                case NOTHING -> open.isEmpty();
                case HEAD -> onlyHead;
                case ANYTHING -> size(report) == 0;
            };
            if (!tolerated) {
                throw new GraftException(file.path() + ": the weights of " + name + " are incomplete (" + counts + "): "
                        + details(report) + (onlyHead ? "; only the head is affected: fine-tune the model before it predicts"
                        : ": check the model and its options"));
            }
        }
    }

    /** Throws when a model of the zoo fits the file better, or when nothing fits at all. */
    private static void refuseAnotherModels(String name, WeightFile file, LoadReport report, String counts) {
        String likely = likely(file, share(report));
        if (likely != null) {
            throw new GraftException(file.path() + ": these are not the weights of " + name + " (" + counts + ", "
                    + report.unused().size() + " others are in the file); they fit " + likely + ": use that model");
        }
        if (report.loaded().isEmpty()) {
            throw new GraftException(file.path() + ": these are not the weights of " + name + " (" + counts
                    + "); the file has " + file.entries().size() + " tensors"
                    + (file.entries().isEmpty() ? "" : " such as '" + file.entries().getFirst().name() + "'")
                    + ": check the file and the model");
        }
    }

    private static String details(LoadReport report) {
        List<String> parts = new ArrayList<>();
        if (!report.missing().isEmpty()) {
            parts.add("missing " + some(report.missing().stream().map(LoadReport.Missing::target).toList()));
        }
        if (!report.mismatched().isEmpty()) {
            parts.add("different " + some(report.mismatched().stream()
                    .map(m -> m.target() + " (" + m.reason() + ")").toList()));
        }
        return String.join("; ", parts);
    }

    private static String some(List<String> names) {
        return names.stream().limit(SHOWN).collect(Collectors.joining(", "))
                + (names.size() > SHOWN ? " and " + (names.size() - SHOWN) + " more" : "");
    }

    /** The zoo's model that the file fits best, with the counts; null when none fits well and better than {@code share}. */
    private static String likely(WeightFile file, double share) {
        String best = null;
        double most = Math.max(share, LIKELY);
        for (ZooModel model : ModelZoo.all()) {
            try (StagedNetwork network = model.create()) {
                LoadReport r = LoadOptions.STRICT.names().plan(Target.of(network), file).report();
                if (share(r) > most) {
                    best = model.name() + " (" + r.loaded().size() + " of " + size(r) + ")";
                    most = share(r);
                }
            }
        }
        return best;
    }

    private static int size(LoadReport r) {
        return r.loaded().size() + r.missing().size() + r.mismatched().size();
    }

    /** Share of tensors that fit, of the network's and the file's together. */
    private static double share(LoadReport r) {
        return (double) r.loaded().size() / Math.max(1, size(r) + r.unused().size());
    }
}
