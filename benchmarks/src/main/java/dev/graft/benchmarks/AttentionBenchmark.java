package dev.graft.benchmarks;

import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.AttentionOp;
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

/** Attention of BERT-base, of longer sequences, and of an odd size. Sizes read batch x tokens x heads x head size. */
@State(org.openjdk.jmh.annotations.Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class AttentionBenchmark {
    @Param({"8x128x12x64", "2x512x12x64", "3x77x5x40"})
    String heads;

    private Tensor[] in;
    private AttentionOp forward;
    private AttentionOp backward;
    private Tensor[] saved;

    @Setup
    public void setup() {
        int[] s = Check.sizes(heads);
        in = new Tensor[] {Tensor.randn(s), Tensor.randn(s), Tensor.randn(s)};
        double scale = 1 / Math.sqrt(s[3]);
        forward = new AttentionOp.Attention(scale, false);
        backward = new AttentionOp.AttentionBackward(scale, false, false);
        Tensor dy = Tensor.randn(s);
        Tensor[] y = Dispatcher.run(forward, in);
        saved = new Tensor[] {dy, in[0], in[1], in[2], y[0], y[1]};
        Check.allSameAsReference(() -> Dispatcher.run(forward, first(in)), 1e-4);
        Check.allSameAsReference(() -> Dispatcher.run(backward, first(saved)), 1e-4);
    }

    /** The first sequence of the batch: the reference is slow. */
    private static Tensor[] first(Tensor[] batches) {
        return Arrays.stream(batches).map(t -> t.slice(0, 0, 1)).toArray(Tensor[]::new);
    }

    @Benchmark
    public void forward(Blackhole sink) {
        try (Scope step = Scope.open()) {
            sink.consume(Dispatcher.run(forward, in));
        }
    }

    @Benchmark
    public void backward(Blackhole sink) {
        try (Scope step = Scope.open()) {
            sink.consume(Dispatcher.run(backward, saved));
        }
    }
}
