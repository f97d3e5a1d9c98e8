package dev.graft.nn.optim;

import dev.graft.tensor.GraftException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The schedules of one run, one per group, with what plateau schedules remember. */
public final class LearningRates {
    private final List<Schedule> schedules;
    private final List<Schedule.Plateau.State> states = new ArrayList<>();

    /** Groups without a schedule of their own follow {@code run}. */
    public LearningRates(List<ParamGroup> groups, Schedule run) {
        schedules = groups.stream().map(g -> g.schedule() == null ? run : g.schedule()).toList();
        schedules.forEach(s -> states.add(Schedule.Plateau.State.START));
    }

    /** One factor per group. */
    public double[] factors(Progress p) {
        double[] f = new double[schedules.size()];
        for (int i = 0; i < f.length; i++) {
            f[i] = schedules.get(i).factor(p.withReductions(states.get(i).reductions()));
        }
        return f;
    }

    /** Shows the values of a finished epoch to plateau schedules. */
    public void epochEnd(Map<String, Double> values) {
        for (int i = 0; i < schedules.size(); i++) {
            Schedule.Plateau plateau = schedules.get(i).findPlateau();
            if (plateau != null) {
                Double v = values.get(plateau.monitor().metric());
                if (v == null) {
                    throw new GraftException("plateau schedule: it watches '" + plateau.monitor().metric()
                            + "', but an epoch gives " + values.keySet() + ": give validation data, or watch one of these");
                }
                states.set(i, plateau.next(states.get(i), v));
            }
        }
    }

    public List<Schedule.Plateau.State> state() {
        return List.copyOf(states);
    }

    public void load(List<Schedule.Plateau.State> saved) {
        if (saved.size() != states.size()) {
            throw new GraftException("schedule: the saved state is of " + saved.size() + " groups, this run has "
                    + states.size() + ": resume with the same parameter groups");
        }
        for (int i = 0; i < saved.size(); i++) {
            states.set(i, saved.get(i));
        }
    }
}
