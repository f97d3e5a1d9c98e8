package dev.graft.pretrained.format;

import dev.graft.nn.Module;
import dev.graft.nn.Parameter;
import dev.graft.nn.Quantization;
import dev.graft.tensor.DType;
import dev.graft.tensor.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * A parameter or buffer that wants a value.
 *
 * @param name  its path in the module, such as {@code layer1.0.conv1.weight}
 * @param shape in Graft's layout
 * @param dtype what the stored values are cast to
 * @param kind  decides how PyTorch's layout becomes Graft's
 */
public record Target(String name, Shape shape, DType dtype, Parameter.Kind kind) {
    /** What the name of an int8 weight's scale has behind the weight's. */
    static final String SCALE = Quantization.SCALE;

    /** All parameters and buffers of {@code module}, but scales of int8 weights: these come with their weights. */
    public static List<Target> of(Module module) {
        List<Target> targets = new ArrayList<>();
        Map<String, Parameter> parameters = module.parameters();
        parameters.forEach((name, p) -> targets.add(new Target(name, p.shape(), p.dtype(), p.kind())));
        module.buffers().forEach((name, b) -> {
            if (!name.endsWith(SCALE) || !parameters.containsKey(name.substring(0, name.length() - SCALE.length()))) {
                targets.add(new Target(name, b.value().shape(), b.value().dtype(), Parameter.Kind.OTHER));
            }
        });
        return targets;
    }
}
