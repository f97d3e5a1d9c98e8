package dev.graft.benchmarks;

import dev.graft.tensor.cpu.WorkerPool;
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
 * The same work on one thread and on several: a product of 1024 cubed and ResNet-18 on [16, 224, 224, 3], inference and a
 * step that trains every layer. {@code -p threads=1,2,4,8} where there are more cores.
 */
@State(org.openjdk.jmh.annotations.Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
public class ScalingBenchmark {
    @Param({"1", "2"})
    int threads;

    private final MatMulBenchmark product = new MatMulBenchmark();
    private final TrainingStepBenchmark network = new TrainingStepBenchmark();

    @Setup
    public void setup() {
        product.mnk = "1024x1024x1024";
        product.form = "NN";
        product.setup();
        network.model = "resnet18";
        network.setup();
        WorkerPool.setThreads(threads);
    }

    @Benchmark
    public void matmul(Blackhole sink) {
        product.matmul(sink);
    }

    @Benchmark
    public void inference(Blackhole sink) {
        network.inference(sink);
    }

    @Benchmark
    public void fullStep() {
        network.fullStep();
    }
}
