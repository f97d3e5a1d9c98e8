package dev.graft.benchmarks;

import dev.graft.tensor.DType;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.StoredLinearOp;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.infra.Blackhole;

/** Linear layers whose frozen weights are stored as bfloat16 or int8. Sizes read rows x inputs x outputs. */
@State(org.openjdk.jmh.annotations.Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class StoredLinearBenchmark {
    private static final StoredLinearOp FORWARD = new StoredLinearOp.StoredLinear(true);
    private static final StoredLinearOp BACKWARD = new StoredLinearOp.StoredLinearBackward();

    @Param("16x768x3072")
    String linear;

    @Param({"BF16", "I8"})
    DType weights;

    private Tensor[] forward;
    private Tensor[] backward;

    @Setup
    public void setup() {
        int[] s = Check.sizes(linear);
        Tensor x = Tensor.uniform(-1, 1, s[0], s[1]);
        Tensor dy = Tensor.uniform(-1, 1, s[0], s[2]);
        Tensor bias = Tensor.uniform(-1, 1, s[2]);
        Tensor w = Tensor.uniform(-127, 127, s[2], s[1]).cast(weights);
        Tensor scale = Tensor.uniform(0.001, 0.01, s[2]);
        boolean scaled = weights == DType.I8;
        forward = scaled ? new Tensor[] {x, w, scale, bias} : new Tensor[] {x, w, bias};
        backward = scaled ? new Tensor[] {dy, w, scale} : new Tensor[] {dy, w};
        Check.allSameAsReference(() -> Dispatcher.run(FORWARD, forward), 1e-5);
        Check.allSameAsReference(() -> Dispatcher.run(BACKWARD, backward), 1e-5);
    }

    @Benchmark
    public void forward(Blackhole sink) {
        try (Scope step = Scope.open()) {
            sink.consume(Dispatcher.run(FORWARD, forward));
        }
    }

    /** The gradient by x: the weights have none. */
    @Benchmark
    public void backward(Blackhole sink) {
        try (Scope step = Scope.open()) {
            sink.consume(Dispatcher.run(BACKWARD, backward));
        }
    }
}
