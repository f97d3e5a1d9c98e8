package dev.graft.benchmarks;

import dev.graft.tensor.DType;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.ElementwiseOp;
import dev.graft.tensor.op.LossOp;
import dev.graft.tensor.op.NormOp;
import dev.graft.tensor.op.Op;
import dev.graft.tensor.op.PoolOp;
import dev.graft.tensor.op.PoolParams;
import dev.graft.tensor.op.ReduceOp;
import dev.graft.tensor.op.UnaryFn;
import dev.graft.tensor.op.Update;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.infra.Blackhole;

/**
 * Ops that move more than they compute: activations, dropout and batch norm on [16, 56, 56, 64], pooling of
 * [16, 112, 112, 64], softmax and layer norm of transformer shapes, optimizer updates of 4 million parameters. Their
 * operands are different tensors, so that all bytes that are counted are moved.
 */
@State(org.openjdk.jmh.annotations.Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class MemoryBoundBenchmark {
    static final int PARAMETERS = 4_000_000;
    private static final PoolParams POOL = PoolParams.of(3, 2, 1);
    private static final NormOp BATCH_NORM = new NormOp.BatchNorm(1e-5);
    private static final NormOp BATCH_NORM_BACKWARD = new NormOp.BatchNormBackward(1e-5);
    private static final NormOp LAYER_NORM = new NormOp.LayerNorm(1e-5);
    private static final NormOp LAYER_NORM_BACKWARD = new NormOp.LayerNormBackward(1e-5);
    private static final Op RELU_BACKWARD = new ElementwiseOp.UnaryBackward(UnaryFn.RELU, 0);
    private static final Op GELU_BACKWARD = new ElementwiseOp.UnaryBackward(UnaryFn.GELU, 0);
    private static final Op DROPOUT = new ElementwiseOp.Dropout(0.1, 1, 2);
    private static final Op MAX_POOL_BACKWARD = new PoolOp.MaxPool2dBackward(112, 112, POOL);
    private static final Op SOFTMAX_BACKWARD = new ReduceOp.SoftmaxBackward(false);
    private static final Op CROSS_ENTROPY = new LossOp.CrossEntropy(0, -100);

    private Tensor image;
    private Tensor other;
    private Tensor large;
    private Tensor gamma;
    private Tensor beta;
    private Tensor[] saved;
    private Tensor scores;
    private Tensor tokens;
    private Tensor otherTokens;
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
        other = Tensor.randn(16, 56, 56, 64);
        large = Tensor.randn(16, 112, 112, 64);
        gamma = Tensor.uniform(0.5, 1.5, 64);
        beta = Tensor.randn(64);
        saved = Dispatcher.run(BATCH_NORM, image, gamma, beta);
        scores = Tensor.randn(12288, 128);
        tokens = Tensor.randn(2048, 768);
        otherTokens = Tensor.randn(2048, 768);
        tokenScale = Tensor.uniform(0.5, 1.5, 768);
        weights = Tensor.randn(PARAMETERS);
        gradient = Tensor.randn(PARAMETERS);
        first = Tensor.randn(PARAMETERS);
        second = Tensor.uniform(0.1, 1, PARAMETERS);
        pooled = Dispatcher.run(new PoolOp.MaxPool2d(POOL), large);
        normalised = Dispatcher.run(LAYER_NORM, tokens, tokenScale, tokenScale);
        probabilities = scores.softmax();
        classes = Tensor.uniform(0, 127, scores.dim(0)).cast(DType.I32);
        check();
    }

    /** Of the first images, rows and parameters: the reference is slow. */
    private void check() {
        Tensor some = image.slice(0, 0, 1);
        Tensor dSome = other.slice(0, 0, 1);
        Check.sameAsReference(some::relu, 1e-6);
        Check.sameAsReference(some::gelu, 1e-5);
        Check.sameAsReference(some::tanh, 1e-5);
        Check.sameAsReference(some::exp, 1e-5);
        Check.sameAsReference(() -> Dispatcher.one(RELU_BACKWARD, dSome, some), 1e-6);
        Check.sameAsReference(() -> Dispatcher.one(GELU_BACKWARD, dSome, some), 1e-5);
        Check.sameAsReference(() -> some.add(dSome), 1e-6);
        Check.sameAsReference(() -> Dispatcher.one(DROPOUT, some), 1e-6);
        Check.allSameAsReference(() -> Dispatcher.run(BATCH_NORM, some, gamma, beta), 1e-4);
        Check.allSameAsReference(() -> Dispatcher.run(BATCH_NORM_BACKWARD, dSome, some, gamma, saved[1], saved[2]), 1e-4);
        Tensor row = tokens.slice(0, 0, 128);
        Check.allSameAsReference(() -> Dispatcher.run(LAYER_NORM, row, tokenScale, tokenScale), 1e-4);
        Check.allSameAsReference(() -> Dispatcher.run(LAYER_NORM_BACKWARD, otherTokens.slice(0, 0, 128), row, tokenScale,
                normalised[1].slice(0, 0, 128), normalised[2].slice(0, 0, 128)), 1e-4);
        Tensor one = large.slice(0, 0, 1);
        Check.allSameAsReference(() -> Dispatcher.run(new PoolOp.MaxPool2d(POOL), one), 1e-6);
        Check.sameAsReference(() -> Dispatcher.one(MAX_POOL_BACKWARD, pooled[0].slice(0, 0, 1), pooled[1].slice(0, 0, 1)),
                1e-6);
        Check.sameAsReference(() -> one.adaptiveAvgPool2d(1, 1), 1e-4);
        Tensor logits = scores.slice(0, 0, 512);
        Check.sameAsReference(() -> logits.softmax(), 1e-5);
        Check.sameAsReference(() -> Dispatcher.one(SOFTMAX_BACKWARD, logits, probabilities.slice(0, 0, 512)), 1e-5);
        Check.allSameAsReference(() -> Dispatcher.run(CROSS_ENTROPY, logits, classes.slice(0, 0, 512)), 1e-5);
        checkUpdate(sgd(0.1), weights, gradient, first);
        checkUpdate(adamw(0.1), weights, gradient, first, second);
    }

    /** Of copies, which the op may change; all that it changes is compared. */
    private static void checkUpdate(Update op, Tensor... target) {
        Check.allSameAsReference(() -> {
            Tensor[] t = Arrays.stream(target).map(x -> x.slice(0, 0, 100_000).copy()).toArray(Tensor[]::new);
            Dispatcher.update(op, t[0], Arrays.copyOfRange(t, 1, t.length));
            return t;
        }, 1e-5);
    }

    private static Update sgd(double lr) {
        return new Update.Sgd(lr, 0.9, 0, 1e-4, false, false);
    }

    private static Update adamw(double lr) {
        return new Update.Adam(lr, 0.9, 0.999, 1e-8, 0.01, true, 10);
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
        consume(sink, () -> Dispatcher.one(RELU_BACKWARD, other, image));
    }

    @Benchmark
    public void geluBackward(Blackhole sink) {
        consume(sink, () -> Dispatcher.one(GELU_BACKWARD, other, image));
    }

    @Benchmark
    public void add(Blackhole sink) {
        consume(sink, () -> image.add(other));
    }

    @Benchmark
    public void dropout(Blackhole sink) {
        consume(sink, () -> Dispatcher.one(DROPOUT, image));
    }

    @Benchmark
    public void batchNormForward(Blackhole sink) {
        consume(sink, () -> Dispatcher.run(BATCH_NORM, image, gamma, beta));
    }

    @Benchmark
    public void batchNormBackward(Blackhole sink) {
        consume(sink, () -> Dispatcher.run(BATCH_NORM_BACKWARD, other, image, gamma, saved[1], saved[2]));
    }

    @Benchmark
    public void layerNorm(Blackhole sink) {
        consume(sink, () -> Dispatcher.run(LAYER_NORM, tokens, tokenScale, tokenScale));
    }

    @Benchmark
    public void layerNormBackward(Blackhole sink) {
        consume(sink, () -> Dispatcher.run(LAYER_NORM_BACKWARD, otherTokens, tokens, tokenScale, normalised[1],
                normalised[2]));
    }

    @Benchmark
    public void maxPoolBackward(Blackhole sink) {
        consume(sink, () -> Dispatcher.one(MAX_POOL_BACKWARD, pooled[0], pooled[1]));
    }

    @Benchmark
    public void softmaxBackward(Blackhole sink) {
        consume(sink, () -> Dispatcher.one(SOFTMAX_BACKWARD, scores, probabilities));
    }

    @Benchmark
    public void crossEntropy(Blackhole sink) {
        consume(sink, () -> Dispatcher.run(CROSS_ENTROPY, scores, classes));
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
        Dispatcher.update(sgd(1e-9), weights, gradient, first);
    }

    @Benchmark
    public void adamwStep() {
        Dispatcher.update(adamw(1e-9), weights, gradient, first, second);
    }

    private static void consume(Blackhole sink, java.util.function.Supplier<?> work) {
        try (Scope step = Scope.open()) {
            sink.consume(work.get());
        }
    }
}
