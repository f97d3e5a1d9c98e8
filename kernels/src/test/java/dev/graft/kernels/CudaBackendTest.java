package dev.graft.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.graft.kernels.emulator.EmulatedCuda;
import dev.graft.tensor.Context;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Memory;
import dev.graft.tensor.MemoryReport;
import dev.graft.tensor.RandomStream;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.TensorSpec;
import dev.graft.tensor.backend.Backend;
import dev.graft.tensor.backend.Backends;
import dev.graft.tensor.backend.Mark;
import dev.graft.tensor.backend.StepGraph;
import dev.graft.tensor.op.Change;
import dev.graft.tensor.op.CreateOp;
import dev.graft.tensor.op.Update;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Copies, memory, order, recorded steps: what the backend is beside its ops, on the emulated device. */
class CudaBackendTest {
    private static final Device CUDA = Device.cuda();
    private static Backend backend;
    private Scope scope;

    @BeforeAll
    static void device() {
        assumeTrue(EmulatedCuda.start(), EmulatedCuda::reason);
        backend = Backends.of(CUDA);
    }

    @BeforeEach
    void open() {
        scope = Scope.open("test");
    }

    @AfterEach
    void close() {
        scope.close();
        EmulatedCuda.lazy(false);
        Memory.limit(CUDA, Long.MAX_VALUE);
    }

    private static Tensor cuda(float... v) {
        return Tensor.of(v, v.length).to(CUDA);
    }

    @Test
    void arraysLargerThanTheStagingChunksArriveWhole() {
        int n = 5_000_003;
        float[] v = new float[n];
        for (int i = 0; i < n; i++) {
            v[i] = i;
        }
        Tensor t = Tensor.of(v, n).to(CUDA);
        java.util.Arrays.fill(v, -1);                              // the upload has read the array
        float[] back = t.toFloats();
        for (int i = 0; i < n; i += 997) {
            assertThat(back[i]).isEqualTo(i);
        }
        assertThat(back[n - 1]).isEqualTo((float) (n - 1));
    }

    @Test
    void aTensorThatBeginsInsideItsArrayIsUploadedFromThere() {
        Tensor whole = Tensor.of(new float[] {0, 1, 2, 3, 4, 5}, 3, 2);
        assertThat(whole.slice(0, 1, 2).to(CUDA).toFloats()).containsExactly(2, 3);
        assertThat(whole.mul(2).slice(0, 2, 3).to(CUDA).toFloats()).containsExactly(8, 10);
    }

    /** An upload into memory that is in use waits for what still reads it. */
    @Test
    void newValuesWaitForTheReadersOfTheOldOnes() {
        Tensor x = cuda(1, 2, 3);
        backend.synchronize();
        EmulatedCuda.lazy(true);
        Tensor y = x.add(1);
        Tensor sum = y.sum();                                      // launches the addition, which the stream has not run yet
        x.write(new float[] {100, 100, 100});
        Tensor.zeros(8_000_000).to(CUDA);                         // waits for the staging buffers: uploads have run
        assertThat(sum.toFloats()).containsExactly(9);
        assertThat(y.toFloats()).containsExactly(2, 3, 4);
        assertThat(x.toFloats()).containsExactly(100, 100, 100);
    }

    @Test
    void copiesWaitForWhatTheyDependOn() {
        EmulatedCuda.lazy(true);                                   // streams run only when somebody waits for them
        Tensor x = cuda(1, 2, 3);
        for (int i = 0; i < 20; i++) {
            try (Scope step = Scope.open("step")) {
                Tensor batch = cuda(i, i, i);                      // upload memory of the batch before is reused
                Tensor next = x.add(batch);
                Dispatcher.update(new Update.Assign(), x, next);
            }
        }
        assertThat(x.toFloats()).containsExactly(191, 192, 193);
    }

    @Test
    void smallUploadsDoNotWaitForTheDevice() {
        Tensor mean = cuda(8, 8);
        Tensor x = cuda(0, 4);
        Update half = new Update.Axpby(0.5, 0.5);
        Dispatcher.update(half, mean, x);
        assertThat(mean.toFloats()).containsExactly(4, 6);
        EmulatedCuda.lazy(true);
        long before = EmulatedCuda.launches("update");
        for (int i = 0; i < 30; i++) {
            Dispatcher.update(half, mean, x);                      // each has a table of its own
        }
        assertThat(EmulatedCuda.launches("update")).isEqualTo(before);
        assertThat(mean.toFloats()).containsExactly(new float[] {0, 4}, within(1e-6f));
        assertThat(EmulatedCuda.launches("update")).isEqualTo(before + 30);
    }

