package dev.graft.kernels.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.graft.kernels.CudaBackend;
import dev.graft.kernels.emulator.EmulatedCuda;
import dev.graft.nn.data.DataSplit;
import dev.graft.nn.data.Dataset;
import dev.graft.nn.data.ImageFolder;
import dev.graft.nn.data.image.Interpolation;
import dev.graft.nn.data.image.Transforms;
import dev.graft.nn.transfer.FineTunePlan;
import dev.graft.nn.transfer.FineTuneResult;
import dev.graft.nn.transfer.FineTuning;
import dev.graft.nn.transfer.Strategy;
import dev.graft.pretrained.ModelZoo;
import dev.graft.pretrained.PretrainedModel;
import dev.graft.tensor.Device;
import dev.graft.tensor.Memory;
import dev.graft.tensor.backend.Backends;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** MobileNetV2 on a few real images: the emulated device ends where the CPU ends, within one image. */
class EmulatedFineTuningTest {
    private static final int SIZE = 64;
    private static Path data;

    @BeforeAll
    static void device() {
        data = Path.of(System.getProperty("graft.test.data", "none"));
        assumeTrue(Files.isDirectory(data.resolve("image-hymenoptera")), "the images are not in " + data);
        assumeTrue(EmulatedCuda.start(), EmulatedCuda::reason);
        Backends.of(Device.cuda());
    }

    /** Images spread over the whole set. */
    private static Dataset few(Dataset all, int count) {
        return all.subset(IntStream.range(0, count).map(i -> (int) ((long) i * all.size() / count)).toArray());
    }

    private static FineTuneResult run(Strategy strategy, int epochs, Device device) {
        try (ImageFolder images = ImageFolder.open(data.resolve("image-hymenoptera"));
                PretrainedModel model = ModelZoo.find("mobilenet_v2").load(data.resolve(
                        "imagenet-mobilenet_v2/mobilenet_v2_1.0_224.safetensors")).forClasses(images.classes())) {
            model.to(device);
            DataSplit all = images.split();
            DataSplit few = new DataSplit(few(all.train(), 24), few(all.validation(), 16));
            Transforms small = Transforms.evalDefault(SIZE, SIZE, model.preprocessing().evaluation().normalize(),
                    Interpolation.BILINEAR);
            FineTunePlan plan = FineTunePlan.of(strategy, model.network(), epochs).withBatch(8).withAugmentation(false);
            return new FineTuning(model.network(), plan, few, small, small).cache(null).run();
        }
    }

    private static void same(Strategy strategy, int epochs) {
        CudaBackend backend = (CudaBackend) Backends.of(Device.cuda());
        Map<String, Integer> before = backend.fallbacks();
        FineTuneResult cpu = run(strategy, epochs, Device.CPU);
        FineTuneResult cuda = run(strategy, epochs, Device.cuda());
        assertThat(16 * Math.abs(cpu.accuracy() - cuda.accuracy())).isLessThanOrEqualTo(1.001);
        assertThat(cuda.predictions()).hasSize(16);
        assertThat(backend.fallbacks()).isEqualTo(before);
        assertThat(Memory.report(Device.cuda()).live()).as(() -> Memory.report(Device.cuda()).toString())
                .isLessThan(33 << 20);      // cuBLAS keeps its workspace of 32 MiB
    }

    @Test
    void features() {
        same(Strategy.FEATURES, 4);
    }

    @Test
    void finetune() {
        same(Strategy.FINETUNE, 2);
    }
}
