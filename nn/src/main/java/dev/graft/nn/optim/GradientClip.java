package dev.graft.nn.optim;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.Change;

/** What is done to too large gradients before a step. */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "type")
@JsonSubTypes({@JsonSubTypes.Type(value = GradientClip.ByNorm.class, name = "by_norm"),
    @JsonSubTypes.Type(value = GradientClip.ByValue.class, name = "by_value")})
public sealed interface GradientClip {
    /**
     * The clipped gradients, for loops that change parameters themselves: new ones where something changes, the same ones
     * otherwise. By norm it reads a value back.
     */
    ParamGradients apply(ParamGradients g);

    /**
     * The factor that clips gradients of Euclidean norm {@code norm}, made without reading it.
     *
     * @param norm a single value
     * @return a single value like it, or null when no common factor clips
     */
    Tensor factor(Tensor norm);

    /** What every element of a gradient is clipped to, of either sign; {@link Change#NO_LIMIT} for none. */
    double limit();

    /** {@link #limit} of {@code clip}, which may be null. */
    static double limit(GradientClip clip) {
        return clip == null ? Change.NO_LIMIT : clip.limit();
    }

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
            return Change.NO_LIMIT;
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
