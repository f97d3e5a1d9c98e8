package dev.graft.benchmarks.peers.djl;

import ai.djl.modality.cv.Image;
import ai.djl.modality.cv.ImageFactory;
import ai.djl.modality.cv.util.NDImageUtils;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.graft.benchmarks.peers.ConvNet;
import java.io.IOException;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.Locale;

/**
 * What {@code graft predict} does, in DJL: reads the weights of a ResNet-18 with 1000 classes and a photo, resizes its
 * shorter side to 256, crops 224, normalises, and prints the five most probable classes. Arguments: the file of weights
 * (see {@link ConvNet#values}, float32, little endian) and the photo.
 */
public final class DjlPredict {
    private static final float[] MEAN = {0.485f, 0.456f, 0.406f};
    private static final float[] DEVIATION = {0.229f, 0.224f, 0.225f};

    private DjlPredict() {}

    public static void main(String[] args) throws IOException {
        FloatBuffer weights;
        try (FileChannel c = FileChannel.open(Path.of(args[0]))) {
            weights = c.map(FileChannel.MapMode.READ_ONLY, 0, c.size()).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
        }
        DjlNetwork net = new DjlNetwork(ConvNet.resnet18(), 1000, weights);
        Image photo = ImageFactory.getInstance().fromFile(Path.of(args[1]));
        try (NDManager m = DjlEngine.MANAGER.newSubManager()) {
            double scale = 256.0 / Math.min(photo.getWidth(), photo.getHeight());
            NDArray x = NDImageUtils.resize(photo.toNDArray(m), (int) (photo.getWidth() * scale),
                    (int) (photo.getHeight() * scale), Image.Interpolation.BILINEAR);
            x = NDImageUtils.normalize(NDImageUtils.toTensor(NDImageUtils.centerCrop(x, 224, 224)), MEAN, DEVIATION);
            NDArray p = net.head(net.features(x.expandDims(0))).softmax(1).squeeze(0);
            long[] order = p.argSort(0, false).toLongArray();
            float[] probabilities = p.toFloatArray();
            for (int i = 0; i < 5; i++) {
                System.out.printf(Locale.ROOT, "%d %.6f%n", order[i], probabilities[(int) order[i]]);
            }
        }
    }
}
