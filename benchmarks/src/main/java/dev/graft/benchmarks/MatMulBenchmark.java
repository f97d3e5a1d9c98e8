package dev.graft.benchmarks;

import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.MatMul;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.infra.Blackhole;

/** Matrix products in all forms: squares, the layers of BERT-base at 2048 tokens, a head, and an odd size. */
@State(org.openjdk.jmh.annotations.Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class MatMulBenchmark {
    @Param({"512x512x512", "1024x1024x1024", "2048x768x768", "2048x3072x768", "2048x768x3072", "17x1000x1280",
            "333x257x129"})
    String mnk;

    /** Which sides are transposed: none, the right, the left. */
    @Param({"NN", "NT", "TN"})
    String form;

    private Tensor a;
    private Tensor b;
    private MatMul op;

    @Setup
    public void setup() {
        int[] s = Check.sizes(mnk);
        op = new MatMul(form.startsWith("T"), form.endsWith("T"));
        a = op.transA() ? Tensor.uniform(-1, 1, s[2], s[0]) : Tensor.uniform(-1, 1, s[0], s[2]);
        b = op.transB() ? Tensor.uniform(-1, 1, s[1], s[2]) : Tensor.uniform(-1, 1, s[2], s[1]);
        Check.sameAsReference(() -> Dispatcher.one(op, a, b), 1e-5);
    }

    @Benchmark
    public void matmul(Blackhole sink) {
        try (Scope step = Scope.open()) {
            sink.consume(Dispatcher.one(op, a, b));
        }
    }
}
