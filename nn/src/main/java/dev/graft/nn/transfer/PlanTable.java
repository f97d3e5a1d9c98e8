package dev.graft.nn.transfer;

import dev.graft.nn.BatchNorm2d;
import dev.graft.nn.Parameter;
import dev.graft.nn.Precision;
import dev.graft.nn.optim.Optimizer;
import dev.graft.nn.optim.ParamGroup;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Prints what a plan means for a network: one row per group, and when what is unfrozen. */
final class PlanTable {
    private PlanTable() {}

    static String of(FineTunePlan plan, StagedNetwork net) {
        plan.applyTo(net, 0);
        List<String[]> rows = new ArrayList<>();
        rows.add(new String[] {"group", "parameters", "trainable", "lr", "decay", "batch norm", "memory"});
        try (Optimizer optimizer = new Optimizer(net, plan.rule(), plan.groups())) {
            Map<ParamGroup, List<String>> members = new LinkedHashMap<>();
            optimizer.groups().forEach(g -> members.put(g, new ArrayList<>()));
            Map<String, Parameter> all = net.parameters();
            all.keySet().forEach(path -> members.get(optimizer.groupOf(path)).add(path));
            members.forEach((g, paths) -> rows.add(row(plan, net, g, paths, all)));
        }
        StringBuilder s = new StringBuilder();
        s.append("plan ").append(plan.strategy()).append(": ").append(plan.epochs()).append(" epochs of batches of ")
                .append(plan.batch()).append(", ").append(plan.rule()).append(", ").append(plan.schedule())
                .append(", seed ").append(plan.seed())
                .append(plan.precision() == Precision.FLOAT32 ? "" : ", " + plan.precision().label()).append('\n');
        print(s, rows);
        s.append("frozen: ").append(plan.frozen().isEmpty() ? "nothing" : plan.frozen()).append('\n');
        for (Unfreeze u : plan.unfreezing()) {
            s.append("epoch ").append(u.epoch() + 1).append(": unfreezes ").append(u.selector()).append('\n');
        }
        int prefix = plan.lastingPrefix(net);
        if (plan.cachesFeatures() && prefix > 0) {
            int copies = plan.augmentation() ? plan.augmentedCopies() : 1;
            s.append(copies > 1 ? "computed for " + copies + " varied copies of each image: the first "
                    : "computed once per image: the first ").append(prefix).append(" of ").append(net.stages().size())
                    .append(" stages\n");
        }
        return s.toString();
    }

    private static String[] row(FineTunePlan plan, StagedNetwork net, ParamGroup g, List<String> paths,
                                Map<String, Parameter> all) {
        long size = 0;
        long stored = 0;
        long trainable = 0;
        for (String path : paths) {
            Parameter p = all.get(path);
            size += p.size();
            stored += p.size() * p.dtype().bytes() + (p.scale() == null ? 0 : 4L * p.shape().dim(0));
            trainable += p.trainable() ? p.size() : 0;
        }
        // weights, and for what is trained a gradient and the optimizer's tensors in float32
        long bytes = stored + 4 * trainable * (1 + plan.rule().slots().size());
        return new String[] {g.name(), count(size), count(trainable),
            trainable == 0 ? "-" : String.format(Locale.ROOT, "%.2g", g.baseLr(plan.rule())),
            trainable == 0 ? "-" : String.format(Locale.ROOT, "%.2g", g.baseDecay(plan.rule())),
            batchNorm(net, g), String.format(Locale.ROOT, "%.1f MiB", bytes / 1048576.0)};
    }

    private static String batchNorm(StagedNetwork net, ParamGroup g) {
        long fixed = 0;
        long live = 0;
        for (Map.Entry<String, dev.graft.nn.Module> e : net.modules().entrySet()) {
            if (e.getValue() instanceof BatchNorm2d bn && g.selector().matches(e.getKey())) {
                if (bn.frozen()) {
                    fixed++;
                } else {
                    live++;
                }
            }
        }
        if (fixed > 0 && live > 0) {
            return fixed + " fixed, " + live + " learn";
        }
        return fixed > 0 ? "fixed" : live > 0 ? "learns" : "none";
    }

    private static String count(long n) {
        return String.format(Locale.ROOT, "%,d", n);
    }

    private static void print(StringBuilder s, List<String[]> rows) {
        int[] width = new int[rows.getFirst().length];
        for (String[] r : rows) {
            for (int i = 0; i < width.length; i++) {
                width[i] = Math.max(width[i], r[i].length());
            }
        }
        for (String[] r : rows) {
            for (int i = 0; i < width.length; i++) {
                String pad = " ".repeat(width[i] - r[i].length());
                s.append(i == 0 || i == 5 ? r[i] + pad : pad + r[i]).append(i == width.length - 1 ? "\n" : "  ");
            }
        }
    }
}
