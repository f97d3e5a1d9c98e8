package dev.graft.benchmarks.compare;

import dev.graft.autograd.Tape;
import dev.graft.benchmarks.peers.ConvNet;
import dev.graft.benchmarks.peers.Encoder;
import dev.graft.benchmarks.peers.Engine.Prepared;
import dev.graft.benchmarks.peers.Values;
import dev.graft.benchmarks.peers.Work;
import dev.graft.benchmarks.peers.Work.Task;
import dev.graft.nn.Activation;
import dev.graft.nn.Buffer;
import dev.graft.nn.Dropout;
import dev.graft.nn.Inference;
import dev.graft.nn.Linear;
import dev.graft.nn.Module;
import dev.graft.nn.ParamSelector;
import dev.graft.nn.Parameter;
import dev.graft.nn.Precision;
import dev.graft.nn.TransformerEncoder;
import dev.graft.nn.TransformerEncoderLayer;
import dev.graft.nn.loss.CrossEntropy;
import dev.graft.nn.optim.AdamW;
import dev.graft.nn.optim.Optimizer;
import dev.graft.nn.optim.Sgd;
import dev.graft.nn.train.Batches;
import dev.graft.nn.train.TrainOptions;
import dev.graft.nn.train.Trainer;
import dev.graft.nn.transfer.StagedNetwork;
import dev.graft.pretrained.vision.MobileNetV2;
import dev.graft.pretrained.vision.ResNet;
import dev.graft.tensor.Context;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import java.util.Map;

/** Graft's networks, with the weights that all engines have. */
final class GraftNetworks {
    private GraftNetworks() {}

    static Prepared prepare(Work.Net work) {
        StagedNetwork net = network(work.net());
        Tensor images = Tensor.of(ConvNet.images(work.batch()), work.batch(), 224, 224, 3);
        Tensor labels = labels(work.batch(), ConvNet.CLASSES);
        Sgd rule = new Sgd(ConvNet.LR, ConvNet.MOMENTUM);
        return switch (work.task()) {
            case INFERENCE, INFERENCE_FOLDED -> inference(net, images);
            case FULL_STEP -> new Steps(net, rule.optimizer(net), images, labels);
            case HEAD_STEP -> {
                freezeBackbone(net);
                yield new Steps(net, rule.optimizer(net), images, labels);
            }
            case HEAD_EPOCH -> epoch(net, work.batch());
        };
    }

    static Prepared prepare(Work.Bert work) {
        Module net = new EncoderClassifier(work.layers());
        Map<String, int[]> shapes = Encoder.shapes(work.layers());
        net.parameters().forEach((name, p) -> p.assign(persistent(Encoder.value(name, shapes.get(name)), shapes.get(name))));
        Tensor tokens = Tensor.of(Encoder.inputs(work.batch()), work.batch(), Encoder.TOKENS, Encoder.WIDTH);
        return work.task() == Task.INFERENCE ? inference(net, tokens)
                : new Steps(net, new AdamW(Encoder.LR).withWeightDecay(Encoder.DECAY).optimizer(net), tokens,
                        labels(work.batch(), Encoder.CLASSES));
    }

    /** The network that users have, without the dropout in front of MobileNetV2's head, and with the shared weights. */
    private static StagedNetwork network(ConvNet spec) {
        int classes = ConvNet.CLASSES;
        StagedNetwork net = switch (spec.name()) {
            case "resnet18" -> new ResNet(false, classes, 2, 2, 2, 2);
            case "resnet50" -> new ResNet(true, classes, 3, 4, 6, 3);
            case "mobilenet_v2" -> new MobileNetV2(classes, false);
            default -> throw new IllegalArgumentException(spec.name());
        };
        if (spec.name().equals("mobilenet_v2")) {
            net.replace("classifier.0", new Dropout(0));
        }
        Map<String, Parameter> parameters = net.parameters();
        Map<String, Buffer> buffers = net.buffers();
        for (ConvNet.Unit u : spec.units()) {
            assign(parameters, u.path() + ".weight", u.weight());
            assign(parameters, u.norm() + ".weight", u.gamma());
            assign(parameters, u.norm() + ".bias", u.beta());
            buffers.get(u.norm() + ".running_mean").assign(persistent(u.mean(), u.out()));
            buffers.get(u.norm() + ".running_var").assign(persistent(u.variance(), u.out()));
        }
        assign(parameters, spec.head() + ".weight", spec.headWeight(ConvNet.CLASSES));
        assign(parameters, spec.head() + ".bias", spec.headBias(ConvNet.CLASSES));
        return net;
    }

