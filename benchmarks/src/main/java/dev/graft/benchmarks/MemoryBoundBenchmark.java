package dev.graft.benchmarks;

import dev.graft.tensor.DType;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.ElementwiseOp;
import dev.graft.tensor.op.LossOp;
import dev.graft.tensor.op.NormOp;
import dev.graft.tensor.op.PoolOp;
import dev.graft.tensor.op.PoolParams;
import dev.graft.tensor.op.ReduceOp;
import dev.graft.tensor.op.UnaryFn;
import dev.graft.tensor.op.Update;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.infra.Blackhole;

/**
 * Ops that move more than they compute: activations and batch norm on [16, 56, 56, 64], pooling of [16, 112, 112, 64],
 * softmax and layer norm of transformer shapes, optimizer updates of 4 million parameters.
 */
@State(org.openjdk.jmh.annotations.Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class MemoryBoundBenchmark {
    static final int PARAMETERS = 4_000_000;
    private static final PoolParams POOL = PoolParams.of(3, 2, 1);

    private Tensor image;
    private Tensor large;
    private Tensor gamma;
    private Tensor beta;
    private Tensor[] saved;
    private Tensor scores;
    private Tensor tokens;
    private Tensor tokenScale;
    private Tensor weights;
    private Tensor gradient;
    private Tensor first;
    private Tensor second;
    private Tensor[] pooled;
    private Tensor[] normalised;
    private Tensor probabilities;
    private Tensor classes;

    @Setup
    public void setup() {
        image = Tensor.randn(16, 56, 56, 64);
        large = Tensor.randn(16, 112, 112, 64);
        gamma = Tensor.uniform(0.5, 1.5, 64);
        beta = Tensor.randn(64);
        saved = Dispatcher.run(new NormOp.BatchNorm(1e-5), image, gamma, beta);
        scores = Tensor.randn(12288, 128);
        tokens = Tensor.randn(2048, 768);
        tokenScale = Tensor.ones(768);
        weights = Tensor.randn(PARAMETERS);
        gradient = Tensor.randn(PARAMETERS);
        first = Tensor.zeros(PARAMETERS);
        second = Tensor.zeros(PARAMETERS);
        pooled = Dispatcher.run(new PoolOp.MaxPool2d(POOL), large);
        normalised = Dispatcher.run(new NormOp.LayerNorm(1e-5), tokens, tokenScale, tokenScale);
        probabilities = scores.softmax();
        classes = Tensor.zeros(scores.dim(0)).cast(DType.I32);
        Tensor some = image.slice(0, 0, 1);
        Check.sameAsReference(some::relu, 1e-6);
        Check.sameAsReference(some::gelu, 1e-5);
        Check.sameAsReference(() -> Dispatcher.run(new NormOp.BatchNorm(1e-5), some, gamma, beta)[0], 1e-4);
        Check.sameAsReference(() -> some.maxPool2d(POOL), 1e-6);
        Check.sameAsReference(some::tanh, 1e-5);
        Check.sameAsReference(some::exp, 1e-5);
        Check.sameAsReference(() -> Dispatcher.run(new LossOp.CrossEntropy(0, -100), scores, classes)[0], 1e-5);
        Check.sameAsReference(scores.slice(0, 0, 64)::softmax, 1e-5);
    }

    @Benchmark
    public void relu(Blackhole sink) {
        consume(sink, image::relu);
    }

    @Benchmark
    public void gelu(Blackhole sink) {
        consume(sink, image::gelu);
    }

    @Benchmark
    public void tanh(Blackhole sink) {
        consume(sink, image::tanh);
    }

    @Benchmark
    public void exp(Blackhole sink) {
        consume(sink, image::exp);
    }

    @Benchmark
    public void reluBackward(Blackhole sink) {
        consume(sink, () -> Dispatcher.one(new ElementwiseOp.UnaryBackward(UnaryFn.RELU, 0), image, image));
    }

    @Benchmark
    public void geluBackward(Blackhole sink) {
        consume(sink, () -> Dispatcher.one(new ElementwiseOp.UnaryBackward(UnaryFn.GELU, 0), image, image));
    }

    @Benchmark
    public void add(Blackhole sink) {
        consume(sink, () -> image.add(image));
    }

    @Benchmark
    public void batchNormForward(Blackhole sink) {
        consume(sink, () -> Dispatcher.run(new NormOp.BatchNorm(1e-5), image, gamma, beta));
    }

    @Benchmark
    public void batchNormBackward(Blackhole sink) {
        consume(sink, () -> Dispatcher.run(new NormOp.BatchNormBackward(1e-5), image, image, gamma, saved[1], saved[2]));
    }

    @Benchmark
    public void layerNorm(Blackhole sink) {
        consume(sink, () -> Dispatcher.run(new NormOp.LayerNorm(1e-5), tokens, tokenScale, tokenScale));
    }

    @Benchmark
    public void layerNormBackward(Blackhole sink) {
        consume(sink, () -> Dispatcher.run(new NormOp.LayerNormBackward(1e-5), tokens, tokens, tokenScale, normalised[1],
                normalised[2]));
    }

    @Benchmark
    public void maxPoolBackward(Blackhole sink) {
        consume(sink, () -> Dispatcher.one(new PoolOp.MaxPool2dBackward(112, 112, POOL), pooled[0], pooled[1]));
    }

    @Benchmark
    public void softmaxBackward(Blackhole sink) {
        consume(sink, () -> Dispatcher.one(new ReduceOp.SoftmaxBackward(false), scores, probabilities));
    }

    @Benchmark
    public void crossEntropy(Blackhole sink) {
        consume(sink, () -> Dispatcher.run(new LossOp.CrossEntropy(0, -100), scores, classes));
    }

    @Benchmark
    public void maxPool(Blackhole sink) {
        consume(sink, () -> large.maxPool2d(POOL));
    }

    @Benchmark
    public void averagePool(Blackhole sink) {
        consume(sink, () -> large.adaptiveAvgPool2d(1, 1));
    }

    @Benchmark
    public void softmax(Blackhole sink) {
        consume(sink, scores::softmax);
    }

    @Benchmark
    public void sgdStep() {
        Dispatcher.update(new Update.Sgd(1e-9, 0.9, 0, 1e-4, false, false), weights, gradient, first);
    }

    @Benchmark
    public void adamwStep() {
        Dispatcher.update(new Update.Adam(1e-9, 0.9, 0.999, 1e-8, 0.01, true, 10), weights, gradient, first, second);
    }

    private static void consume(Blackhole sink, java.util.function.Supplier<?> work) {
        try (Scope step = Scope.open()) {
            sink.consume(work.get());
        }
    }
}
