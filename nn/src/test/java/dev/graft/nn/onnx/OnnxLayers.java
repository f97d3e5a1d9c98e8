package dev.graft.nn.onnx;

import dev.graft.nn.Activation;
import dev.graft.nn.AvgPool2d;
import dev.graft.nn.BatchNorm2d;
import dev.graft.nn.Conv1d;
import dev.graft.nn.Conv2d;
import dev.graft.nn.ConvSpec;
import dev.graft.nn.ConvTranspose2d;
import dev.graft.nn.Embedding;
import dev.graft.nn.Flatten;
import dev.graft.nn.GroupNorm;
import dev.graft.nn.Linear;
import dev.graft.nn.MaxPool2d;
import dev.graft.nn.Module;
import dev.graft.nn.Padding;
import dev.graft.nn.onnx.OnnxModel.Node;
import dev.graft.nn.onnx.OnnxModel.OutOfScope;
import dev.graft.tensor.DType;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.PoolParams;
import dev.graft.tensor.op.UnaryFn;
import java.util.Set;
import java.util.stream.IntStream;

/** ONNX nodes as layers. Tensors are channels first outside, [N, C, ...], and channels last inside. */
final class OnnxLayers {
    /** The ops that {@link #run} knows. */
    static final Set<String> OPS = Set.of("Conv", "ConvTranspose", "BatchNormalization", "InstanceNormalization",
            "AveragePool", "MaxPool", "Gemm", "Gather", "Flatten", "Relu", "Elu", "LeakyRelu", "Selu", "Sigmoid",
            "Softplus", "Tanh");

    private OnnxLayers() {}

    static Tensor run(Node n, Tensor... in) {
        Tensor x = in[0];
        return switch (n.op()) {
            case "Conv" -> conv(n, in);
            case "ConvTranspose" -> convTranspose(n, in);
            case "BatchNormalization" -> batchNorm(n, in);
            case "InstanceNormalization" -> instanceNorm(n, in);
            case "AveragePool", "MaxPool" -> pool(n, x);
            case "Gemm" -> gemm(n, in);
            case "Gather" -> {
                Embedding e = new Embedding(x.dim(0), x.dim(1));
                e.weight().assign(x.retain());
                yield e.call(in[1]);
            }
            case "Flatten" -> x.rank() == 1 ? x.unsqueeze(1) : new Flatten().call(channelsLast(x));
            case "Relu" -> Activation.relu().call(x);
            case "Elu" -> Activation.elu(n.real("alpha", 1)).call(x);
            case "LeakyRelu" -> Activation.leakyRelu(n.real("alpha", 0.01)).call(x);
            case "Selu" -> Activation.selu().call(x);
            case "Sigmoid" -> Activation.sigmoid().call(x);
            case "Softplus" -> Activation.softplus().call(x);
            case "Tanh" -> Activation.of(UnaryFn.TANH).call(x);
            default -> throw new OutOfScope("op " + n.op());
        };
    }

    private static Tensor conv(Node n, Tensor[] in) {
        Tensor w = in[1];
        if (w.rank() == 5) {
            throw new OutOfScope("3-D convolution");
        }
        boolean image = w.rank() == 4;
        long[] s = n.ints("strides", 1, 1);
        long[] d = n.ints("dilations", 1, 1);
        long[] p = n.ints("pads", 0, 0, 0, 0);
        int last = image ? 1 : 0;
        ConvSpec spec = ConvSpec.DEFAULT.stride(image ? (int) s[0] : 1, (int) s[last])
                .dilation(image ? (int) d[0] : 1, (int) d[last]).groups(n.number("group", 1)).bias(in.length > 2)
                .padding(image ? Padding.of((int) p[0], (int) p[2], (int) p[1], (int) p[3])
                        : Padding.of(0, 0, (int) p[0], (int) p[1]));
        int channels = in[0].dim(1);
        if (image) {
            Conv2d layer = new Conv2d(channels, w.dim(0), w.dim(2), w.dim(3), spec);
            layer.weight().assign(w.permute(0, 2, 3, 1).retain());
            return channelsFirst(withBias(layer, in).call(channelsLast(in[0])));
        }
        Conv1d layer = new Conv1d(channels, w.dim(0), w.dim(2), spec);
        layer.weight().assign(w.permute(0, 2, 1).unsqueeze(1).retain());
        return channelsFirst(withBias(layer, in).call(channelsLast(in[0])));
    }

