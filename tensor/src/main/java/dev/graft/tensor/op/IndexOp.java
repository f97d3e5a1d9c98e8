package dev.graft.tensor.op;

import dev.graft.tensor.Shape;
import dev.graft.tensor.TensorSpec;

/** Ops that read or add at places given by an integer tensor. An index outside its axis is an error on the CPU. */
public sealed interface IndexOp extends PrimitiveOp {

    /** Rows of the first axis: an embedding. Inputs: table [V, ...], indices [I...]; output [I..., ...]. */
    record Take() implements IndexOp {
        @Override
        public String name() {
            return "take";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 2);
            Check.indices(in[1]);
            Check.that(in[0].rank() > 0, "a scalar has no rows");
            return Check.out(in[0].dtype(), in[1].shape().concat(in[0].shape().range(1, in[0].rank())));
        }
    }

    /** Adds each row of dy to the row of a zero table that its index names. Inputs: dy [I..., ...], indices [I...]. */
    record TakeBackward(int rows) implements IndexOp {
        @Override
        public String name() {
            return "take_backward";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 2);
            Check.indices(in[1]);
            int k = in[1].rank();
            Check.that(in[0].rank() >= k && in[0].shape().range(0, k).equals(in[1].shape()),
                    () -> "gradient " + in[0].shape() + " does not begin with the indices' shape " + in[1].shape());
            return Check.out(in[0].dtype(), Shape.of(rows).concat(in[0].shape().range(k, in[0].rank())));
        }
    }

    /** PyTorch's gather: out[..., i, ...] = x[..., index[..., i, ...], ...]. Inputs: x, indices equal but in axis. */
    record TakeAlong(int axis) implements IndexOp {
        @Override
        public String name() {
            return "take_along";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 2);
            Check.indices(in[1]);
            Check.that(in[0].rank() == in[1].rank()
                            && in[0].shape().with(axis, 0).equals(in[1].shape().with(axis, 0)),
                    () -> "input " + in[0].shape() + " and indices " + in[1].shape() + " differ outside axis " + axis);
            return Check.out(in[0].dtype(), in[1].shape());
        }
    }

    /** Adds dy at the indices along {@code axis} of a zero tensor with {@code size} there. Inputs: dy, indices. */
    record TakeAlongBackward(int axis, int size) implements IndexOp {
        @Override
        public String name() {
            return "take_along_backward";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 2);
            Check.indices(in[1]);
            Check.shape(in[1], in[0].shape(), "index tensor");
            return Check.out(in[0].dtype(), in[0].shape().with(axis, size));
        }
    }
}
