package dev.graft.benchmarks;

import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.MatMul;
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
 * Matrix products in all forms: squares, the layers of BERT-base at 2048 tokens, heads, one row, an odd size, and
 * attention's two products of 96 heads. Sizes read m x n x k; of four the first is a batch.
 */
@State(org.openjdk.jmh.annotations.Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class MatMulBenchmark {
    private static final long CHECKED = 60_000_000;     // multiply-adds of one matrix that the reference does

    @Param({"512x512x512", "1024x1024x1024", "2048x768x768", "2048x3072x768", "2048x768x3072", "17x1000x1280",
            "333x257x129", "16x1000x512", "1000x512x16", "32x768x768", "128x2048x2048", "1x1000x2048", "96x128x128x64",
            "96x128x64x128"})
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
        int front = s.length - 3;
        int m = s[front];
        int n = s[front + 1];
        int k = s[front + 2];
        op = new MatMul(form.startsWith("T"), form.endsWith("T"));
        a = op.transA() ? matrices(s, k, m) : matrices(s, m, k);
        b = op.transB() ? matrices(s, n, k) : matrices(s, k, n);
        int step = (int) Math.ceilDiv((long) m * n * k, CHECKED);
        Check.sameAsReference(() -> every(step, front, Dispatcher.one(op, a, b)),
                () -> Dispatcher.one(op, every(step, op.transA() ? front + 1 : front, a), b), 1e-5);
    }

    private static Tensor matrices(int[] sizes, int rows, int columns) {
        return sizes.length == 4 ? Tensor.uniform(-1, 1, sizes[0], rows, columns) : Tensor.uniform(-1, 1, rows, columns);
    }

    /** Every {@code step}-th place of an axis. */
    private static Tensor every(int step, int axis, Tensor t) {
        int[] steps = new int[t.rank()];
        Arrays.fill(steps, 1);
        steps[axis] = step;
        return t.slice(new int[t.rank()], t.shape().dims(), steps);
    }

    @Benchmark
    public void matmul(Blackhole sink) {
        try (Scope step = Scope.open()) {
            sink.consume(Dispatcher.one(op, a, b));
        }
    }
}
