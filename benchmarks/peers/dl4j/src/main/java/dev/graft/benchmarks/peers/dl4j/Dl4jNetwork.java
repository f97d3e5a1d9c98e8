package dev.graft.benchmarks.peers.dl4j;

import static dev.graft.benchmarks.peers.dl4j.Dl4jEngine.array;
import static dev.graft.benchmarks.peers.dl4j.Dl4jEngine.image;

import dev.graft.benchmarks.peers.ConvNet;
import dev.graft.benchmarks.peers.ConvNet.Act;
import dev.graft.benchmarks.peers.ConvNet.Block;
import dev.graft.benchmarks.peers.ConvNet.Unit;
import dev.graft.benchmarks.peers.Engine.Prepared;
import dev.graft.benchmarks.peers.Work;
import org.deeplearning4j.nn.conf.ComputationGraphConfiguration;
import org.deeplearning4j.nn.conf.ConvolutionMode;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.graph.ElementWiseVertex;
import org.deeplearning4j.nn.conf.inputs.InputType;
import org.deeplearning4j.nn.conf.layers.ActivationLayer;
import org.deeplearning4j.nn.conf.layers.BatchNormalization;
import org.deeplearning4j.nn.conf.layers.ConvolutionLayer;
import org.deeplearning4j.nn.conf.layers.DenseLayer;
import org.deeplearning4j.nn.conf.layers.GlobalPoolingLayer;
import org.deeplearning4j.nn.conf.layers.LossLayer;
import org.deeplearning4j.nn.conf.layers.PoolingType;
import org.deeplearning4j.nn.conf.layers.SubsamplingLayer;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.nd4j.linalg.activations.Activation;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.learning.config.Nesterovs;
import org.nd4j.linalg.lossfunctions.LossFunctions.LossFunction;

/** A {@link ConvNet} of plain convolutions as a ComputationGraph. The only momentum is Nesterov's: later losses differ. */
final class Dl4jNetwork {
    private final ComputationGraphConfiguration.GraphBuilder graph;

    private Dl4jNetwork() {
        graph = new NeuralNetConfiguration.Builder().updater(new Nesterovs(ConvNet.LR, ConvNet.MOMENTUM))
                .convolutionMode(ConvolutionMode.Truncate).graphBuilder().addInputs("image")
                .setInputTypes(InputType.convolutional(224, 224, 3));
    }

    private String unit(Unit u, String input) {
        if (u.groups() > 1) {
            throw new IllegalArgumentException("grouped convolutions are not compared here");
        }
        graph.addLayer(u.path(), new ConvolutionLayer.Builder(u.kernel(), u.kernel()).stride(u.stride(), u.stride())
                .padding(u.kernel() / 2, u.kernel() / 2).nIn(u.in()).nOut(u.out()).hasBias(false)
                .activation(Activation.IDENTITY).build(), input);
        graph.addLayer(u.norm(), new BatchNormalization.Builder().eps(ConvNet.EPS).decay(0.9).useLogStd(false)
                .build(), u.path());
        return act(u.act(), u.norm());
    }

    /** A layer of its own: batch norms have no activation here. */
    private String act(Act act, String input) {
        if (act == Act.NONE) {
            return input;
        }
        String name = "act of " + input;
        graph.addLayer(name, new ActivationLayer(act == Act.RELU ? Activation.RELU : Activation.RELU6), input);
        return name;
    }

    private ComputationGraph build(ConvNet spec) {
        String x = "image";
        int n = 0;
        for (Block b : spec.blocks()) {
            String y = x;
            for (Unit u : b.units()) {
                y = unit(u, y);
            }
            if (b.residual()) {
                String shortcut = b.shortcut() == null ? x : unit(b.shortcut(), x);
                graph.addVertex("add" + n, new ElementWiseVertex(ElementWiseVertex.Op.Add), y, shortcut);
                y = "add" + n;
            }
            y = act(b.after(), y);
            if (b.pool()) {
                graph.addLayer("pool" + n, new SubsamplingLayer.Builder(PoolingType.MAX).kernelSize(3, 3).stride(2, 2)
                        .padding(1, 1).build(), y);
                y = "pool" + n;
            }
            n++;
            x = y;
        }
        graph.addLayer("mean", new GlobalPoolingLayer.Builder(PoolingType.AVG).build(), x);
        graph.addLayer("logits", new DenseLayer.Builder().nIn(spec.features()).nOut(ConvNet.CLASSES)
                .activation(Activation.IDENTITY).build(), "mean");
        graph.addLayer("loss", new LossLayer.Builder(LossFunction.MCXENT).activation(Activation.SOFTMAX).build(), "logits");
        ComputationGraph net = new ComputationGraph(graph.setOutputs("loss").build());
        net.init();
        for (Unit u : spec.units()) {
            set(net, u.path(), "W", image(u.weight(), u.out(), u.kernel(), u.kernel(), u.in()));
            set(net, u.norm(), "gamma", array(u.gamma(), 1, u.out()));
            set(net, u.norm(), "beta", array(u.beta(), 1, u.out()));
            set(net, u.norm(), "mean", array(u.mean(), 1, u.out()));
            set(net, u.norm(), "var", array(u.variance(), 1, u.out()));
        }
        set(net, "logits", "W", array(spec.headWeight(ConvNet.CLASSES), ConvNet.CLASSES, spec.features()).transpose());
        set(net, "logits", "b", array(spec.headBias(ConvNet.CLASSES), 1, ConvNet.CLASSES));
        return net;
    }

    private static void set(ComputationGraph net, String layer, String name, INDArray values) {
        INDArray p = net.getLayer(layer).getParam(name);
        p.assign(values.reshape(p.shape()));
    }

    static Prepared prepare(Work.Net work) {
        ComputationGraph net = new Dl4jNetwork().build(work.net());
        INDArray x = image(ConvNet.images(work.batch()), work.batch(), 224, 224, 3);
        INDArray y = Nd4j.zeros(DataType.FLOAT, work.batch(), ConvNet.CLASSES);
        for (int i = 0; i < work.batch(); i++) {
            y.putScalar(i, i % ConvNet.CLASSES, 1f);
        }
        return switch (work.task()) {
            case INFERENCE -> new Prepared() {
                @Override
                public void run() {
                    net.outputSingle(x);
                }

                @Override
                public float[] result() {
                    return Dl4jEngine.values(net.feedForward(x, false).get("logits"));
                }
            };
            case FULL_STEP -> new Prepared() {
                @Override
                public void run() {
                    net.fit(new INDArray[] {x}, new INDArray[] {y});
                }

                @Override
                public float[] result() {
                    run();
                    float first = (float) net.score();
                    run();
                    run();
                    return new float[] {first, (float) net.score()};
                }
            };
            case INFERENCE_FOLDED, HEAD_STEP, HEAD_EPOCH ->
                    throw new IllegalArgumentException(work.name() + " is not compared here");
        };
    }
}
