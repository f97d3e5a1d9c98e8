package dev.graft.pretrained;

import dev.graft.nn.Module;
import dev.graft.nn.Parameter;
import dev.graft.pretrained.format.SafetensorsWriter;
import dev.graft.tensor.DType;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Shape;
import java.nio.file.Path;
import java.util.Map;

/**
 * Writes a network's weights as safetensors with PyTorch's names and layouts ([O, I/groups, kH, kW] for convolutions), so
 * that {@code load_state_dict(safetensors.torch.load_file(...))} takes them. The file appears whole or not at all.
 */
public final class WeightSaver {
    private WeightSaver() {}

    /**
     * Writes {@code network} with float32 weights.
     *
     * @param about goes into the metadata, so that {@link ModelZoo#open} needs nothing but the file
     */
    public static void save(Path file, Module network, ModelDescription about) {
        save(file, network, about, DType.F32);
    }

    /**
     * @param dtype of the weights with two or more axes; scales, shifts and running statistics stay float32, whose range
     *              they need (variances of 1e-8 are common) and which costs nothing. Quantised weights are written as they
     *              are stored, int8 ones with {@code <name>_scale} [O] beside them
     */
    public static void save(Path file, Module network, ModelDescription about, DType dtype) {
        writer(network, about.toMetadata(), dtype).write(file);
    }

    private static SafetensorsWriter writer(Module network, Map<String, String> metadata, DType dtype) {
        if (!dtype.isFloat()) {
            throw new GraftException("save weights: " + dtype + " cannot hold weights; use float32, float16 or bfloat16");
        }
        SafetensorsWriter writer = new SafetensorsWriter();
        metadata.forEach(writer::metadata);
        network.parameters().forEach((path, p) -> {
            if (p.dtype() != DType.F32) {
                writer.put(path, p.value());        // its scale is a buffer
                return;
            }
            Shape shape = torchShape(p.kind(), p.shape());
            float[] values = toTorch(p.kind(), p.shape(), p.value().toFloats());
            writer.put(path, p.shape().rank() > 1 ? dtype : DType.F32, shape, values);
        });
        network.buffers().forEach((path, b) -> writer.put(path, b.value()));
        return writer;
    }

    /** Shape in PyTorch of a parameter that has {@code s} here. */
    static Shape torchShape(Parameter.Kind kind, Shape s) {
        return switch (kind) {
            case CONV_WEIGHT, CONV_TRANSPOSE_WEIGHT -> Shape.of(s.dim(0), s.dim(3), s.dim(1), s.dim(2));
            case CONV1D_WEIGHT -> Shape.of(s.dim(0), s.dim(3), s.dim(2));
            case LINEAR_WEIGHT, EMBEDDING, NORM_WEIGHT, BIAS, OTHER -> s;
        };
    }

    /** The elements in PyTorch's order: of convolutions the last axis becomes the second. */
    private static float[] toTorch(Parameter.Kind kind, Shape s, float[] values) {
        boolean conv = switch (kind) {
            case CONV_WEIGHT, CONV_TRANSPOSE_WEIGHT, CONV1D_WEIGHT -> true;
            case LINEAR_WEIGHT, EMBEDDING, NORM_WEIGHT, BIAS, OTHER -> false;
        };
        if (!conv) {
            return values;
        }
        int window = s.dim(1) * s.dim(2);
        int channels = s.dim(3);
        float[] out = new float[values.length];
        for (int o = 0; o < s.dim(0); o++) {
            int base = o * window * channels;
            for (int c = 0; c < channels; c++) {
                for (int w = 0; w < window; w++) {
                    out[base + c * window + w] = values[base + w * channels + c];
                }
            }
        }
        return out;
    }
}
