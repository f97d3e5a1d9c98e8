package dev.graft.benchmarks.peers.djl;

import static dev.graft.benchmarks.peers.djl.DjlEngine.MANAGER;
import static dev.graft.benchmarks.peers.djl.DjlEngine.PYTORCH;
import static dev.graft.benchmarks.peers.djl.DjlEngine.array;
import static dev.graft.benchmarks.peers.djl.DjlEngine.image;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.convolutional.Conv2d;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.nn.pooling.Pool;
import ai.djl.training.GradientCollector;
import ai.djl.training.loss.Loss;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import dev.graft.benchmarks.peers.ConvNet;
import dev.graft.benchmarks.peers.ConvNet.Act;
import dev.graft.benchmarks.peers.ConvNet.Block;
import dev.graft.benchmarks.peers.ConvNet.Unit;
import dev.graft.benchmarks.peers.Engine.Prepared;
import dev.graft.benchmarks.peers.Values;
import dev.graft.benchmarks.peers.Work;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/** A {@link ConvNet} in DJL's ops. */
final class DjlNetwork {
    private static final Shape ONE = new Shape(1, 1);

    private final ConvNet spec;
    private final boolean folded;
    private final List<NDArray> parameters = new ArrayList<>();
    private final Map<Unit, Layer> layers = new HashMap<>();
    private final NDArray headWeight;
    private final NDArray headBias;
    private boolean training;

    private record Layer(NDArray weight, NDArray bias, NDArray gamma, NDArray beta, NDArray mean, NDArray variance) {}

    private DjlNetwork(ConvNet spec, boolean folded) {
        this.spec = spec;
        this.folded = folded;
        spec.units().forEach(u -> layers.put(u, layer(u)));
        headWeight = parameter(array(spec.headWeight(ConvNet.CLASSES), ConvNet.CLASSES, spec.features()));
        headBias = parameter(array(spec.headBias(ConvNet.CLASSES), ConvNet.CLASSES));
    }

    /** With the weights of a file, see {@link ConvNet#values}. */
    DjlNetwork(ConvNet spec, int classes, FloatBuffer file) {
        this.spec = spec;
        this.folded = false;
        for (Unit u : spec.units()) {
            NDArray weight = read(file, u.out(), u.in() / u.groups(), u.kernel(), u.kernel());
            layers.put(u, new Layer(weight, null, read(file, u.out()), read(file, u.out()), read(file, u.out()),
                    read(file, u.out())));
        }
        headWeight = read(file, classes, spec.features());
        headBias = read(file, classes);
    }

    private static NDArray read(FloatBuffer file, int... dims) {
        int n = Values.count(dims);
        FloatBuffer part = file.slice(file.position(), n);
        file.position(file.position() + n);
        return MANAGER.create(part, DjlEngine.shape(dims));
    }

    private NDArray parameter(NDArray a) {
        parameters.add(a);
        return a;
    }

    private Layer layer(Unit u) {
        float[] weight = u.weight();
        int[] dims = {u.out(), u.kernel(), u.kernel(), u.in() / u.groups()};
        if (folded) {
            float[] bias = u.fold(weight);
            return new Layer(image(weight, dims), array(bias, u.out()), null, null, null, null);
        }
        return new Layer(parameter(image(weight, dims)), null, parameter(array(u.gamma(), u.out())),
                parameter(array(u.beta(), u.out())), array(u.mean(), u.out()), array(u.variance(), u.out()));
    }

    private NDArray run(Unit u, NDArray x) {
        Layer l = layers.get(u);
        NDArray y = Conv2d.conv2d(x, l.weight(), l.bias(), new Shape(u.stride(), u.stride()),
                new Shape(u.kernel() / 2, u.kernel() / 2), ONE, u.groups()).get(0);
        return act(u.act(), folded ? y : BatchNorm.batchNorm(y, l.mean(), l.variance(), l.gamma(), l.beta(), 1, 0.9f,
                (float) ConvNet.EPS, training).get(0));
    }

