package dev.graft.benchmarks;

import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.ConvParams;
import dev.graft.tensor.op.FusedOp;
import java.util.Arrays;
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
 * Whole blocks of MobileNetV2 as inference runs them. A block reads batch x size x channels in x expanded channels x
 * channels out x stride; its input is added to its output where the two have one shape.
 */
@State(org.openjdk.jmh.annotations.Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class InvertedResidualBenchmark {
    @Param({"8x56x24x144x24x1", "8x28x32x192x64x2", "8x14x64x384x64x1"})
    String block;

    private FusedOp op;
    private Tensor[] in;

    @Setup
    public void setup() {
        int[] s = Check.sizes(block);
        op = new FusedOp.InvertedResidual(ConvParams.of(s[5], 1).withGroups(s[3]), FusedOp.Activation.RELU6);
        Tensor x = Tensor.uniform(-1, 1, s[0], s[1], s[1], s[2]);
        Tensor[] seven = {x, Tensor.uniform(-1, 1, s[3], 1, 1, s[2]), Tensor.uniform(-1, 1, s[3]),
            Tensor.uniform(-1, 1, s[3], 3, 3, 1), Tensor.uniform(-1, 1, s[3]),
            Tensor.uniform(-1, 1, s[4], 1, 1, s[3]), Tensor.uniform(-1, 1, s[4])};
        in = seven;
        if (s[5] == 1 && s[2] == s[4]) {
            in = Arrays.copyOf(seven, 8);
            in[7] = x;
        }
        Tensor[] one = in.clone();
        one[0] = last(x);
        if (one.length == 8) {
            one[7] = one[0];
        }
        Check.sameAsReference(() -> last(Dispatcher.one(op, in)), () -> Dispatcher.one(op, one), 1e-4);
    }

    private static Tensor last(Tensor images) {
        return images.slice(0, images.dim(0) - 1, images.dim(0));
    }

    @Benchmark
    public void block(Blackhole sink) {
        try (Scope step = Scope.open()) {
            sink.consume(Dispatcher.one(op, in));
        }
    }
}
