package dev.graft.kernels.ops;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.kernels.CudaDevice;
import dev.graft.kernels.driver.CudaException;
import dev.graft.kernels.emulator.EmulatedCuda;
import dev.graft.kernels.ops.ConvEngine.Candidate;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.backend.Backends;
import dev.graft.tensor.backend.StepGraph;
import dev.graft.tensor.op.ConvParams;
import dev.graft.tensor.op.FusedOp;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which candidate the tuner takes, what it keeps, and what it does when candidates fail. */
class ConvTunerTest {
    private static final ConvTuner.Addresses NOWHERE = new ConvTuner.Addresses(0, 0, 0, 0, 0);
    private static final ConvTuner.Limits WIDE = new ConvTuner.Limits(10_000, Long.MAX_VALUE / 1_000_000, 1 << 20);
    private static CudaDevice device;

    @TempDir
    Path folder;
    private final Fake slow = new Fake("slow", 25, 0);
    private final Fake fast = new Fake("fast", 0, 0);
    private final Fake broken = new Fake("broken", 0, 0) {
        @Override
        void run() {
            throw new CudaException("cudnnConvolutionForward: CUDNN_STATUS_NOT_SUPPORTED (3000)", 3000);
        }
    };

    /** A candidate whose plan takes its time. */
    private static class Fake implements Candidate {
        private final String name;
        private final long millis;
        private final long bytes;
        int made;
        int runs;
        int planClosed;
        int candidateClosed;

        Fake(String name, long millis, long bytes) {
            this.name = name;
            this.millis = millis;
            this.bytes = bytes;
        }

        @Override
        public String name() {
            return name;
        }

        @Override
        public ConvPlan make() {
            made++;
            Fake owner = this;
            return new ConvPlan() {
                @Override
                public long workspace() {
                    return bytes;
                }

                @Override
                public void run(long x, long w, long y, long bias, long residual, long workspace) {
                    owner.run();
                }

                @Override
                public void close() {
                    planClosed++;
                }
            };
        }

        void run() {
            runs++;
            try {
                Thread.sleep(millis);
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        }

        @Override
        public void close() {
            candidateClosed++;
        }
    }

    @BeforeAll
    static void open() {
        device = OnDevice.open();
    }

    @BeforeEach
    void reset() {
        EmulatedCuda.reset();
    }

    private ConvTuner tuner(ConvTuner.Limits limits, Candidate... candidates) {
        return new ConvTuner(device, p -> List.of(candidates), new TuningFile(folder, "a chip"), limits);
    }

    private static ConvProblem problem(int n) {
        return new ConvProblem(ConvProblem.Direction.FORWARD, n, 8, 8, 4, 4, 3, 3, 8, 8, ConvParams.of(1, 1), DType.F32,
                false, FusedOp.Activation.NONE, false, false, false);
    }

    @Test
    void theFastestIsTimedOnceAndKept() {
        ConvTuner tuner = tuner(WIDE, slow, broken, fast);
        tuner.run(problem(1), NOWHERE);
        assertThat(tuner.choices()).singleElement().satisfies(c -> {
            assertThat(c.choice()).isEqualTo("fast");
            assertThat(c.from()).isEqualTo("timed");
            assertThat(c.problem()).isEqualTo(problem(1).key());
        });
        assertThat(slow.planClosed).isEqualTo(1);
        assertThat(broken.planClosed).isEqualTo(1);
        assertThat(fast.planClosed).isZero();
        assertThat(List.of(slow.candidateClosed, broken.candidateClosed, fast.candidateClosed)).containsOnly(1);
        int before = fast.runs;
        int slowBefore = slow.runs;
        tuner.run(problem(1), NOWHERE);
        assertThat(fast.runs - before).isEqualTo(1);
        assertThat(fast.made).isEqualTo(1);
        assertThat(slow.runs).isEqualTo(slowBefore);
    }

