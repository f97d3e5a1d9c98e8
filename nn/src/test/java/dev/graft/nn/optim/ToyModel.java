package dev.graft.nn.optim;

import dev.graft.nn.Init;
import dev.graft.nn.Module;
import dev.graft.nn.Parameter;
import dev.graft.tensor.Tensor;

/** y = head(body(x)): two linear maps with biases, of the sizes a test wants. */
final class ToyModel extends Module {
    final Part body;
    final Part head;

    /** x · wᵀ + b. */
    static final class Part extends Module {
        final Parameter weight;
        final Parameter bias;

        Part(int in, int out) {
            weight = parameter("weight", Parameter.Kind.LINEAR_WEIGHT, Init.kaimingUniform(), out, in);
            bias = parameter("bias", Parameter.Kind.BIAS, Init.fanInUniform(in), out);
        }

        @Override
        protected Tensor forward(Tensor x) {
            return x.matmulTransposed(weight.value()).add(bias.value());
        }
    }

    ToyModel(int in, int hidden, int out) {
        body = child("body", new Part(in, hidden));
        head = child("head", new Part(hidden, out));
        initialize(1);
    }

    /** Parameters in float64, so that formulas can be compared to the last digits. */
    ToyModel inDouble() {
        parameters().values().forEach(p -> p.assign(
                Tensor.of(p.value().toDoubles(), p.shape().dims())));
        return this;
    }

    @Override
    protected Tensor forward(Tensor x) {
        return head.call(body.call(x).relu());
    }
}
