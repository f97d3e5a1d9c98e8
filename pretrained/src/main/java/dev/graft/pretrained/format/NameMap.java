package dev.graft.pretrained.format;

import dev.graft.nn.Parameter;
import dev.graft.pretrained.format.LoadPlan.Assignment;
import dev.graft.tensor.DType;
import dev.graft.tensor.Shape;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Decides which stored tensor goes into which parameter. The state dict inside a checkpoint and prefixes such as
 * {@code module.} or {@code state_dict.model.} are found by themselves: of all prefixes in the file, the one under which
 * most targets find a tensor of their shape is taken. Names that differ in other ways are mapped by {@link #rename}.
 *
 * <p>An immutable value; {@code NameMap.standard()} suits torchvision, timm and checkpoints of models with the same names.
 */
public final class NameMap {
    /** Missing times unused names up to which their distances are computed. */
    private static final long MAX_PAIRS = 100_000;

    private record Rename(Pattern pattern, String replacement) {
    }

    private static final NameMap STANDARD = new NameMap(List.of(), "");

    private final List<Rename> renames;
    private final String into;

    private NameMap(List<Rename> renames, String into) {
        this.renames = renames;
        this.into = into;
    }

    /** Names as they are, below a prefix that is found. */
    public static NameMap standard() {
        return STANDARD;
    }

    /** As this, after replacing every match of {@code regex} in the file's names; renames apply in order. */
    public NameMap rename(String regex, String replacement) {
        List<Rename> all = new ArrayList<>(renames);
        all.add(new Rename(Pattern.compile(regex), replacement));
        return new NameMap(List.copyOf(all), into);
    }

    /** As this, for weights of one part of a model: only targets below {@code prefix}, such as {@code backbone.}, count. */
    public NameMap into(String prefix) {
        return new NameMap(renames, prefix);
    }

    /** The assignments for {@code targets} and the report; neither reads data. */
    public LoadPlan plan(Collection<Target> targets, WeightFile file) {
        Map<String, Target> wanted = new LinkedHashMap<>();
        for (Target t : targets) {
            if (t.name().startsWith(into)) {
                wanted.put(t.name().substring(into.length()), t);
            }
        }
        Map<String, WeightEntry> stored = new LinkedHashMap<>();
        for (WeightEntry e : file.entries()) {
            if (stored.putIfAbsent(renamed(e.name()), e) != null) {
                stored.putIfAbsent(e.name(), e); // two names became one: the first has it, the report shows the second
            }
        }
        boolean graftLayout = Transform.GRAFT_LAYOUT.equals(file.metadata().get(Transform.LAYOUT_KEY));
        String prefix = prefix(wanted, stored, graftLayout);
        return new Matching(file, prefix, graftLayout).plan(wanted, stored);
    }

    private String renamed(String name) {
        String s = name;
        for (Rename r : renames) {
            s = r.pattern.matcher(s).replaceAll(r.replacement);
        }
        return s;
    }

    private static Transform transform(Target t, WeightEntry e, boolean graftLayout) {
        return graftLayout ? Transform.NONE : Transform.of(t.kind(), e.shape());
    }

    private record Score(String prefix, int shapes, int names, int position) {
    }

    /** The prefix under which most targets find a tensor of their shape, then of their name. */
    private static String prefix(Map<String, Target> wanted, Map<String, WeightEntry> stored, boolean graftLayout) {
        Map<String, Score> scores = new HashMap<>();
        int position = 0;
        for (Map.Entry<String, WeightEntry> e : stored.entrySet()) {
            String name = e.getKey();
            for (int start = 0; start >= 0; start = next(name, start)) {
                Target t = wanted.get(name.substring(start));
                if (t != null) {
                    Transform how = transform(t, e.getValue(), graftLayout);
                    int fits = how.apply(e.getValue().shape()).equals(t.shape()) ? 1 : 0;
                    scores.merge(name.substring(0, start), new Score(name.substring(0, start), fits, 1, position),
                            (a, b) -> new Score(a.prefix, a.shapes + b.shapes, a.names + b.names, a.position));
                }
            }
            position++;
        }
        return scores.values().stream()
                .min(Comparator.comparingInt((Score s) -> -s.shapes).thenComparingInt(s -> -s.names)
                        .thenComparing(s -> secondary(s.prefix)).thenComparingInt(s -> s.position))
                .map(Score::prefix).orElse("");
    }

    private static int next(String name, int start) {
        int dot = name.indexOf('.', start);
        return dot < 0 ? -1 : dot + 1;
    }

    /** Averages and optimizer states repeat the names of the weights; the weights themselves come first. */
    private static boolean secondary(String prefix) {
        String p = prefix.toLowerCase(Locale.ROOT);
        return p.contains("ema") || p.contains("optim") || p.contains("swa") || p.contains("teacher");
    }

    /** Collects the report while pairing names. */
    private static final class Matching {
        private final WeightFile file;
        private final String prefix;
        private final boolean graftLayout;
        private final List<Assignment> assignments = new ArrayList<>();
        private final List<LoadReport.Loaded> loaded = new ArrayList<>();
        private final List<LoadReport.Mismatch> mismatched = new ArrayList<>();
        private final List<LoadReport.Cast> casts = new ArrayList<>();
        private final Map<String, Target> missing = new LinkedHashMap<>();
        private final List<String> kept = new ArrayList<>();

        Matching(WeightFile file, String prefix, boolean graftLayout) {
            this.file = file;
            this.prefix = prefix;
            this.graftLayout = graftLayout;
        }

        LoadPlan plan(Map<String, Target> wanted, Map<String, WeightEntry> stored) {
            Set<WeightEntry> used = new HashSet<>();
            wanted.forEach((name, target) -> {
                WeightEntry e = stored.get(prefix + name);
                if (e == null && name.endsWith(LoadReport.COUNTER)) {
                    kept.add(target.name());
                } else if (e == null) {
                    missing.put(name, target);
                } else {
                    used.add(e);
                    WeightEntry scale = scale(target, e, stored.get(prefix + name + Target.SCALE));
                    if (scale != null) {
                        used.add(scale);
                    }
                    pair(target, e, scale);
                }
            });
            Map<String, WeightEntry> unused = new LinkedHashMap<>();
            List<String> outside = new ArrayList<>();
            stored.forEach((name, e) -> {
                if (!name.startsWith(prefix)) {
                    outside.add(e.name());
                } else if (!used.contains(e)) {
                    unused.put(name.substring(prefix.length()), e);
                }
            });
            return new LoadPlan(assignments, new LoadReport(file.path(), file.format(), prefix, loaded,
                    missing(unused.keySet()), unused(unused), mismatched, casts, kept, outside));
        }

        /** {@code beside} where it is the scale of int8 rows. */
        private static WeightEntry scale(Target t, WeightEntry e, WeightEntry beside) {
            return beside != null && isInt8(t, e) && beside.dtype() == DType.F32
                    && beside.shape().equals(Shape.of(e.shape().dim(0))) ? beside : null;
        }

        private static boolean isInt8(Target t, WeightEntry e) {
            return t.kind() == Parameter.Kind.LINEAR_WEIGHT && e.dtype() == DType.I8 && e.shape().rank() == 2;
        }

        private void pair(Target t, WeightEntry e, WeightEntry scale) {
            Transform how = transform(t, e, graftLayout);
            var found = how.apply(e.shape());
            // A single value is one as [] or as [1]: counters are saved both ways.
            boolean fits = found.equals(t.shape()) || found.size() == 1 && t.shape().size() == 1;
            String reason = !fits ? "file " + found + ", model " + t.shape()
                    : isInt8(t, e) && scale == null ? "file int8 without its scale " + e.name() + Target.SCALE + " float32["
                            + t.shape().dim(0) + "]"
                    : t.dtype() != DType.I8 && !Elements.castable(e.dtype(), t.dtype())
                    ? "file " + e.dtype() + ", model " + t.dtype() : null;
            if (reason != null) {
                mismatched.add(new LoadReport.Mismatch(t.name(), e.name(), found, t.shape(), reason));
                return;
            }
            assignments.add(new Assignment(t, e, how, scale));
            loaded.add(new LoadReport.Loaded(t.name(), e.name(), t.shape(), how));
            if (e.dtype() != t.dtype()) {
                casts.add(new LoadReport.Cast(t.name(), e.dtype(), t.dtype()));
            }
        }

        private List<LoadReport.Missing> missing(Set<String> unused) {
            boolean compare = (long) missing.size() * unused.size() <= MAX_PAIRS;
            return missing.entrySet().stream().map(m -> new LoadReport.Missing(m.getValue().name(), m.getValue().shape(),
                    compare ? NearestNames.of(m.getKey(), unused, 2) : List.of())).toList();
        }

        private List<LoadReport.Unused> unused(Map<String, WeightEntry> unused) {
            boolean compare = (long) missing.size() * unused.size() <= MAX_PAIRS;
            return unused.entrySet().stream().map(u -> new LoadReport.Unused(u.getValue().name(), u.getValue().shape(),
                    compare ? NearestNames.of(u.getKey(), missing.keySet(), 2) : List.of())).toList();
        }
    }
}
