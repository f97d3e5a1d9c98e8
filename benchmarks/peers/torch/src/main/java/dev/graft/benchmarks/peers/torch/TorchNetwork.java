package dev.graft.benchmarks.peers.torch;

import static dev.graft.benchmarks.peers.torch.TorchEngine.image;
import static dev.graft.benchmarks.peers.torch.TorchEngine.longs;
import static dev.graft.benchmarks.peers.torch.TorchEngine.one;
import static dev.graft.benchmarks.peers.torch.TorchEngine.tensor;
import static org.bytedeco.pytorch.global.torch.adaptive_avg_pool2d;
import static org.bytedeco.pytorch.global.torch.batch_norm;
import static org.bytedeco.pytorch.global.torch.conv2d;
import static org.bytedeco.pytorch.global.torch.cross_entropy_loss;
import static org.bytedeco.pytorch.global.torch.hardtanh_;
import static org.bytedeco.pytorch.global.torch.linear;
import static org.bytedeco.pytorch.global.torch.max_pool2d;
import static org.bytedeco.pytorch.global.torch.relu_;

import dev.graft.benchmarks.peers.ConvNet;
import dev.graft.benchmarks.peers.ConvNet.Act;
import dev.graft.benchmarks.peers.ConvNet.Block;
import dev.graft.benchmarks.peers.ConvNet.Unit;
import dev.graft.benchmarks.peers.Engine.Prepared;
import dev.graft.benchmarks.peers.Values;
import dev.graft.benchmarks.peers.Work;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.AutoGradMode;
import org.bytedeco.pytorch.Optimizer;
import org.bytedeco.pytorch.SGD;
import org.bytedeco.pytorch.SGDOptions;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;

/** A {@link ConvNet} in libtorch's ops. */
final class TorchNetwork {
    private final ConvNet spec;
    private final boolean folded;
    private final List<Tensor> parameters = new ArrayList<>();
    private final Map<Unit, Layer> layers = new HashMap<>();
    private final Tensor headWeight;
    private final Tensor headBias;
    private boolean training;

    private record Layer(Tensor weight, TensorOptional bias, TensorOptional gamma, TensorOptional beta, TensorOptional mean,
                         TensorOptional variance, long[] stride, long[] padding) {}

    private TorchNetwork(ConvNet spec, boolean folded) {
        this.spec = spec;
        this.folded = folded;
        spec.units().forEach(u -> layers.put(u, layer(u)));
        headWeight = parameter(tensor(spec.headWeight(ConvNet.CLASSES), ConvNet.CLASSES, spec.features()));
        headBias = parameter(tensor(spec.headBias(ConvNet.CLASSES), ConvNet.CLASSES));
    }

    private Tensor parameter(Tensor t) {
        Tensor p = t.detach().set_requires_grad(true);
        parameters.add(p);
        return p;
    }

    private Layer layer(Unit u) {
        float[] weight = u.weight();
        long[] stride = longs(u.stride(), u.stride());
        long[] padding = longs(u.kernel() / 2, u.kernel() / 2);
        int[] dims = {u.out(), u.kernel(), u.kernel(), u.in() / u.groups()};
        if (folded) {
            float[] bias = u.fold(weight);
            return new Layer(image(weight, dims), new TensorOptional(tensor(bias, u.out())), null, null, null, null, stride,
                    padding);
        }
        return new Layer(parameter(image(weight, dims)), new TensorOptional(),
                new TensorOptional(parameter(tensor(u.gamma(), u.out()))),
                new TensorOptional(parameter(tensor(u.beta(), u.out()))),
                new TensorOptional(tensor(u.mean(), u.out())),
                new TensorOptional(tensor(u.variance(), u.out())), stride, padding);
    }

    private Tensor run(Unit u, Tensor x) {
        Layer l = layers.get(u);
        Tensor y = conv2d(x, l.weight(), l.bias(), l.stride(), l.padding(), longs(1, 1), u.groups());
        return act(u.act(), folded ? y
                : batch_norm(y, l.gamma(), l.beta(), l.mean(), l.variance(), training, 0.1, 1e-5, false));
    }

    private static Tensor act(Act act, Tensor x) {
        return switch (act) {
            case NONE -> x;
            case RELU -> relu_(x);
            case RELU6 -> hardtanh_(x, new Scalar(0f), new Scalar(6f));
        };
    }

    private Tensor features(Tensor images) {
        Tensor x = images;
        for (Block b : spec.blocks()) {
            Tensor y = x;
            for (Unit u : b.units()) {
                y = run(u, y);
            }
            if (b.residual()) {
                y = y.add_(b.shortcut() == null ? x : run(b.shortcut(), x));
            }
            x = act(b.after(), y);
            if (b.pool()) {
                x = max_pool2d(x, longs(3, 3), longs(2, 2), longs(1, 1), longs(1, 1), false);
            }
        }
        return adaptive_avg_pool2d(x, 1, 1).flatten(1, 3);
    }

    private Tensor head(Tensor features) {
        return linear(features, headWeight, new TensorOptional(headBias));
    }

    static Prepared prepare(Work.Net work) {
        TorchNetwork net = new TorchNetwork(work.net(), work.task() == Work.Task.INFERENCE_FOLDED);
        Tensor x = image(ConvNet.images(work.batch()), work.batch(), 224, 224, 3);
        Tensor labels = Tensor.create(Values.labels(work.batch(), ConvNet.CLASSES), (long) work.batch());
        return switch (work.task()) {
            case INFERENCE, INFERENCE_FOLDED -> one(() -> net.head(net.features(x)));
            case FULL_STEP -> {
                net.training = true;
                yield steps(sgd(net.parameters), () -> cross_entropy_loss(net.head(net.features(x)), labels));
            }
            case HEAD_STEP -> steps(sgd(List.of(net.headWeight, net.headBias)), () -> {
                Tensor features;
                try (AutoGradMode off = new AutoGradMode(false)) {
                    features = net.features(x);
                }
                return cross_entropy_loss(net.head(features), labels);
            });
            case HEAD_EPOCH -> throw new IllegalArgumentException(work.name() + ": there is no feature cache");
        };
    }

    private static Optimizer sgd(List<Tensor> parameters) {
        SGDOptions o = new SGDOptions(ConvNet.LR);
        o.momentum().put(ConvNet.MOMENTUM);
        return new SGD(new TensorVector(parameters.toArray(Tensor[]::new)), o);
    }

    static Prepared steps(Optimizer optimizer, Supplier<Tensor> loss) {
        return new Prepared() {
            private double step() {
                try (PointerScope s = new PointerScope()) {
                    optimizer.zero_grad();
                    Tensor l = loss.get();
                    l.backward();
                    optimizer.step();
                    return l.item_double();
                }
            }

            @Override
            public void run() {
                step();
            }

            @Override
            public float[] result() {
                float first = (float) step();
                step();
                return new float[] {first, (float) step()};
            }
        };
    }
}
