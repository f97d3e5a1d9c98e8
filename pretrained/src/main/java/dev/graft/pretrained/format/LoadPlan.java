package dev.graft.pretrained.format;

import dev.graft.tensor.DType;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Scope;
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

    /**
     * One tensor on its way: from {@code source}, its axes moved by {@code transform}, into {@code target}.
     *
     * @param scale what the rows of an int8 weight are multiplied by; null for other tensors
     */
    public record Assignment(Target target, WeightEntry source, Transform transform, WeightEntry scale) {
        public Assignment {
            if (scale != null && transform != Transform.NONE) {
                throw new GraftException("load: " + source.name() + " is int8 with a scale for every row, and " + transform
                        + " would move its axes: only linear weights, which are stored as they are used, may have scales");
            }
        }

        /**
         * The values in the target's layout, shape and dtype, on the CPU, in the scope that is open; those of an int8 weight
         * as float32.
         */
        public Tensor read(WeightFile file) {
            if (scale == null) {
                return file.tensor(source.name(), transform, target.shape(),
                        target.dtype() == DType.I8 ? DType.F32 : target.dtype());
            }
            try (Scope s = Scope.open("int8 weight")) {
                Tensor factors = file.tensor(scale.name()).reshape(target.shape().dim(0), 1);
                return s.keep(file.tensor(source.name()).cast(DType.F32).mul(factors));
            }
        }
    }
}
