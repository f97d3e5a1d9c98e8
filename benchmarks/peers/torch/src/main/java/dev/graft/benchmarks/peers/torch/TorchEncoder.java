package dev.graft.benchmarks.peers.torch;

import static dev.graft.benchmarks.peers.Encoder.EPS;
import static dev.graft.benchmarks.peers.Encoder.HEADS;
import static dev.graft.benchmarks.peers.Encoder.TOKENS;
import static dev.graft.benchmarks.peers.Encoder.WIDTH;
import static dev.graft.benchmarks.peers.torch.TorchEngine.longs;
import static dev.graft.benchmarks.peers.torch.TorchEngine.one;
import static dev.graft.benchmarks.peers.torch.TorchEngine.tensor;
import static org.bytedeco.pytorch.global.torch.cross_entropy_loss;
import static org.bytedeco.pytorch.global.torch.gelu;
import static org.bytedeco.pytorch.global.torch.layer_norm;
import static org.bytedeco.pytorch.global.torch.linear;
import static org.bytedeco.pytorch.global.torch.scaled_dot_product_attention;
import static org.bytedeco.pytorch.global.torch.softmax;

import dev.graft.benchmarks.peers.Encoder;
import dev.graft.benchmarks.peers.Engine.Prepared;
import dev.graft.benchmarks.peers.Values;
import dev.graft.benchmarks.peers.Work;
import java.util.LinkedHashMap;
import java.util.Map;
import org.bytedeco.pytorch.AdamW;
import org.bytedeco.pytorch.AdamWOptions;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;

/** {@link Encoder} in libtorch's ops, its fused attention included. */
final class TorchEncoder {
    private static final boolean FUSED = !Boolean.getBoolean("bench.attention.plain");

    private final Map<String, Tensor> p = new LinkedHashMap<>();
    private final int layers;
    private final int batch;

    private TorchEncoder(int layers, int batch) {
        this.layers = layers;
        this.batch = batch;
        Encoder.shapes(layers).forEach((name, dims) -> p.put(name,
                tensor(Encoder.value(name, dims), dims).set_requires_grad(true)));
    }

    static Prepared prepare(Work.Bert work) {
        TorchEncoder net = new TorchEncoder(work.layers(), work.batch());
        Tensor x = tensor(Encoder.inputs(work.batch()), work.batch(), TOKENS, WIDTH);
        if (work.task() == Work.Task.INFERENCE) {
            return one(() -> net.forward(x));
        }
        Tensor labels = Tensor.create(Values.labels(work.batch(), Encoder.CLASSES), (long) work.batch());
        AdamWOptions o = new AdamWOptions(Encoder.LR);
        o.weight_decay().put(Encoder.DECAY);
        AdamW optimizer = new AdamW(new TensorVector(net.p.values().toArray(Tensor[]::new)), o);
        return TorchNetwork.steps(optimizer, () -> cross_entropy_loss(net.forward(x), labels));
    }

    private TensorOptional some(String name) {
        return new TensorOptional(p.get(name));
    }

    private Tensor linear1(String name, Tensor x) {
        return linear(x, p.get(name + "weight"), some(name + "bias"));
    }

    private Tensor norm(String name, Tensor x) {
        return layer_norm(x, longs(WIDTH), some(name + ".weight"), some(name + ".bias"), EPS, false);
    }

    private Tensor forward(Tensor input) {
        Tensor x = input;
        for (int i = 0; i < layers; i++) {
            String l = Encoder.layer(i);
            Tensor qkv = linear1(l + "self_attn.in_proj_", x).view(batch, TOKENS, 3, HEADS, WIDTH / HEADS)
                    .permute(2, 0, 3, 1, 4);
            Tensor a = attention(qkv.select(0, 0), qkv.select(0, 1), qkv.select(0, 2)).transpose(1, 2)
                    .reshape(batch, TOKENS, WIDTH);
            x = norm(l + "norm1", x.add(linear1(l + "self_attn.out_proj.", a)));
            x = norm(l + "norm2", x.add(linear1(l + "linear2.", gelu(linear1(l + "linear1.", x)))));
        }
        return linear1("classifier.", x.select(1, 0));
    }

    private static Tensor attention(Tensor q, Tensor k, Tensor v) {
        if (FUSED) {
            return scaled_dot_product_attention(q, k, v);
        }
        Scalar scale = new Scalar((float) (1 / Math.sqrt((double) WIDTH / HEADS)));
        return softmax(q.matmul(k.transpose(-2, -1)).mul(scale), -1).matmul(v);
    }
}
