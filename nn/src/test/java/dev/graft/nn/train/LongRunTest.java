package dev.graft.nn.train;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.autograd.Tape;
import dev.graft.nn.Activation;
import dev.graft.nn.AdaptiveAvgPool2d;
import dev.graft.nn.BatchNorm2d;
import dev.graft.nn.Conv2d;
import dev.graft.nn.ConvSpec;
import dev.graft.nn.Dropout;
import dev.graft.nn.Flatten;
import dev.graft.nn.Linear;
import dev.graft.nn.MaxPool2d;
import dev.graft.nn.Sequential;
import dev.graft.nn.loss.CrossEntropy;
import dev.graft.nn.optim.AdamW;
import dev.graft.nn.optim.Optimizer;
import dev.graft.tensor.Context;
import dev.graft.tensor.Memory;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.cpu.WorkerPool;
import java.lang.management.ManagementFactory;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What holds over many steps: memory stays as it is, and the bits depend on the seed alone. */
class LongRunTest {
    private final int threads = WorkerPool.shared().threads();

    @AfterEach
    void restoreThreads() {
        WorkerPool.setThreads(threads);
    }

    private static Sequential network() {
        Sequential net = new Sequential(new Conv2d(3, 16, 3, ConvSpec.DEFAULT.padding(1).bias(false)), new BatchNorm2d(16),
                Activation.relu(), new MaxPool2d(2), new Conv2d(16, 16, 3, ConvSpec.DEFAULT.padding(1)), Activation.relu(),
                new AdaptiveAvgPool2d(1, 1), new Flatten(), new Dropout(0.3), new Linear(16, 4));
        net.initialize(9);
        return net;
    }

    private interface AfterStep {
        void accept(int step);
    }

    private static Map<String, float[]> train(int steps, int batch, int size, AfterStep after) {
        Sequential net = network();
        CrossEntropy loss = new CrossEntropy();
        Map<String, float[]> end = new LinkedHashMap<>();
        try (net; Optimizer optimizer = new AdamW(1e-3).optimizer(net)) {
            for (int i = 0; i < steps; i++) {
                Context.training(7, i).run(() -> {
                    try (Scope step = Scope.open("step"); Tape tape = new Tape()) {
                        Tensor x = Tensor.uniform(-1, 1, batch, size, size, 3);
                        Tensor y = x.mean(1, 2).slice(1, 0, 2).gt(0).cast(dev.graft.tensor.DType.I32).sum(1);
                        optimizer.step(tape.backward(tape.record(() -> loss.of(net.call(x), y))));
                    }
                });
                after.accept(i);
            }
            net.parameters().forEach((path, p) -> end.put(path, p.value().toFloats()));
            net.buffers().forEach((path, b) -> end.put(path, b.value().toFloats()));
        }
        return end;
    }

    @Test
    void twoThousandStepsNeedTheMemoryOfThree() {
        System.gc();        // what other tests left unclosed goes now or later: live bytes may fall, never grow
        long[] live = new long[2];
        long[] heap = new long[2];
        train(2000, 4, 8, step -> {
            if (step == 3) {
                live[0] = Memory.report().live();
                live[1] = Memory.report().fresh();
            } else if (step > 3) {
                assertThat(Memory.report().live()).as("live bytes after step %d", step).isLessThanOrEqualTo(live[0]);
            }
            if (step == 200 || step == 1999) {
                System.gc();
                heap[step == 200 ? 0 : 1] = ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
            }
        });
        assertThat(Memory.report().fresh()).as("arrays made anew after step 3").isLessThanOrEqualTo(live[1] + 2);
        assertThat(heap[1] - heap[0]).as("growth of the heap in 1,800 steps").isLessThan(4 << 20);
    }

    @Test
    void aSeedGivesTheSameBitsOnOneThreadAndOnTwo() {
        WorkerPool.setThreads(1);
        Map<String, float[]> one = train(6, 16, 32, i -> { });
        Map<String, float[]> again = train(6, 16, 32, i -> { });
        WorkerPool.setThreads(2);
        Map<String, float[]> two = train(6, 16, 32, i -> { });
        assertThat(one).hasSameSizeAs(two);
        one.forEach((path, v) -> {
            assertThat(again.get(path)).as(path + " in a second run").containsExactly(v);
            assertThat(two.get(path)).as(path + " on two threads").containsExactly(v);
        });
    }
}
