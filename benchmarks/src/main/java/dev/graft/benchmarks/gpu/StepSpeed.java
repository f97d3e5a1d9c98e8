package dev.graft.benchmarks.gpu;

import dev.graft.kernels.CudaBackend;
import dev.graft.nn.Module;
import dev.graft.nn.ParamSelector;
import dev.graft.nn.Precision;
import dev.graft.nn.optim.AdamW;
import dev.graft.nn.optim.Sgd;
import dev.graft.nn.optim.UpdateRule;
import dev.graft.pretrained.vision.ResNet;
import dev.graft.tensor.Device;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import java.util.Locale;
import java.util.function.Supplier;

/** Whole training steps, by the trainer that users have, the loss read back in each. */
final class StepSpeed {
    private static final int WARM = 12;

    private final CheckLog log;
    private final CudaBackend backend;
    private final double budget;

    StepSpeed(CheckLog log, CudaBackend backend, double budget) {
        this.log = log;
        this.backend = backend;
        this.budget = budget;
    }

    void run() {
        Sgd sgd = new Sgd(1e-3, 0.9);
        measure("resnet50 train 128", () -> new ResNet(true, 10, 3, 4, 6, 3), sgd, images(128), 128, 10, 40);
        measure("resnet18 train 16", () -> new ResNet(false, 10, 2, 2, 2, 2), sgd, images(16), 16, 10, 200);
        measure("resnet50 head 128", () -> {
            ResNet net = new ResNet(true, 10, 3, 4, 6, 3);
            net.freeze(ParamSelector.of("*", "!fc.*"));
            return net;
        }, sgd, images(128), 128, 10, 60);
        measure("bert train 32x128", () -> new BertShape(2, 12, 768, 12, 3072, 30522, 512, 0.1),
                new AdamW(2e-5).withWeightDecay(0.01), () -> TrainingCheck.tokens(32, 128, 30522), 32, 2, 60);
    }

    private static Supplier<Tensor> images(int batch) {
        return () -> Tensor.randn(batch, 224, 224, 3);
    }

    private void measure(String name, Supplier<Module> make, UpdateRule rule, Supplier<Tensor> input, int batch, int classes,
            int steps) {
        log.step(name, () -> {
            backend.trim();
            try (Scope s = Scope.open(name)) {
                int n = WARM + (int) Math.max(5, steps * Math.min(1, budget));
                TrainingRun r = TrainingRun.of(make.get().initialize(1), rule, input.get(),
                        TrainingCheck.classes(batch, classes), n, Precision.BF16, Device.cuda());
                log.result(name, r.seconds(WARM)).put("peak_bytes", r.peak()).put("batch", batch);
                return String.format(Locale.ROOT, "%.2f ms, %.0f a second, peak %.2f GiB", r.seconds(WARM) * 1e3,
                        batch / r.seconds(WARM), r.peak() / 1073741824.0);
            }
        });
    }
}
