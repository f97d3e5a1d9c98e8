package dev.graft.benchmarks.peers.djl;

import static dev.graft.benchmarks.peers.Encoder.HEADS;
import static dev.graft.benchmarks.peers.Encoder.TOKENS;
import static dev.graft.benchmarks.peers.Encoder.WIDTH;
import static dev.graft.benchmarks.peers.djl.DjlEngine.array;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.norm.LayerNorm;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import dev.graft.benchmarks.peers.Encoder;
import dev.graft.benchmarks.peers.Engine.Prepared;
import dev.graft.benchmarks.peers.Work;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** {@link Encoder} in DJL's ops. */
final class DjlEncoder {
    private final Map<String, NDArray> p = new LinkedHashMap<>();
    private final int layers;
    private final int batch;

    private DjlEncoder(int layers, int batch) {
        this.layers = layers;
        this.batch = batch;
        Encoder.shapes(layers).forEach((name, dims) -> p.put(name, array(Encoder.value(name, dims), dims)));
    }

    static Prepared prepare(Work.Bert work) {
        DjlEncoder net = new DjlEncoder(work.layers(), work.batch());
        NDArray x = array(Encoder.inputs(work.batch()), work.batch(), TOKENS, WIDTH);
        if (work.task() == Work.Task.INFERENCE) {
            return DjlEngine.forward(List.of(x), in -> net.forward(in.getFirst()));
        }
        Optimizer adamW = Optimizer.adamW().optLearningRateTracker(Tracker.fixed((float) Encoder.LR))
                .optWeightDecays((float) Encoder.DECAY).build();
        return new DjlNetwork.Steps(x, DjlEngine.labels(work.batch(), Encoder.CLASSES), List.copyOf(net.p.values()), adamW,
                t -> t, net::forward);
    }

    private NDArray linear(String name, NDArray x) {
        return x.matMul(p.get(name + "weight").transpose()).add(p.get(name + "bias"));
    }

    private NDArray norm(String name, NDArray x) {
        return LayerNorm.layerNorm(x, new Shape(WIDTH), p.get(name + ".weight"), p.get(name + ".bias"), (float) Encoder.EPS)
                .get(0);
    }

    private NDArray forward(NDArray input) {
        NDArray x = input;
        int each = WIDTH / HEADS;
        for (int i = 0; i < layers; i++) {
            String l = Encoder.layer(i);
            NDArray qkv = linear(l + "self_attn.in_proj_", x).reshape(batch, TOKENS, 3, HEADS, each)
                    .transpose(2, 0, 3, 1, 4);
            NDArray scores = qkv.get(0).matMul(qkv.get(1).transpose(0, 1, 3, 2)).mul(1 / Math.sqrt(each)).softmax(-1);
            NDArray a = scores.matMul(qkv.get(2)).transpose(0, 2, 1, 3).reshape(batch, TOKENS, WIDTH);
            x = norm(l + "norm1", x.add(linear(l + "self_attn.out_proj.", a)));
            x = norm(l + "norm2", x.add(linear(l + "linear2.", Activation.gelu(linear(l + "linear1.", x)))));
        }
        return linear("classifier.", x.get(":, 0"));
    }
}
