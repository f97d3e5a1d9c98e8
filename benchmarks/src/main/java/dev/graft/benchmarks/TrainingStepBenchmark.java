package dev.graft.benchmarks;

import dev.graft.autograd.Tape;
import dev.graft.nn.ParamSelector;
import dev.graft.nn.loss.CrossEntropy;
import dev.graft.nn.optim.Optimizer;
import dev.graft.nn.optim.Sgd;
import dev.graft.nn.transfer.StagedNetwork;
import dev.graft.pretrained.vision.CifarResNet;
import dev.graft.pretrained.vision.MobileNetV2;
import dev.graft.pretrained.vision.ResNet;
import dev.graft.tensor.Context;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.infra.Blackhole;

/**
 * Whole networks: inference, a step that trains every layer, and a step that trains the head of a frozen backbone without
 * a feature cache. ResNet-18 and MobileNetV2 see [16, 224, 224, 3], ResNet-50 [8, 224, 224, 3], ResNet-20 [128, 32, 32, 3].
 */
@State(org.openjdk.jmh.annotations.Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
public class TrainingStepBenchmark {
    @Param({"resnet20_cifar", "resnet18", "resnet50", "mobilenet_v2"})
    String model;

    private StagedNetwork full;
    private StagedNetwork headOnly;
    private Optimizer fullOptimizer;
    private Optimizer headOptimizer;
    private Tensor images;
    private Tensor labels;
    private long step;

    @Setup
    public void setup() {
        full = network();
        headOnly = network();
        headOnly.freeze(ParamSelector.of("*", "!" + headOnly.headPath()));
        fullOptimizer = new Sgd(1e-4, 0.9, 0, 1e-4, false).optimizer(full);
        headOptimizer = new Sgd(1e-4, 0.9, 0, 1e-4, false).optimizer(headOnly);
        int batch = model.equals("resnet20_cifar") ? 128 : model.equals("resnet50") ? 8 : 16;
        int size = model.equals("resnet20_cifar") ? 32 : 224;
        images = Tensor.randn(batch, size, size, 3);
        int[] classes = new int[batch];
        for (int i = 0; i < batch; i++) {
            classes[i] = i % 10;
        }
        labels = Tensor.of(classes, batch);
        if (size == 32) {       // the reference needs minutes for the larger ones, whose layers the other benchmarks check
            Tensor few = images.slice(0, 0, 2);
            Check.sameAsReference(() -> full.call(few), 1e-3);
        }
    }

    private StagedNetwork network() {
        StagedNetwork net = switch (model) {
            case "resnet20_cifar" -> new CifarResNet(20, 10);
            case "resnet18" -> new ResNet(false, 1000, 2, 2, 2, 2);
            case "resnet50" -> new ResNet(true, 1000, 3, 4, 6, 3);
            case "mobilenet_v2" -> new MobileNetV2(1000, false);
            default -> throw new IllegalArgumentException(model);
        };
        net.initialize(1);
        return net;
    }

    @Benchmark
    public void inference(Blackhole sink) {
        try (Scope s = Scope.open()) {
            sink.consume(full.call(images));
        }
    }

    @Benchmark
    public void fullStep() {
        step(full, fullOptimizer);
    }

    @Benchmark
    public void headStep() {
        step(headOnly, headOptimizer);
    }

    private void step(StagedNetwork net, Optimizer optimizer) {
        Context.training(1, step++).run(() -> {
            try (Scope s = Scope.open(); Tape tape = new Tape()) {
                Tensor loss = tape.record(() -> new CrossEntropy().of(net.call(images), labels));
                optimizer.step(tape.backward(loss));
            }
        });
    }
}