    @Test
    void whatAnEarlierRunHasTimedIsTaken() {
        tuner(WIDE, slow, fast).run(problem(1), NOWHERE);
        Fake again = new Fake("fast", 50, 0);
        Fake other = new Fake("slow", 0, 0);
        ConvTuner second = tuner(WIDE, other, again);
        second.run(problem(1), NOWHERE);
        assertThat(second.choices()).singleElement().extracting(ConvChoice::from, ConvChoice::choice)
                .containsExactly("file", "fast");
        assertThat(other.made).isZero();
        assertThat(again.runs).isEqualTo(1);
    }

    @Test
    void aChoiceThatIsNoLongerOfferedIsTimedAnew() {
        tuner(WIDE, slow, fast).run(problem(1), NOWHERE);
        ConvTuner second = tuner(WIDE, new Fake("slow", 10, 0), new Fake("new", 0, 0));
        second.run(problem(1), NOWHERE);
        assertThat(second.choices()).singleElement().extracting(ConvChoice::from, ConvChoice::choice)
                .containsExactly("timed", "new");
    }

    @Test
    void aDamagedFileIsIgnoredAndWrittenAnew() throws IOException {
        TuningFile file = new TuningFile(folder, "a chip");
        file.keep(problem(7).key(), new TuningFile.Entry("slow", 3));
        String sound = Files.readString(file.file());
        byte[] noise = new byte[100_000];
        new java.util.Random(1).nextBytes(noise);
        String cut = sound.substring(0, sound.length() - 3);
        List<byte[]> damaged = List.of(new byte[0], noise, cut.getBytes(StandardCharsets.UTF_8),
                sound.replace("slow 3.0", "fast 3.0").getBytes(StandardCharsets.UTF_8),
                "graft convolution choices 1".getBytes(StandardCharsets.UTF_8));
        for (byte[] d : damaged) {
            Files.write(file.file(), d);
            assertThat(new TuningFile(folder, "a chip").find(problem(7).key())).isNull();
            tuner(WIDE, slow, fast).run(problem(1), NOWHERE);
            assertThat(new TuningFile(folder, "a chip").find(problem(1).key()).choice()).isEqualTo("fast");
        }
        try (var left = Files.list(folder)) {
            assertThat(left.map(Path::getFileName).map(Path::toString)).containsExactly("conv-a_chip.txt");
        }
    }

    @Test
    void twoProcessesKeepEachOthersChoices() {
        TuningFile one = new TuningFile(folder, "a chip");
        TuningFile two = new TuningFile(folder, "a chip");
        assertThat(one.find("a")).isNull();
        assertThat(two.find("b")).isNull();
        one.keep("a", new TuningFile.Entry("x", 1));
        two.keep("b", new TuningFile.Entry("y", 2));
        assertThat(new TuningFile(folder, "a chip").find("a")).isEqualTo(new TuningFile.Entry("x", 1));
        assertThat(new TuningFile(folder, "a chip").find("b")).isEqualTo(new TuningFile.Entry("y", 2));
    }

    @Test
    void withoutTimeTheFirstThatWorksIsTaken() {
        ConvTuner tuner = tuner(new ConvTuner.Limits(10_000, 0, 1 << 20), broken, slow, fast);
        tuner.run(problem(1), NOWHERE);
        assertThat(tuner.choices()).singleElement().extracting(ConvChoice::from, ConvChoice::choice)
                .containsExactly("heuristics", "slow");
        assertThat(slow.runs).isEqualTo(1);
        assertThat(fast.made).isZero();
        assertThat(new TuningFile(folder, "a chip").find(problem(1).key())).isNull();
    }

    @Test
    void oneProblemsTimeEndsItsTrials() {
        ConvTuner tuner = tuner(new ConvTuner.Limits(0, Long.MAX_VALUE / 1_000_000, 1 << 20), broken, slow, fast);
        tuner.run(problem(1), NOWHERE);
        assertThat(tuner.choices()).singleElement().extracting(ConvChoice::choice).isEqualTo("slow");
        assertThat(fast.made).isZero();
    }

    @Test
    void whileAStepIsRecordedNothingIsTimed() {
        ConvTuner tuner = tuner(WIDE, slow, fast);
        int before = slow.runs;
        try (StepGraph g = Backends.of(Device.cuda()).capture(() -> tuner.run(problem(1), NOWHERE))) {
            assertThat(g).isNotNull();
        }
        assertThat(slow.runs - before).isEqualTo(1);
        assertThat(tuner.choices()).singleElement().extracting(ConvChoice::from).isEqualTo("heuristics");
    }

