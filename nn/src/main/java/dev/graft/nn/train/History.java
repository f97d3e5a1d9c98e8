package dev.graft.nn.train;

import dev.graft.nn.optim.Monitor;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.StringJoiner;

/** All epochs of a run, in order. */
public record History(List<HistoryRow> rows) {
    public History {
        rows = List.copyOf(rows);
    }

    /** The first epoch with the best value. */
    public Optional<HistoryRow> best(Monitor monitor) {
        HistoryRow best = null;
        for (HistoryRow r : rows) {
            Double v = r.values().get(monitor.metric());
            if (v != null && (best == null || monitor.better(v, best.values().get(monitor.metric()), 0))) {
                best = r;
            }
        }
        return Optional.ofNullable(best);
    }

    /** With a header line; values that do not exist are empty. Epochs count from 1 here, as people do. */
    public String csv() {
        StringBuilder s = new StringBuilder("epoch,train_loss,train_accuracy,val_loss,val_accuracy");
        List<String> metrics = rows.isEmpty() ? List.of() : List.copyOf(rows.getFirst().metrics().keySet());
        List<String> groups = rows.isEmpty() ? List.of() : List.copyOf(rows.getFirst().lr().keySet());
        metrics.forEach(m -> s.append(',').append(quoted(m)));
        groups.forEach(g -> s.append(',').append(quoted("lr " + g)));
        s.append(",seconds,samples_per_second,waited\n");
        for (HistoryRow r : rows) {
            StringJoiner line = new StringJoiner(",");
            line.add(Integer.toString(r.epoch() + 1)).add(number(r.trainLoss())).add(number(r.trainAccuracy()))
                    .add(number(r.valLoss())).add(number(r.valAccuracy()));
            metrics.forEach(m -> line.add(number(r.metrics().getOrDefault(m, Double.NaN))));
            groups.forEach(g -> line.add(number(r.lr().getOrDefault(g, Double.NaN))));
            line.add(String.format(Locale.ROOT, "%.3f", r.seconds()))
                    .add(String.format(Locale.ROOT, "%.1f", r.samplesPerSecond()))
                    .add(String.format(Locale.ROOT, "%.3f", r.waited()));
            s.append(line).append('\n');
        }
        return s.toString();
    }

    private static String number(double v) {
        return Double.isNaN(v) ? "" : Double.toString(v);
    }

    private static String quoted(String name) {
        return name.matches("[\\w .-]*") ? name : "\"" + name.replace("\"", "\"\"") + "\"";
    }
}
