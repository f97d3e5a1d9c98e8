package dev.graft.benchmarks.gpu;

import dev.graft.nn.Precision;
import dev.graft.nn.optim.Sgd;
import dev.graft.pretrained.vision.ResNet;
import dev.graft.tensor.Device;
import dev.graft.tensor.Memory;
import dev.graft.tensor.MemoryReport;
import dev.graft.tensor.Tensor;

/** Many steps and many networks leave no memory behind. */
final class LeakCheck {
    private final CheckLog log;

    LeakCheck(CheckLog log) {
        this.log = log;
    }

    void run() {
        Device cuda = Device.cuda();
        log.step("300 steps take no more memory than five", () -> {
            TrainingRun r = steps(300);
            CheckLog.expect(r.lateBytes() <= r.earlyBytes(), r.lateBytes() + " live bytes after the last step, "
                    + r.earlyBytes() + " after the fifth");
            return r.lateBytes() / 1024 + " KiB live, peak " + r.peak() / 1024 + " KiB";
        });
        log.step("a closed network leaves nothing", () -> {
            steps(6);
            MemoryReport before = Memory.report(cuda);
            for (int i = 0; i < 5; i++) {
                steps(6);
            }
            MemoryReport after = Memory.report(cuda);
            CheckLog.expect(after.live() <= before.live(), "live bytes grew from " + before.live() + " to " + after.live());
            CheckLog.expect(after.fresh() - before.fresh() < 20, "the driver was asked " + (after.fresh() - before.fresh())
                    + " times for memory");
            return after.toString();
        });
    }

    private static TrainingRun steps(int n) {
        Tensor x = Tensor.randn(8, 64, 64, 3);
        return TrainingRun.of(new ResNet(false, 10, 2, 2, 2, 2).initialize(1), new Sgd(0.001, 0.9), x,
                TrainingCheck.classes(8, 10), n, Precision.BF16, Device.cuda());
    }
}