    @Test
    void whatNeedsTooMuchMemoryIsLeftOut() {
        Fake large = new Fake("large", 0, 2 << 20);
        ConvTuner tuner = tuner(WIDE, large, slow);
        tuner.run(problem(1), NOWHERE);
        assertThat(tuner.choices()).singleElement().extracting(ConvChoice::choice).isEqualTo("slow");
        assertThat(large.runs).isZero();
        ConvTuner only = tuner(WIDE, new Fake("large", 0, 2 << 20), broken);
        only.run(problem(2), NOWHERE);
        assertThat(only.choices()).singleElement().extracting(ConvChoice::choice).isEqualTo("large");
    }

    @Test
    void whatTheDeviceHasNoMemoryForIsLeftOut() {
        Fake huge = new Fake("huge", 0, 1L << 50);
        ConvTuner tuner = tuner(new ConvTuner.Limits(10_000, Long.MAX_VALUE / 1_000_000, Long.MAX_VALUE), huge, fast);
        tuner.run(problem(1), NOWHERE);
        assertThat(tuner.choices()).singleElement().extracting(ConvChoice::choice).isEqualTo("fast");
    }

    @Test
    void whenNothingWorksTheReasonsAreGiven() {
        ConvTuner tuner = tuner(WIDE, broken);
        assertThatThrownBy(() -> tuner.run(problem(1), NOWHERE)).isInstanceOf(GraftException.class)
                .hasMessageContaining(problem(1).key()).hasMessageContaining("broken: cudnnConvolutionForward");
    }

    @Test
    void plansThatWereNotUsedForLongAreClosed() {
        ConvTuner tuner = tuner(new ConvTuner.Limits(0, 0, 1 << 20), fast);
        for (int n = 1; n <= 1100; n++) {
            tuner.run(problem(n), NOWHERE);
            tuner.run(problem(1), NOWHERE);
        }
        assertThat(fast.planClosed).isEqualTo(1100 - 1024);
        assertThat(tuner.choices()).hasSize(1024).anyMatch(c -> c.problem().equals(problem(1).key()));
    }

    /** The engines' own lists: what is less exact than asked for, or differs from run to run, is not offered. */
    @Test
    void inexactAndNondeterministicAlgorithmsAreNotOffered() {
        List<ConvEngine> engines = List.of(new GraphConv(device.cudnn()), new LegacyConv(device, device.cudnn()));
        List<List<String>> names = new ArrayList<>();
        for (boolean tf32 : new boolean[] {true, false}) {
            for (boolean deterministic : new boolean[] {false, true}) {
                ConvProblem p = new ConvProblem(ConvProblem.Direction.BACKWARD_WEIGHT, 2, 8, 8, 8, 8, 3, 3, 8, 8,
                        ConvParams.of(1, 1), DType.F32, false, FusedOp.Activation.NONE, false, tf32, deterministic);
                List<String> all = new ArrayList<>();
                for (ConvEngine e : engines) {
                    for (Candidate c : e.candidates(p)) {
                        all.add(c.name());
                        c.close();
                    }
                }
                names.add(all);
            }
        }
        // the stand-in's engine 0 needs tensor cores, so does its engine 2, which also adds in any order; as 0 and 3 do here
        assertThat(names.get(0)).contains("graph:0:engine0", "graph:1:engine2", "legacy:0", "legacy:1", "legacy:3");
        assertThat(names.get(1)).anyMatch(n -> n.endsWith("engine0")).noneMatch(n -> n.endsWith("engine2"))
                .contains("legacy:1").doesNotContain("legacy:0", "legacy:3");
        assertThat(names.get(2)).noneMatch(n -> n.endsWith("engine0") || n.endsWith("engine2")).contains("legacy:0");
        assertThat(names.get(3)).noneMatch(n -> n.endsWith("engine0") || n.endsWith("engine2")).contains("legacy:1")
                .doesNotContain("legacy:0", "legacy:3");
    }
}
