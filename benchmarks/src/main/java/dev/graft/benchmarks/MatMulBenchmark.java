package dev.graft.benchmarks;

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

/** Matrix products: squares, the layers of BERT-base at 2048 tokens, and an odd size. */
@State(org.openjdk.jmh.annotations.Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class MatMulBenchmark {
    @Param({"512x512x512", "1024x1024x1024", "2048x768x768", "2048x3072x768", "17x1000x1280", "333x257x129"})
    String mnk;

    private Tensor a;
    private Tensor b;

    @Setup
    public void setup() {
        int[] s = Check.sizes(mnk);
        a = Tensor.uniform(-1, 1, s[0], s[2]);
        b = Tensor.uniform(-1, 1, s[2], s[1]);
        Check.sameAsReference(() -> a.matmul(b), 1e-5);
    }

    @Benchmark
    public void matmul(Blackhole sink) {
        try (Scope step = Scope.open()) {
            sink.consume(a.matmul(b));
        }
    }

    @Benchmark
    public void matmulTransposed(Blackhole sink) {
        try (Scope step = Scope.open()) {
            sink.consume(a.matmulTransposed(b.reshape(b.dim(1), b.dim(0))));
        }
    }
}