    @Test
    void uploadsThatFillChunksToTheirEdgesArriveWhole() {
        List<Tensor> all = new java.util.ArrayList<>();
        int[] sizes = {3, 1_000_003, 64, 2_097_152, 5, 2_097_088, 1, 3_000_001};
        for (int n : sizes) {
            float[] v = new float[n];
            for (int i = 0; i < n; i++) {
                v[i] = n + i % 1000;
            }
            all.add(Tensor.of(v, n).to(CUDA));
        }
        for (int k = 0; k < sizes.length; k++) {
            float[] back = all.get(k).toFloats();
            for (int i = 0; i < back.length; i += i < 2000 ? 1 : 97) {
                assertThat(back[i]).isEqualTo(sizes[k] + i % 1000);
            }
        }
    }

    /** The driver answers only threads that have a context, and whoever closes a tensor may never have run an op. */
    @Test
    void threadsThatNeverRanAnOpMayCloseWhatHasDeviceMemory() throws InterruptedException {
        Tensor[] kept = new Tensor[1];
        StepGraph graph = backend.capture(() ->
                kept[0] = Tensor.fill(new TensorSpec(DType.F32, Shape.of(4)), 3, CUDA).mul(2));
        Tensor uploaded = Scope.persistent(() -> cuda(1, 2, 3));
        Tensor large = Scope.persistent(() -> Tensor.of(new float[8_000_000], 8_000_000).to(CUDA));
        List<Throwable> failures = new java.util.ArrayList<>();
        Runnable close = () -> {
            try {
                uploaded.close();
                graph.close();
                kept[0].close();                    // gives the graph's memory back to the driver
                large.close();
                Memory.trim(CUDA);
            } catch (RuntimeException e) {
                failures.add(e);
            }
        };
        Thread t = new Thread(close);
        t.start();
        t.join();
        assertThat(failures).isEmpty();
        assertThat(cuda(5, 6).add(1).toFloats()).containsExactly(6, 7);
    }

    @Test
    void virtualThreadsHaveTheContextOnEveryCarrier() throws InterruptedException {
        List<Throwable> failures = java.util.Collections.synchronizedList(new java.util.ArrayList<>());
        List<Thread> all = new java.util.ArrayList<>();
        for (int k = 0; k < 8; k++) {
            all.add(Thread.startVirtualThread(() -> {
                try (Scope s = Scope.open("virtual")) {
                    for (int i = 0; i < 20; i++) {
                        assertThat(cuda(i, 1).add(1).toFloats()).containsExactly(i + 1, 2);
                        Thread.sleep(1);                            // goes on on any carrier
                    }
                } catch (Throwable e) {
                    failures.add(e);
                }
            }));
        }
        for (Thread t : all) {
            t.join();
        }
        assertThat(failures).isEmpty();
    }

    @Test
    void uploadsAfterARecordingWaitForWhatItFreed() {
        Tensor x = cuda(1, 2, 3);
        Tensor batch = cuda(10, 10, 10);
        inScope(() -> x.add(batch));
        StepGraph graph = backend.capture(() -> {
            x.add(1);
            batch.close();                          // its fence must not become an event of the graph
        });
        assertThat(cuda(4, 5, 6).add(1).toFloats()).containsExactly(5, 6, 7);
        graph.close();
    }

    @Test
    void aStepThatIsTimedOrWaitsCannotBeRecorded() {
        Tensor x = cuda(1, 2);
        assertThatThrownBy(() -> backend.capture(() -> {
            x.add(1);
            backend.mark();
        })).hasMessageContaining("cannot be captured").hasMessageContaining("timed");
        assertThatThrownBy(() -> backend.capture(backend::synchronize)).hasMessageContaining("waits for the device");
        assertThat(x.add(1).toFloats()).containsExactly(2, 3);
    }

    @Test
    void aViewIsReadAndWrittenAtItsPlace() {
        Tensor t = cuda(0, 1, 2, 3, 4, 5).reshape(3, 2);
        assertThat(t.row(1).toFloats()).containsExactly(2, 3);
        t.row(2).write(new float[] {7, 8});
        assertThat(t.toFloats()).containsExactly(0, 1, 2, 3, 7, 8);
    }

