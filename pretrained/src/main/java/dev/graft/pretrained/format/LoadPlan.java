package dev.graft.pretrained.format;

import dev.graft.tensor.Tensor;
import java.util.List;

/**
 * Which stored tensor goes into which target, computed from names and shapes alone: nothing is read and nothing changed.
 * Whoever loads walks the assignments and shows the report.
 */
public record LoadPlan(List<Assignment> assignments, LoadReport report) {
    public LoadPlan {
        assignments = List.copyOf(assignments);
    }

    /** One tensor on its way: from {@code source}, its axes moved by {@code transform}, into {@code target}. */
    public record Assignment(Target target, WeightEntry source, Transform transform) {
        /** The values in the target's layout, shape and dtype, on the CPU, in the scope that is open. */
        public Tensor read(WeightFile file) {
            return file.tensor(source.name(), transform, target.shape(), target.dtype());
        }
    }
}
