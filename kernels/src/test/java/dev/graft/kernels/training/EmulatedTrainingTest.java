package dev.graft.kernels.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.graft.kernels.CudaBackend;
import dev.graft.kernels.emulator.EmulatedCuda;
import dev.graft.nn.Activation;
import dev.graft.nn.AdaptiveAvgPool2d;
import dev.graft.nn.BatchNorm2d;
import dev.graft.nn.Conv2d;
import dev.graft.nn.ConvSpec;
import dev.graft.nn.Dropout;
import dev.graft.nn.Embedding;
import dev.graft.nn.Flatten;
import dev.graft.nn.LayerNorm;
import dev.graft.nn.Linear;
import dev.graft.nn.MaxPool2d;
import dev.graft.nn.Module;
import dev.graft.nn.Precision;
import dev.graft.nn.Sequential;
import dev.graft.nn.loss.CrossEntropy;
import dev.graft.nn.optim.AdamW;
import dev.graft.nn.optim.GradientClip;
import dev.graft.nn.optim.Optimizer;
import dev.graft.nn.optim.Schedule;
import dev.graft.nn.optim.Sgd;
import dev.graft.nn.optim.UpdateRule;
import dev.graft.nn.train.Batches;
import dev.graft.nn.train.TrainEvent;
import dev.graft.nn.train.TrainOptions;
import dev.graft.nn.train.Trainer;
import dev.graft.tensor.Context;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.Memory;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.backend.Backends;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Small networks learn on the emulated device as they do on the CPU: op by op, recorded, in half precision. */
class EmulatedTrainingTest {
    private static final int STEPS = 8;
    private Scope scope;

    @BeforeAll
    static void device() {
        assumeTrue(EmulatedCuda.start(), EmulatedCuda::reason);
        Backends.of(Device.cuda());
    }

    @BeforeEach
    void open() {
        scope = Scope.open("test");
    }

    @AfterEach
    void close() {
        scope.close();
    }

    private static Module convolutional() {
        return new Sequential(new Conv2d(3, 8, 3, ConvSpec.DEFAULT.padding(1)), new BatchNorm2d(8), Activation.relu(),
                new MaxPool2d(2), new Conv2d(8, 16, 3, ConvSpec.DEFAULT.padding(1).stride(2)), new BatchNorm2d(16),
                Activation.relu(), new AdaptiveAvgPool2d(1, 1), new Flatten(), new Dropout(0.2), new Linear(16, 4));
    }

    /** Tokens, one layer of attention and a perceptron with norms, the mean over tokens. */
    private static final class Transformer extends Module {
        private final Embedding tokens = child("tokens", new Embedding(20, 16));
        private final LayerNorm norm1 = child("norm1", new LayerNorm(16));
        private final Linear query = child("query", new Linear(16, 16));
        private final Linear key = child("key", new Linear(16, 16));
        private final Linear value = child("value", new Linear(16, 16));
        private final Linear out = child("out", new Linear(16, 16));
        private final LayerNorm norm2 = child("norm2", new LayerNorm(16));
        private final Linear up = child("up", new Linear(16, 32));
        private final Linear down = child("down", new Linear(32, 16));
        private final Linear head = child("head", new Linear(16, 4));

        @Override
        protected Tensor forward(Tensor x) {
            Tensor e = tokens.call(x);
            Tensor n = norm1.call(e);
            Tensor a = split(query.call(n)).attention(split(key.call(n)), split(value.call(n)), null, true)
                    .reshape(e.shape());
            Tensor y = e.add(out.call(a));
            Tensor z = y.add(down.call(up.call(norm2.call(y)).gelu()));
            return head.call(z.mean(1));
        }

        private static Tensor split(Tensor x) {
            return x.reshape(x.dim(0), x.dim(1), 2, 8);
        }
    }

    private record Run(List<Double> losses, Map<String, float[]> weights) {}

    private static Run train(Supplier<Module> make, UpdateRule rule, Tensor x, Tensor y, Device device,
            TrainOptions options) {
        try (Module m = make.get().initialize(3).to(device); Optimizer optimizer = rule.optimizer(m)) {
            List<Double> losses = new ArrayList<>();
            new Trainer(m, optimizer, new CrossEntropy().labelSmoothing(0.1), options.withProgress(false)).on(e -> {
                if (e instanceof TrainEvent.Step s) {
                    losses.add(s.loss());
                }
            }).fit(Batches.shuffled(x, y, 8, 5), null);
            Map<String, float[]> weights = new java.util.TreeMap<>();
            m.parameters().forEach((path, p) -> weights.put(path, p.value().toFloats()));
            m.buffers().forEach((path, b) -> weights.put(path, b.value().toFloats()));
            return new Run(losses, weights);
        }
    }

