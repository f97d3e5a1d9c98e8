package dev.graft.nn.transfer;

import dev.graft.nn.ParamSelector;
import dev.graft.tensor.Tensor;
import java.util.function.UnaryOperator;

/**
 * One step of a network from input to output, with the parameters it uses.
 *
 * @param name       what plans and messages call it, such as {@code layer3}
 * @param parameters which parameters belong to it, and which layers without any, such as dropout; none for pooling
 * @param function   the step itself
 */
public record Stage(String name, ParamSelector parameters, UnaryOperator<Tensor> function) {
    public static Stage of(String name, String parameters, UnaryOperator<Tensor> function) {
        return new Stage(name, ParamSelector.of(parameters), function);
    }
}