    private static NDArray act(Act act, NDArray x) {
        return switch (act) {
            case NONE -> x;
            case RELU -> Activation.relu(x);
            case RELU6 -> Activation.relu6(x);
        };
    }

    NDArray features(NDArray images) {
        NDArray x = images;
        for (Block b : spec.blocks()) {
            NDArray y = x;
            for (Unit u : b.units()) {
                y = run(u, y);
            }
            if (b.residual()) {
                y = y.addi(b.shortcut() == null ? x : run(b.shortcut(), x));
            }
            x = act(b.after(), y);
            if (b.pool()) {
                x = Pool.maxPool2d(x, new Shape(3, 3), new Shape(2, 2), ONE, false);
            }
        }
        return Pool.globalAvgPool2d(x);
    }

    NDArray head(NDArray features) {
        return features.matMul(headWeight.transpose()).add(headBias);
    }

    static Prepared prepare(Work.Net work) {
        DjlNetwork net = new DjlNetwork(work.net(), work.task() == Work.Task.INFERENCE_FOLDED);
        NDArray x = image(ConvNet.images(work.batch()), work.batch(), 224, 224, 3);
        NDArray labels = DjlEngine.labels(work.batch(), ConvNet.CLASSES);
        return switch (work.task()) {
            case INFERENCE, INFERENCE_FOLDED -> DjlEngine.forward(List.of(x), in -> net.head(net.features(in.getFirst())));
            case FULL_STEP -> {
                net.training = true;
                yield new Steps(x, labels, net.parameters, sgd(), t -> t, t -> net.head(net.features(t)));
            }
            case HEAD_STEP -> new Steps(x, labels, List.of(net.headWeight, net.headBias), sgd(), net::features, net::head);
            case HEAD_EPOCH -> throw new IllegalArgumentException(work.name() + ": there is no feature cache");
        };
    }

    private static Optimizer sgd() {
        return Optimizer.sgd().setLearningRateTracker(Tracker.fixed((float) ConvNet.LR))
                .optMomentum((float) ConvNet.MOMENTUM).build();
    }

    /** Steps on one batch: {@code frozen} without recording, then {@code learning}. */
    static final class Steps implements Prepared {
        private final NDArray input;
        private final NDArray labels;
        private final List<NDArray> parameters;
        private final Optimizer optimizer;
        private final UnaryOperator<NDArray> frozen;
        private final UnaryOperator<NDArray> learning;
        private final Loss loss = Loss.softmaxCrossEntropyLoss();

        Steps(NDArray input, NDArray labels, List<NDArray> parameters, Optimizer optimizer, UnaryOperator<NDArray> frozen,
                UnaryOperator<NDArray> learning) {
            this.input = input;
            this.labels = labels;
            this.parameters = parameters;
            this.optimizer = optimizer;
            this.frozen = frozen;
            this.learning = learning;
            parameters.forEach(p -> p.setRequiresGradient(true));
        }

        @Override
        public void run() {
            step();
        }

        private double step() {
            try (NDManager s = MANAGER.newSubManager()) {
                input.tempAttach(s);
                NDArray features = frozen.apply(input);
                NDArray l;
                try (GradientCollector g = PYTORCH.newGradientCollector()) {
                    l = loss.evaluate(new NDList(labels), new NDList(learning.apply(features)));
                    g.backward(l);
                }
                for (int i = 0; i < parameters.size(); i++) {
                    try (NDArray g = parameters.get(i).getGradient()) {
                        optimizer.update("p" + i, parameters.get(i), g);
                        g.subi(g);      // DJL adds to the gradients that are there, and clears them like this
                    }
                }
                return l.getFloat();
            }
        }

        @Override
        public float[] result() {
            float first = (float) step();
            step();
            return new float[] {first, (float) step()};
        }
    }
}
