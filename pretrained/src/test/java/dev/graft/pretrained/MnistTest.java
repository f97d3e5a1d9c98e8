package dev.graft.pretrained;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.graft.nn.Activation;
import dev.graft.nn.BatchNorm2d;
import dev.graft.nn.Conv2d;
import dev.graft.nn.ConvSpec;
import dev.graft.nn.Linear;
import dev.graft.nn.Module;
import dev.graft.tensor.Context;
import dev.graft.tensor.DType;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.Test;

/** A PyTorch network rebuilt from layers: its flatten sees [C, H, W], ours [H, W, C]. */
class MnistTest {
    private static final int IMAGES = 10_000;
    private static final int BATCH = 500;

    private static final class Net extends Module {
        private final Conv2d conv1 = child("conv1", new Conv2d(1, 8, 3, ConvSpec.DEFAULT));
        private final Conv2d conv2 = child("conv2", new Conv2d(8, 16, 3, ConvSpec.DEFAULT));
        private final Conv2d conv3 = child("conv3", new Conv2d(16, 24, 3, ConvSpec.DEFAULT));
        private final BatchNorm2d norm1 = child("norm1", new BatchNorm2d(24));
        private final Linear fc1 = child("fc1", new Linear(11_616, 32));
        private final Linear fc2 = child("fc2", new Linear(32, 10));
        private final BatchNorm2d norm2 = child("norm2", new BatchNorm2d(10));
        private final Activation relu = Activation.relu();

        @Override
        protected Tensor forward(Tensor x) {
            Tensor y = relu.call(conv3.call(relu.call(conv2.call(relu.call(conv1.call(x))))));
            Tensor flat = norm1.call(y).permute(0, 3, 1, 2).flatten(1);
            return norm2.call(fc2.call(relu.call(fc1.call(flat)))).logSoftmax();
        }
    }

    private static byte[] gunzip(String name, int header) throws IOException {
        try (GZIPInputStream in = new GZIPInputStream(new ByteArrayInputStream(RealData.bytes(RealData.of(name))))) {
            in.skipNBytes(header);
            return in.readAllBytes();
        }
    }

    private static int right(Path weights) throws IOException {
        byte[] pixels = gunzip("mnist/t10k-images-idx3-ubyte.gz", 16);
        byte[] labels = gunzip("mnist/t10k-labels-idx1-ubyte.gz", 8);
        int right = 0;
        try (Net net = new Net()) {
            assertThat(WeightLoader.load(net, weights, LoadOptions.STRICT).unused()).isEmpty();
            for (int from = 0; from < IMAGES; from += BATCH) {
                float[] x = new float[BATCH * 784];
                for (int i = 0; i < x.length; i++) {
                    x[i] = ((pixels[from * 784 + i] & 0xFF) / 255f - 0.1307f) / 0.3081f;
                }
                int[] found = Context.inference().call(() -> {
                    try (Scope s = Scope.open()) {
                        return net.call(Tensor.of(x, BATCH, 28, 28, 1)).argmax(-1).cast(DType.I32).toInts();
                    }
                });
                for (int i = 0; i < BATCH; i++) {
                    right += found[i] == labels[from + i] ? 1 : 0;
                }
            }
        }
        return right;
    }

    @Test
    void zipFileGivesTheReferenceAccuracy() throws IOException {
        assertThat(right(RealData.of("mnist/mnist.pt"))).isCloseTo(9915, within(2));
    }

    @Test
    void safetensorsOfAnotherRunAreAsGood() throws IOException {
        assertThat(right(RealData.of("mnist/mnist.safetensors"))).isBetween(9850, 10_000);
    }
}