    @Test
    void aSteadyStepTakesNoNewMemoryAndLeavesNone() {
        Tensor w = Tensor.randn(64, 64).to(CUDA);
        MemoryReport before = null;
        for (int i = 0; i < 30; i++) {
            try (Scope step = Scope.open("step")) {
                Tensor.randn(32, 64).to(CUDA).matmul(w).relu().sum().item();
            }
            if (i == 4) {
                before = Memory.report(CUDA);
            }
        }
        MemoryReport after = Memory.report(CUDA);
        assertThat(after.fresh()).isEqualTo(before.fresh());
        assertThat(after.live()).as("less if garbage of other tests went").isLessThanOrEqualTo(before.live());
    }

    @Test
    void outOfMemoryIsSaidOnceWithWhatHoldsIt() {
        Tensor kept = Tensor.fill(new TensorSpec(DType.F32, Shape.of(4 << 20)), 1, CUDA);
        Memory.trim(CUDA);
        Memory.limit(CUDA, Memory.report(CUDA).live() + Memory.report(CUDA).cached() + (8L << 20));
        assertThatThrownBy(() -> Context.inference().withPath("layer1").call(() -> Tensor.fill(
                new TensorSpec(DType.F32, Shape.of(8 << 20)), 0, CUDA)))
                .isInstanceOf(GraftException.class)
                .hasMessageStartingWith("out of memory on cuda:0 for 32.0 MiB (fill in layer1)")
                .hasMessageContaining("fill 16.0 MiB");
        assertThat(kept.sum().item()).isEqualTo(4 << 20);          // nothing is lost
    }

    @Test
    void theDriversOwnOutOfMemoryIsTriedAgainAfterFreeingTheCache() {
        Tensor.fill(new TensorSpec(DType.F32, Shape.of(16 << 20)), 1, CUDA).close();       // 64 MiB in the cache
        EmulatedCuda.failAllocationAfter(0);
        // needs 80 MiB: freed and tried again
        Tensor t = Tensor.fill(new TensorSpec(DType.F32, Shape.of(20 << 20)), 2, CUDA);
        assertThat(t.row(0).item()).isEqualTo(2);
    }

    @Test
    void unclosedTensorsAreFoundByTheCollector() throws InterruptedException {
        long live = Memory.report(CUDA).live();
        Scope.persistent(() -> {
            for (int i = 0; i < 10; i++) {
                Tensor.fill(new TensorSpec(DType.F32, Shape.of(1000)), 1, CUDA);
            }
            return null;
        });
        for (int i = 0; i < 50 && Memory.report(CUDA).live() > live; i++) {
            System.gc();
            Thread.sleep(20);
        }
        assertThat(Memory.report(CUDA).live()).isLessThanOrEqualTo(live);
    }

    @Test
    void marksMeasureTheDevice() {
        Mark a = backend.mark();
        Tensor.randn(256, 256).to(CUDA).matmul(Tensor.randn(256, 256).to(CUDA));
        Mark b = backend.mark();
        assertThat(a.microsTo(b)).isPositive();
    }

    // ------------------------------------------------------------------ updates

    @Test
    void manyUpdatesTakeOneLaunchAndScaleTheirGradients() {
        Tensor[] w = new Tensor[5];
        Change[] changes = new Change[5];
        for (int i = 0; i < 5; i++) {
            w[i] = Tensor.full(1, 100 + i).to(CUDA);
            changes[i] = new Change(new Update.Sgd(0.1 * (i + 1), 0, 0, 0, false, true), w[i],
                    Tensor.full(2, 100 + i).to(CUDA));
        }
        long before = EmulatedCuda.launches("update");
        Dispatcher.updateAll(List.of(changes), Tensor.scalar(0.5f).to(CUDA));
        assertThat(EmulatedCuda.launches("update") - before).isEqualTo(1);
        for (int i = 0; i < 5; i++) {
            assertThat(w[i].toFloats()).containsOnly((float) (1 - 0.1 * (i + 1)));
        }
        Dispatcher.updateAll(List.of(changes), Tensor.scalar(Float.NaN).to(CUDA));
        Dispatcher.updateAll(List.of(changes), Tensor.scalar(Float.POSITIVE_INFINITY).to(CUDA));
        assertThat(w[2].toFloats()).containsOnly((float) (1 - 0.3));
    }