    private static void assign(Map<String, Parameter> parameters, String name, float[] values) {
        Parameter p = parameters.get(name);
        if (p == null) {
            throw new IllegalStateException("the network has no parameter " + name);
        }
        p.assign(persistent(values, p.shape().dims()));
    }

    private static Tensor persistent(float[] values, int... dims) {
        return Scope.persistent(() -> Tensor.of(values, dims));
    }

    private static Tensor labels(int count, int classes) {
        return Tensor.of(Values.labels(count, classes), count);
    }

    static void freezeBackbone(StagedNetwork net) {
        net.freeze(ParamSelector.of("*", "!" + net.headPath()));
    }

    private static Prepared inference(Module net, Tensor x) {
        Inference inference = new Inference(net);
        return GraftEngine.one(() -> inference.apply(x));
    }

    /** Steps on one batch. */
    private static final class Steps implements Prepared {
        private final Module net;
        private final Optimizer optimizer;
        private final Tensor input;
        private final Tensor labels;
        private long step;

        Steps(Module net, Optimizer optimizer, Tensor input, Tensor labels) {
            this.net = net;
            this.optimizer = optimizer;
            this.input = input;
            this.labels = labels;
        }

        @Override
        public void run() {
            step();
        }

        private double step() {
            return Context.training(1, step++).call(() -> {
                try (Scope s = Scope.open("step"); Tape tape = new Tape()) {
                    Tensor loss = tape.record(() -> new CrossEntropy().of(net.call(input), labels));
                    double value = loss.item();
                    optimizer.backwardAndStep(tape, loss);  // as the trainer does
                    return value;
                }
            });
        }

        @Override
        public float[] result() {
            float first = (float) step();
            step();
            return new float[] {first, (float) step()};
        }
    }

    /** An epoch of the trainer on features that were computed before, as fine-tuning with a warm feature cache runs it. */
    private static Prepared epoch(StagedNetwork net, int batch) {
        freezeBackbone(net);
        int prefix = net.frozenPrefix();
        Tensor[] parts = new Tensor[ConvNet.EPOCH / batch];
        Tensor images = Tensor.of(ConvNet.images(batch), batch, 224, 224, 3);
        try (Inference frozen = new Inference(net, x -> net.callStages(x, 0, prefix), Precision.FLOAT32)) {
            for (int i = 0; i < parts.length; i++) {
                parts[i] = frozen.apply(images);
            }
        }
        Tensor features = Tensor.concat(0, parts);
        Tensor labels = labels(ConvNet.EPOCH, ConvNet.CLASSES);
        Optimizer optimizer = new Sgd(ConvNet.LR, ConvNet.MOMENTUM).optimizer(net);
        return new Prepared() {
            @Override
            public void run() {
                long steps = new Trainer(net, optimizer, new CrossEntropy(), new TrainOptions(1, 1).withProgress(false))
                        .forward(x -> net.callStages(x, prefix, net.stages().size()))
                        .fit(Batches.shuffled(features, labels, batch, 1), null).steps();
                if (steps != parts.length) {
                    throw new IllegalStateException("the epoch took " + steps + " steps instead of " + parts.length);
                }
            }

            @Override
            public float[] result() {
                return features.toFloats();
            }
        };
    }

    /** {@link Encoder} in Graft's layers: [N, T, WIDTH] to [N, CLASSES]. */
    private static final class EncoderClassifier extends Module {
        private final TransformerEncoder encoder;
        private final Linear classifier;

        EncoderClassifier(int layers) {
            encoder = child("encoder", new TransformerEncoder(layers, () -> new TransformerEncoderLayer(Encoder.WIDTH,
                    Encoder.HEADS, Encoder.HIDDEN, 0, Activation.gelu(), Encoder.EPS, false), null));
            classifier = child("classifier", new Linear(Encoder.WIDTH, Encoder.CLASSES));
        }

        @Override
        protected Tensor forward(Tensor x) {
            return classifier.call(encoder.call(x).slice(1, 0, 1).reshape(x.dim(0), Encoder.WIDTH));
        }
    }
}
