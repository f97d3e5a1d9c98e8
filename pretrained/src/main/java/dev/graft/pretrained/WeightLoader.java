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
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Puts a weight file into a network, all or nothing: what does not fit is found from names and shapes before any data is
 * read, and all data is read before the first parameter changes. Layouts and dtypes are converted on the way.
 */
public final class WeightLoader {
    /** Below this share of fitting tensors the file is taken for another network's. */
    private static final double KINSHIP = 0.5;
    /** From this share on the zoo's model is named as the likely right one. */
    private static final double LIKELY = 0.9;
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
     *                        one does. The network is as it was
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

    private static List<Tensor> read(LoadPlan plan, WeightFile file) {
        List<Tensor> values = new ArrayList<>();
        try {
            for (LoadPlan.Assignment a : plan.assignments()) {
                values.add(Scope.persistent(() -> a.read(file)));
            }
            return values;
        } catch (RuntimeException | Error e) {
            values.forEach(Tensor::close);
            throw e;
        }
    }

    private static void check(Module network, String name, WeightFile file, LoadReport report,
                              LoadOptions.Tolerance tolerance) {
        List<String> open = Stream.concat(report.missing().stream().map(LoadReport.Missing::target),
                report.mismatched().stream().map(LoadReport.Mismatch::target)).toList();
        int all = report.loaded().size() + open.size();
        String head = network instanceof StagedNetwork n ? n.headPath() + "." : null;
        boolean tolerated = switch (tolerance) {
            case NOTHING -> open.isEmpty();
            case HEAD -> open.stream().allMatch(path -> head != null && path.startsWith(head));
            case ANYTHING -> !report.loaded().isEmpty() || all == 0;
        };
        if (!tolerated) {
            throw new GraftException(message(name, file, report, open, all, head));
        }
    }

    private static String message(String name, WeightFile file, LoadReport report, List<String> open, int all,
                                  String head) {
        String fits = report.loaded().size() + " of " + all + " tensors fit";
        if (report.loaded().size() < KINSHIP * all || report.unused().size() > KINSHIP * all) {
            String likely = likely(file);
            if (likely != null) {
                return file.path() + ": these are not the weights of " + name + " (" + fits + "); they fit " + likely
                        + ": use that model";
            }
        }
        if (report.loaded().isEmpty()) {
            return file.path() + ": these are not the weights of " + name + ": of its " + all
                    + " tensors none fits; the file has " + file.entries().size() + " tensors"
                    + (file.entries().isEmpty() ? "" : " such as '" + file.entries().getFirst().name() + "'")
                    + ": check the file and the model";
        }
        boolean onlyHead = head != null && open.stream().allMatch(path -> path.startsWith(head));
        return file.path() + ": the weights of " + name + " are incomplete (" + fits + "): " + details(report)
                + (onlyHead ? "; only the head is affected: load with LoadOptions.EXCEPT_HEAD and train it"
                : ": check the model and its options");
    }

    private static String details(LoadReport report) {
        List<String> parts = new ArrayList<>();
        if (!report.missing().isEmpty()) {
            parts.add("missing " + some(report.missing().stream().map(LoadReport.Missing::target).toList()));
        }
        if (!report.mismatched().isEmpty()) {
            parts.add("different " + some(report.mismatched().stream().map(m -> m.target() + " (" + m.reason() + ")").toList()));
        }
        return String.join("; ", parts);
    }

    private static String some(List<String> names) {
        return names.stream().limit(SHOWN).collect(Collectors.joining(", "))
                + (names.size() > SHOWN ? " and " + (names.size() - SHOWN) + " more" : "");
    }

    /** The zoo's model that most of the file's tensors fit, with the counts; null when none fits well. */
    private static String likely(WeightFile file) {
        ZooModel best = null;
        LoadReport fits = null;
        for (ZooModel model : ModelZoo.all()) {
            try (StagedNetwork network = model.create()) {
                LoadReport r = LoadOptions.STRICT.names().plan(Target.of(network), file).report();
                if (fits == null || share(r) > share(fits)) {
                    best = model;
                    fits = r;
                }
            }
        }
        return fits == null || share(fits) < LIKELY ? null
                : best.name() + " (" + fits.loaded().size() + " of " + size(fits) + ")";
    }

    private static int size(LoadReport r) {
        return r.loaded().size() + r.missing().size() + r.mismatched().size();
    }

    /** Share of tensors that fit, of the network's and the file's together. */
    private static double share(LoadReport r) {
        return (double) r.loaded().size() / Math.max(1, size(r) + r.unused().size());
    }
}
