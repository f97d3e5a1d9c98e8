package dev.graft.pretrained.format;

import dev.graft.nn.Module;
import dev.graft.nn.Parameter;
import dev.graft.tensor.DType;
import dev.graft.tensor.Shape;
import java.util.ArrayList;
import java.util.List;

/**
 * A parameter or buffer that wants a value.
 *
 * @param name  its path in the module, such as {@code layer1.0.conv1.weight}
 * @param shape in Graft's layout
 * @param dtype what the stored values are cast to
 * @param kind  decides how PyTorch's layout becomes Graft's
 */
public record Target(String name, Shape shape, DType dtype, Parameter.Kind kind) {
    /** All parameters and buffers of {@code module}. */
    public static List<Target> of(Module module) {
        List<Target> targets = new ArrayList<>();
        module.parameters().forEach((name, p) -> targets.add(new Target(name, p.shape(), DType.F32, p.kind())));
        module.buffers().forEach((name, b) ->
                targets.add(new Target(name, b.value().shape(), b.value().dtype(), Parameter.Kind.OTHER)));
        return targets;
    }
}
