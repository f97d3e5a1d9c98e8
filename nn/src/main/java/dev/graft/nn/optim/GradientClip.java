package dev.graft.nn.optim;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import dev.graft.tensor.Tensor;

/** What is done to too large gradients before a step. */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "type")
@JsonSubTypes({@JsonSubTypes.Type(value = GradientClip.ByNorm.class, name = "by_norm"),
    @JsonSubTypes.Type(value = GradientClip.ByValue.class, name = "by_value")})
public sealed interface GradientClip {
    /** The clipped gradients: new ones where something changes, the same ones otherwise. Reads a value back. */
    ParamGradients apply(ParamGradients g);

    /**
     * The factor that clips gradients of Euclidean norm {@code norm}, made without reading it.
     *
     * @param norm a single value
     * @return a single value like it, or null when no common factor clips
     */
    Tensor factor(Tensor norm);

    /** What every element of a gradient is clipped to, of either sign, behind {@link #factor}; infinite for no limit. */
    double limit();

    /** All gradients times min(1, maxNorm/(norm + 1e-6)), the norm taken over all of them together. */
    record ByNorm(double maxNorm) implements GradientClip {
        public ByNorm {
            Range.check(maxNorm > 0, "clip: maxNorm is " + maxNorm + ", a number above 0 is needed");
        }

        @Override
        public ParamGradients apply(ParamGradients g) {
            double scale = maxNorm / (g.norm() + 1e-6);
            return scale < 1 ? g.map(t -> t.mul(scale)) : g;
        }

        @Override
        public Tensor factor(Tensor norm) {
            return norm.add(1e-6).reciprocal().mul(maxNorm).minimum(1);
        }

        @Override
        public double limit() {
            return Double.POSITIVE_INFINITY;
        }
    }

    /** Every element into [−limit, limit]. */
    record ByValue(double limit) implements GradientClip {
        public ByValue {
            Range.check(limit > 0, "clip: limit is " + limit + ", a number above 0 is needed");
        }

        @Override
        public ParamGradients apply(ParamGradients g) {
            return g.map(t -> t.clamp(-limit, limit));
        }

        @Override
        public Tensor factor(Tensor norm) {
            return null;
        }
    }
}