    @Test
    void aLimitClipsScaledGradientsInTheSameLaunch() {
        for (DType type : List.of(DType.F32, DType.F64)) {
            Tensor[] w = new Tensor[2];
            Change[] changes = new Change[2];
            double[] gradients = {0.25, -5, 3, Double.NaN, Double.POSITIVE_INFINITY, 0.5, Double.NaN};  // packets and a rest
            for (int i = 0; i < 2; i++) {
                w[i] = Tensor.zeros(7).cast(type).to(CUDA);
                changes[i] = new Change(new Update.Sgd(1, 0, 0, 0, false, true), w[i],
                        Tensor.of(gradients, 7).cast(type).to(CUDA));
            }
            long before = EmulatedCuda.launches("update");
            Dispatcher.updateAll(List.of(changes), Tensor.scalar(2f).to(CUDA), 0.75);
            assertThat(EmulatedCuda.launches("update") - before).isEqualTo(1);
            for (Tensor t : w) {
                assertThat(t.toDoubles()).containsExactly(-0.5, 0.75, -0.75, Double.NaN, -0.75, -0.75, Double.NaN);
            }
        }
    }

    @Test
    void twoChangesOfOneTensorHappenInTheirOrder() {
        Tensor w = Tensor.full(1, 10).to(CUDA);
        Tensor g = Tensor.full(1, 10).to(CUDA);
        Dispatcher.updateAll(List.of(new Change(new Update.Axpby(0.5, 0), w, g),
                new Change(new Update.Sgd(1, 0, 0, 0, false, true), w, g), new Change(new Update.Axpby(4, 0), w, g)), null);
        assertThat(w.toFloats()).containsOnly(-2);                 // ((1/2) - 1) · 4
    }

    // ------------------------------------------------------------------ recorded steps

    /** w -= rate · (x + noise), with noise of the step's random numbers. */
    private static void step(Tensor w, Tensor x, double rate) {
        Tensor noise = Tensor.random(x.spec(), CreateOp.Distribution.UNIFORM, 0, 1, CUDA);
        update(w, x.add(noise), rate);
    }

    private static void update(Tensor w, Tensor g, double rate) {
        Dispatcher.updateAll(List.of(new Change(new Update.Sgd(rate, 0, 0, 0, false, true), w, g)), null);
    }

    @Test
    void aReplayClipsAsTheStepDid() {
        Tensor w = cuda(0, 0, 0, 0);
        Tensor g = cuda(1, -2, 0.25f, 4);
        List<Change> slow = List.of(new Change(new Update.Sgd(1, 0, 0, 0, false, true), w, g));
        List<Change> fast = List.of(new Change(new Update.Sgd(2, 0, 0, 0, false, true), w, g));
        Dispatcher.updateAll(slow, null, 0.5);                     // compiles the kernel
        w.write(new float[4]);
        StepGraph graph = Context.training(9, 0).call(() -> backend.capture(() -> Dispatcher.updateAll(slow, null, 0.5)));
        assertThat(w.toFloats()).containsExactly(-0.5f, 0.5f, -0.25f, -0.5f);
        graph.replay(RandomStream.of(9, 1), () -> Dispatcher.updateAll(fast, null, 0.5));
        assertThat(w.toFloats()).containsExactly(-1.5f, 1.5f, -0.75f, -1.5f);
        assertThatThrownBy(() -> graph.replay(RandomStream.of(9, 2), () -> Dispatcher.updateAll(fast, null)))
                .isInstanceOf(GraftException.class)
                .hasMessage("a captured step's replay clips gradients to Infinity, the step did to 0.5: capture it again");
        assertThat(w.toFloats()).containsExactly(-1.5f, 1.5f, -0.75f, -1.5f);
        graph.close();
    }

    @Test
    void aReplayTakesNewInputsRatesAndRandomNumbers() {
        Tensor x = cuda(1, 2, 3, 4);
        Tensor w = cuda(0, 0, 0, 0);
        Tensor eager = cuda(0, 0, 0, 0);
        double[] rates = {1, 0.5, 0.25, 2};
        StepGraph graph = null;
        for (int i = 0; i < rates.length; i++) {
            double rate = rates[i];
            float[] values = {i, i + 1, i + 2, i + 3};
            x.write(values);
            Context.training(9, i).run(() -> inScope(() -> step(eager, x, rate)));
            if (i == 0) {
                Context.training(9, i).run(() -> inScope(() -> step(w, x, rate)));
            } else if (i == 1) {
                graph = Context.training(9, i).call(() -> backend.capture(() -> inScope(() -> step(w, x, rate))));
                assertThat(graph.launches()).isPositive();
            } else {
                graph.replay(RandomStream.of(9, i), () -> update(w, x, rate));
            }
            assertThat(w.toFloats()).as("step " + i).containsExactly(eager.toFloats(), within(1e-6f));
        }
        graph.close();
    }

