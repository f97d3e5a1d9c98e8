package dev.graft.benchmarks;

import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.ConvOp;
import dev.graft.tensor.op.ConvParams;
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
 * Convolutions of ResNet-18/50, MobileNetV2 and the CIFAR ResNets, forward and both gradients. A shape reads batch x size x
 * channels in x channels out x kernel x stride x groups; the padding is (kernel - 1) / 2.
 */
@State(org.openjdk.jmh.annotations.Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class ConvolutionBenchmark {
    /** EfficientNet-B0's depthwise 5x5. */
    static final String DEPTHWISE_5 = "8x28x240x240x5x1x240";
    /** ResNeXt-50 32x4d. */
    static final String GROUPED = "8x56x128x128x3x1x32";
    /** Its backwardInput is a transposed convolution: what U-Net widens its images with. */
    static final String TRANSPOSED = "8x56x128x256x2x2x1";

    @Param({"8x56x64x64x3x1x1", "8x28x128x128x3x1x1", "8x14x256x256x3x1x1", "8x7x512x512x3x1x1",
            "8x56x64x256x1x1x1", "8x14x1024x256x1x1x1", "8x56x64x128x3x2x1", "8x224x3x64x7x2x1",
            "8x56x144x144x3x1x144", "8x14x384x384x3x1x384", "8x112x96x96x3x2x96",
            "64x32x16x16x3x1x1", "64x16x32x32x3x1x1", DEPTHWISE_5, GROUPED, TRANSPOSED})
    String shape;

    private Tensor x;
    private Tensor w;
    private Tensor dy;
    private ConvParams params;
    private ConvOp backwardInput;
    private ConvOp backwardWeight;

    @Setup
    public void setup() {
        int[] s = Check.sizes(shape);
        params = ConvParams.of(s[5], (s[4] - 1) / 2).withGroups(s[6]);
        x = Tensor.uniform(-1, 1, s[0], s[1], s[1], s[2]);
        w = Tensor.uniform(-1, 1, s[3], s[4], s[4], s[2] / s[6]);
        dy = x.conv2d(w, params);
        backwardInput = new ConvOp.Conv2dBackwardInput(params, s[1], s[1]);
        backwardWeight = new ConvOp.Conv2dBackwardWeight(params, s[4], s[4]);
        Tensor one = last(x);
        Tensor dOne = last(dy);
        Check.sameAsReference(() -> last(x.conv2d(w, params)), () -> one.conv2d(w, params), 1e-4);
        Check.sameAsReference(() -> last(Dispatcher.one(backwardInput, dy, w)),
                () -> Dispatcher.one(backwardInput, dOne, w), 1e-4);
        Check.sameAsReference(() -> Dispatcher.one(backwardWeight, one, dOne), 1e-4);
    }

    private static Tensor last(Tensor images) {
        return images.slice(0, images.dim(0) - 1, images.dim(0));
    }

    @Benchmark
    public void forward(Blackhole sink) {
        try (Scope step = Scope.open()) {
            sink.consume(x.conv2d(w, params));
        }
    }

    @Benchmark
    public void backwardInput(Blackhole sink) {
        try (Scope step = Scope.open()) {
            sink.consume(Dispatcher.one(backwardInput, dy, w));
        }
    }

    @Benchmark
    public void backwardWeight(Blackhole sink) {
        try (Scope step = Scope.open()) {
            sink.consume(Dispatcher.one(backwardWeight, x, dy));
        }
    }
}
