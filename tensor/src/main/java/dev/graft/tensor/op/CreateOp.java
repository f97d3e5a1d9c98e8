package dev.graft.tensor.op;

import dev.graft.tensor.Device;
import dev.graft.tensor.TensorSpec;

/** Ops without inputs; they say where their output lives. */
public sealed interface CreateOp extends PrimitiveOp {
    TensorSpec spec();

    Device device();

    @Override
    default TensorSpec[] infer(TensorSpec[] in) {
        Check.arity(in, 0);
        return Check.out(spec());
    }

    /** Every element is {@code value}. */
    record Fill(TensorSpec spec, double value, Device device) implements CreateOp {
        @Override
        public String name() {
            return "fill";
        }
    }

    /** start, start + step, ...; spec has one axis. */
    record Arange(TensorSpec spec, double start, double step, Device device) implements CreateOp {
        @Override
        public String name() {
            return "arange";
        }
    }

    /** The distributions of {@link Random}. */
    enum Distribution {
        /** Uniform in [a, b). */
        UNIFORM,
        /** Normal with mean a and standard deviation b. */
        NORMAL,
        /** b with probability a, else 0: a scaled dropout mask. */
        BERNOULLI
    }

    /** Element i is a pure function of seed, stream and i (Philox4x32-10), on every device. float32 or float64. */
    record Random(TensorSpec spec, Distribution distribution, double a, double b, long seed, long stream, Device device)
            implements CreateOp {
        @Override
        public String name() {
            return "random";
        }
    }
}