    private static Tensor convTranspose(Node n, Tensor[] in) {
        Tensor w = in[1];
        long[] s = n.ints("strides", 1, 1);
        long[] d = n.ints("dilations", 1, 1);
        long[] p = n.ints("pads", 0, 0, 0, 0);
        int group = n.number("group", 1);
        ConvSpec spec = ConvSpec.DEFAULT.stride((int) s[0], (int) s[1]).dilation((int) d[0], (int) d[1]).groups(group)
                .padding(Padding.of((int) p[0], (int) p[2], (int) p[1], (int) p[3])).bias(in.length > 2);
        ConvTranspose2d layer = new ConvTranspose2d(w.dim(0), w.dim(1) * group, w.dim(2), w.dim(3),
                (int) n.ints("output_padding", 0, 0)[0], spec);
        layer.weight().assign(w.permute(0, 2, 3, 1).retain());
        return channelsFirst(withBias(layer, in).call(channelsLast(in[0])));
    }

    private static Module withBias(Module layer, Tensor[] in) {
        if (in.length > 2) {
            layer.parameters().get("bias").assign(in[2].retain());
        }
        return layer;
    }

    private static Tensor batchNorm(Node n, Tensor[] in) {
        BatchNorm2d layer = new BatchNorm2d(in[1].dim(0), n.real("epsilon", 1e-5), 0.1);
        layer.weight().assign(in[1].retain());
        layer.bias().assign(in[2].retain());
        layer.runningMean().assign(in[3].cast(DType.F32).retain());
        layer.runningVar().assign(in[4].cast(DType.F32).retain());
        return channelsFirst(layer.call(channelsLast(in[0])));
    }

    private static Tensor instanceNorm(Node n, Tensor[] in) {
        int c = in[1].dim(0);
        GroupNorm layer = new GroupNorm(c, c, n.real("epsilon", 1e-5));
        layer.weight().assign(in[1].retain());
        layer.bias().assign(in[2].retain());
        return channelsFirst(layer.call(channelsLast(in[0])));
    }

    private static Tensor pool(Node n, Tensor x) {
        long[] k = n.ints("kernel_shape");
        for (long d : n.ints("dilations", 1)) {
            if (d != 1) {
                throw new OutOfScope("pooling with dilation");
            }
        }
        if (k.length == 3) {
            throw new OutOfScope("3-D pooling");
        }
        long[] s = n.ints("strides", 1, 1);
        long[] p = n.ints("pads", 0, 0, 0, 0);
        boolean image = k.length == 2;
        PoolParams params = image
                ? new PoolParams((int) k[0], (int) k[1], (int) s[0], (int) s[1], (int) p[0], (int) p[2], (int) p[1],
                        (int) p[3], false)
                : new PoolParams(1, (int) k[0], 1, (int) s[0], 0, 0, (int) p[0], (int) p[1], false);
        Module layer = n.op().equals("MaxPool") ? new MaxPool2d(params) : new AvgPool2d(params, true);
        Tensor y = channelsFirst(layer.call(channelsLast(image ? x : x.unsqueeze(2))));
        return image ? y : y.reshape(y.dim(0), y.dim(1), y.dim(3));
    }

    private static Tensor gemm(Node n, Tensor[] in) {
        double alpha = n.real("alpha", 1);
        double beta = n.real("beta", 1);
        if (n.number("transB", 0) == 1 && alpha == 1 && beta == 1 && in[2].rank() == 1) {
            Linear layer = new Linear(in[1].dim(1), in[1].dim(0));
            layer.weight().assign(in[1].retain());
            layer.bias().assign(in[2].retain());
            return layer.call(in[0]);
        }
        return in[0].matmul(in[1]).mul(alpha).add(in[2].mul(beta));
    }

    /** [N, C, ...] to [N, ..., C]. */
    static Tensor channelsLast(Tensor x) {
        int r = x.rank();
        return r < 3 ? x : x.permute(IntStream.range(0, r).map(i -> i == 0 ? 0 : i == r - 1 ? 1 : i + 1).toArray());
    }

    /** [N, ..., C] to [N, C, ...]. */
    static Tensor channelsFirst(Tensor x) {
        int r = x.rank();
        return r < 3 ? x : x.permute(IntStream.range(0, r).map(i -> i == 0 ? 0 : i == 1 ? r - 1 : i - 1).toArray());
    }
}