    private static void same(Run a, Run b, double losses, float weights) {
        assertThat(b.losses).hasSameSizeAs(a.losses);
        for (int i = 0; i < a.losses.size(); i++) {
            assertThat(b.losses.get(i)).as("loss of step " + i).isCloseTo(a.losses.get(i), within(losses));
        }
        a.weights.forEach((path, w) -> assertThat(b.weights.get(path)).as(path).containsExactly(w, within(weights)));
    }

    private static Tensor images() {
        return Context.training(1, 0).call(() -> Tensor.randn(16, 12, 12, 3));
    }

    private static Tensor sentences() {
        return Context.training(1, 0).call(() -> Tensor.uniform(0, 20, 16, 9).cast(DType.I32));
    }

    private static Tensor classes() {
        return Tensor.of(new int[] {0, 1, 2, 3, 1, 2, 0, 3, 2, 2, 1, 0, 3, 3, 0, 1}, 16);
    }

    private static TrainOptions options() {
        return new TrainOptions(STEPS / 2, 7).withSchedule(new Schedule.Cosine(0.1)).withClip(new GradientClip.ByNorm(1));
    }

    @Test
    void aConvolutionalNetworkLearnsAsOnTheCpu() {
        UpdateRule rule = new Sgd(0.05, 0.9).withWeightDecay(0.01);
        Run cpu = train(EmulatedTrainingTest::convolutional, rule, images(), classes(), Device.CPU, options());
        long graphs = EmulatedCuda.count("graphs");
        Run cuda = train(EmulatedTrainingTest::convolutional, rule, images(), classes(), Device.cuda(), options());
        assertThat(EmulatedCuda.count("graphs") - graphs).as("steps that were replayed").isGreaterThanOrEqualTo(STEPS - 2);
        same(cpu, cuda, 1e-4, 1e-4f);
        Run eager = train(EmulatedTrainingTest::convolutional, rule, images(), classes(), Device.cuda(),
                options().withGraphs(false));
        same(cuda, eager, 1e-6, 1e-6f);
    }

    @Test
    void aTransformerLearnsAsOnTheCpu() {
        UpdateRule rule = new AdamW(3e-3);
        Run cpu = train(Transformer::new, rule, sentences(), classes(), Device.CPU, options());
        Run cuda = train(Transformer::new, rule, sentences(), classes(), Device.cuda(), options());
        same(cpu, cuda, 1e-4, 1e-3f);
        assertThat(cuda.losses.getLast()).isLessThan(cuda.losses.getFirst());
    }

    @Test
    void halfPrecisionLearnsAboutAsWell() {
        UpdateRule rule = new Sgd(0.05, 0.9);
        Run exact = train(EmulatedTrainingTest::convolutional, rule, images(), classes(), Device.cuda(), options());
        for (Precision p : List.of(Precision.BF16, Precision.FP16)) {
            Run half = train(EmulatedTrainingTest::convolutional, rule, images(), classes(), Device.cuda(),
                    options().withPrecision(p));
            same(exact, half, 0.05, 0.2f);
        }
        Run transformer = train(Transformer::new, new AdamW(3e-3), sentences(), classes(), Device.cuda(),
                options().withPrecision(Precision.BF16));
        assertThat(transformer.losses.getLast()).isLessThan(transformer.losses.getFirst());
    }

    @Test
    void nothingRunsOnTheHostAndNothingStays() {
        CudaBackend backend = (CudaBackend) Backends.of(Device.cuda());
        Map<String, Integer> before = backend.fallbacks();
        train(EmulatedTrainingTest::convolutional, new Sgd(0.05, 0.9), images(), classes(), Device.cuda(), options());
        long live = Memory.report(Device.cuda()).live();
        train(EmulatedTrainingTest::convolutional, new Sgd(0.05, 0.9), images(), classes(), Device.cuda(), options());
        train(Transformer::new, new AdamW(3e-3), sentences(), classes(), Device.cuda(), options());
        assertThat(backend.fallbacks()).isEqualTo(before);
        assertThat(Memory.report(Device.cuda()).live()).isLessThanOrEqualTo(live);
    }
}
