package dev.graft.benchmarks;

import dev.graft.benchmarks.compare.GraftEngine;
import dev.graft.benchmarks.peers.Engine;
import dev.graft.benchmarks.peers.Work;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

/** BERT-base's encoder on 8 x 128 tokens: inference, and a fine-tuning step. */
@State(org.openjdk.jmh.annotations.Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
public class BertBenchmark {
    private Engine.Prepared inference;
    private Engine.Prepared step;

    @Setup
    public void setup() {
        inference = new GraftEngine().prepare(new Work.Bert(12, 8, Work.Task.INFERENCE));
        step = new GraftEngine().prepare(new Work.Bert(12, 8, Work.Task.FULL_STEP));
    }

    @Benchmark
    public void inference() {
        inference.run();
    }

    @Benchmark
    public void fullStep() {
        step.run();
    }
}