    private static void inScope(Runnable r) {
        try (Scope s = Scope.open("step")) {
            r.run();
        }
    }

    @Test
    void whatAStepKeepsIsNotOverwrittenByOtherWork() {
        Tensor x = cuda(1, 2, 3, 4);
        Tensor[] kept = new Tensor[1];
        Tensor warm = x.mul(3).add(1);
        warm.close();
        StepGraph graph = backend.capture(() -> kept[0] = x.mul(3).add(1));
        assertThat(kept[0].toFloats()).containsExactly(4, 7, 10, 13);
        for (int i = 0; i < 50; i++) {
            inScope(() -> Tensor.fill(new TensorSpec(DType.F32, Shape.of(4)), 99, CUDA));
        }
        x.write(new float[] {0, 0, 0, 1});
        graph.replay(RandomStream.of(0, 0), () -> { });
        assertThat(kept[0].toFloats()).containsExactly(1, 1, 1, 4);
        graph.close();
    }

    @Test
    void aStepThatReadsBackCannotBeRecordedAndNothingIsBroken() {
        Tensor x = cuda(1, 2);
        assertThatThrownBy(() -> backend.capture(() -> x.add(1).toFloats())).isInstanceOf(GraftException.class)
                .hasMessageContaining("cannot be captured").hasMessageContaining("reads values back");
        assertThat(x.add(1).toFloats()).containsExactly(2, 3);
        assertThatThrownBy(() -> backend.capture(() -> cuda(5))).hasMessageContaining("writes values of the host");
        StepGraph again = backend.capture(() -> x.add(1));
        again.close();
    }

    @Test
    void aStepsOwnWorkDoesNotWriteOverItsTables() {
        Tensor w = cuda(0, 0, 0, 0);
        Tensor x = cuda(1, 2, 3, 4);
        Runnable step = () -> {
            for (int i = 0; i < 5; i++) {
                x.add(i).close();                   // its memory is free again when the table is made
            }
            update(w, x, 1);
        };
        inScope(step);
        StepGraph graph = backend.capture(step);
        graph.replay(RandomStream.of(0, 1), () -> update(w, x, 2));
        assertThat(w.toFloats()).containsExactly(-4, -8, -12, -16);
        graph.close();
    }

    @Test
    void anUpdateWithoutARateIsRepeatedByReplays() {
        Tensor mean = cuda(8, 8);
        Tensor x = cuda(0, 4);
        Update half = new Update.Axpby(0.5, 0.5);
        inScope(() -> Dispatcher.update(half, mean, x));
        StepGraph graph = backend.capture(() -> Dispatcher.update(half, mean, x));
        assertThat(mean.toFloats()).containsExactly(2, 5);
        graph.replay(RandomStream.of(0, 1), () -> { });
        assertThat(mean.toFloats()).containsExactly(1, 4.5f);
        graph.close();
    }

    @Test
    void aReplayWithOtherUpdatesIsRefused() {
        Tensor w = cuda(1, 2);
        Tensor g = cuda(1, 1);
        inScope(() -> update(w, g, 1));
        StepGraph graph = backend.capture(() -> update(w, g, 1));
        assertThatThrownBy(() -> graph.replay(RandomStream.of(0, 1), () -> { })).hasMessageContaining("capture it again");
        assertThatThrownBy(() -> graph.replay(RandomStream.of(0, 1), () -> {
            update(w, g, 1);
            update(w, g, 1);
        })).hasMessageContaining("more updates");
        assertThatThrownBy(() -> graph.replay(RandomStream.of(0, 1), () -> update(g, w, 1)))
                .hasMessageContaining("other tensors");
        assertThatThrownBy(() -> graph.replay(RandomStream.of(1, 1), () -> update(w, g, 1))).hasMessageContaining("seed");
        graph.close();
        assertThatThrownBy(() -> graph.replay(RandomStream.of(0, 1), () -> update(w, g, 1))).hasMessageContaining("closed");
    }

    @Test
    void aDeviceThatIsNotThereIsNamed() {
        assertThatThrownBy(() -> Backends.of(Device.cuda(7))).hasMessageContaining("cuda:7")
                .hasMessageContaining("1 CUDA device");
    }
}
