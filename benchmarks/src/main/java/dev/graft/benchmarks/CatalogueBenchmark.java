package dev.graft.benchmarks;

import dev.graft.tensor.Scope;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;
import org.openjdk.jmh.infra.Blackhole;

/**
 * Every op and every kind of update once, at the size of its case in the op catalogue: which of them lacks a fast kernel.
 * The rows are many and each is only to be compared with its peers, hence the short measurements.
 */
@State(org.openjdk.jmh.annotations.Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 2, time = 300, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 5, time = 100, timeUnit = TimeUnit.MILLISECONDS)
public class CatalogueBenchmark {
    private static final int CALLS = 2_000;
    private static final long LONGEST = TimeUnit.SECONDS.toNanos(4);

    /** A case by its name in the catalogue; the suite puts those of {@link CatalogueRow#rows} here. */
    @Param("relu{fn=RELU, a=0.0} (float[5, 20011])")
    String op;

    private Supplier<?> work;

    @Setup
    public void setup() {
        CatalogueRow row = CatalogueRow.of(op);
        List<String> differences = new ArrayList<>();
        try (Scope s = Scope.open()) {
            row.compare(differences);
        }
        if (!differences.isEmpty()) {
            throw new IllegalStateException("wrong result: " + differences.getFirst());
        }
        work = row.work();
        warm();
    }

    /**
     * By calls, so that a slow op gets more time: until they are compiled vector kernels are up to a thousand times slower
     * (those of products for seconds), and would stand out for that.
     */
    private void warm() {
        long end = System.nanoTime() + LONGEST;
        for (int i = 0; i < CALLS && System.nanoTime() < end; i++) {
            try (Scope step = Scope.open()) {
                work.get();
            }
        }
    }

    @Benchmark
    public void run(Blackhole sink) {
        try (Scope step = Scope.open()) {
            sink.consume(work.get());
        }
    }
}
