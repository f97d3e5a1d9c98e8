package dev.graft.nn.optim;

import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.FusedOp;
import dev.graft.tensor.op.Update;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.UnaryOperator;

/**
 * Gradients by the parameter's path. The tensors belong to the scope in which they were made; gradients of several
 * parameters may share memory, so they are never changed in place.
 *
 * @param byPath in the order of the optimizer's parameters
 */
public record ParamGradients(Map<String, Tensor> byPath) {
    /** Every gradient through {@code f}. */
    public ParamGradients map(UnaryOperator<Tensor> f) {
        Map<String, Tensor> out = new LinkedHashMap<>();
        byPath.forEach((path, g) -> out.put(path, f.apply(g)));
        return new ParamGradients(out);
    }

    /** Euclidean norm over all elements of all gradients; 0 when there are none. */
    public double norm() {
        if (byPath.isEmpty()) {
            return 0;
        }
        try (Scope scope = Scope.open("gradient norm")) {
            return normTensor().item();
        }
    }

    /** The norm where the gradients are, float64 []; there must be one. Not finite where any gradient is not. */
    public Tensor normTensor() {
        Device device = byPath.values().iterator().next().device();
        try (Scope scope = Scope.open("gradient norm")) {
            Tensor[] squares = byPath.values().stream().map(g -> sumOfSquares(g).to(device)).toArray(Tensor[]::new);
            return scope.keep(Tensor.stack(0, squares).cast(DType.F64).sum().sqrt());
        }
    }

    private static Tensor sumOfSquares(Tensor g) {
        return Dispatcher.one(new FusedOp.SumOfSquares(), g);
    }

    /**
     * Gathers the gradients of micro-batches: the mean of their mean gradients, each weighted by its number of samples, is
     * the gradient of the one large batch.
     */
    public static final class Accumulator {
        private final Map<String, Tensor> sums = new LinkedHashMap<>();
        private double total;

        /** Adds gradients of a mean over {@code samples}; the sums are kept beyond {@code micro}, the open scope. */
        public void add(ParamGradients g, double samples, Scope micro) {
            g.byPath().forEach((path, t) -> {
                Tensor sum = sums.get(path);
                if (sum == null) {
                    sums.put(path, micro.keep(t.mul(samples)));
                } else {
                    Dispatcher.update(new Update.Axpby(1, samples), sum, t);
                }
            });
            total += samples;
        }

        /** The mean over all samples added. */
        public ParamGradients mean() {
            double by = 1 / total;
            return new ParamGradients(sums).map(t -> t.mul(by));
        }
    }
}
