package dev.graft.benchmarks.gpu;

import dev.graft.nn.Module;
import dev.graft.nn.Precision;
import dev.graft.nn.optim.AdamW;
import dev.graft.nn.optim.Sgd;
import dev.graft.nn.optim.UpdateRule;
import dev.graft.pretrained.vision.ResNet;
import dev.graft.tensor.Context;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import java.util.Locale;
import java.util.function.Supplier;

/** The same steps on the CPU and on the device: losses stay together, and half precision learns as well. */
final class TrainingCheck {
    private static final int STEPS = 50;

    private final CheckLog log;

    TrainingCheck(CheckLog log) {
        this.log = log;
    }

    void run() {
        log.step("ResNet-18, " + STEPS + " steps", () -> compare(() -> new ResNet(false, 10, 2, 2, 2, 2),
                images(), classes(8, 10), new Sgd(0.01, 0.9)));
        log.step("transformer, " + STEPS + " steps", () -> compare(() -> new BertShape(4, 2, 64, 4, 128, 1000, 64, 0.1),
                tokens(8, 24, 1000), classes(8, 4), new AdamW(1e-3)));
    }

    private static Tensor images() {
        return Context.training(3, 0).call(() -> Tensor.randn(8, 64, 64, 3));
    }

    static Tensor tokens(int batch, int length, int vocabulary) {
        return Context.training(4, 0).call(() -> Tensor.uniform(0, vocabulary, batch, length).cast(DType.I32));
    }

    static Tensor classes(int batch, int classes) {
        int[] c = new int[batch];
        for (int i = 0; i < batch; i++) {
            c[i] = i % classes;
        }
        return Tensor.of(c, batch);
    }

    private static String compare(Supplier<Module> make, Tensor x, Tensor y, UpdateRule rule) {
        try (Scope s = Scope.open("check")) {
            double[] cpu = losses(make, rule, x, y, Precision.FLOAT32, Device.CPU);
            double[] gpu = losses(make, rule, x, y, Precision.FLOAT32, Device.cuda());
            double[] half = losses(make, rule, x, y, Precision.BF16, Device.cuda());
            CheckLog.expect(Math.abs(cpu[0] - gpu[0]) < 1e-3, "the first loss is " + gpu[0] + " instead of " + cpu[0]);
            double worst = 0;
            for (int i = 0; i < 10; i++) {      // rounding grows with every step: the first ones must agree closely
                worst = Math.max(worst, Math.abs(cpu[i] - gpu[i]) / Math.max(0.1, cpu[i]));
            }
            CheckLog.expect(worst < 0.02, "losses of the first ten steps differ by " + worst);
            double end = mean(cpu);
            CheckLog.expect(mean(gpu) < 1.3 * end + 0.05, "the loss ends at " + mean(gpu) + " instead of " + end);
            CheckLog.expect(mean(half) < 1.5 * end + 0.1, "the loss in bf16 ends at " + mean(half) + " instead of " + end);
            return String.format(Locale.ROOT, "loss %.3f to %.4f (CPU), %.4f (device), %.4f (bf16);"
                    + " first ten differ by %.1e", cpu[0], end, mean(gpu), mean(half), worst);
        }
    }

    private static double[] losses(Supplier<Module> make, UpdateRule rule, Tensor x, Tensor y, Precision p, Device d) {
        return TrainingRun.of(make.get().initialize(1), rule, x, y, STEPS, p, d).losses();
    }

    /** Of the last five. */
    private static double mean(double[] losses) {
        double sum = 0;
        for (int i = losses.length - 5; i < losses.length; i++) {
            sum += losses[i] / 5;
        }
        return sum;
    }
}
