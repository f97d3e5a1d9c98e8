package dev.graft.pretrained;

import dev.graft.nn.Inference;
import dev.graft.nn.Precision;
import dev.graft.nn.data.image.ImageDecoder;
import dev.graft.nn.data.image.RgbImage;
import dev.graft.nn.data.image.Transforms;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Scope;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Says what is on an image. Nothing in it changes when it predicts, so threads may share it.
 *
 * <pre>{@code
 * try (Classifier classifier = Classifier.open(Path.of("runs/bees"))) {
 *     classifier.predict(Path.of("photo.jpg"), 3).forEach(System.out::println);
 * }
 * }</pre>
 */
public final class Classifier implements AutoCloseable {
    /** Images that go through the network at once: enough to keep the cores busy, little memory. */
    private static final int BATCH = 16;

    /** Of the images that {@link #warmUp} shows the network. */
    private static final int PHOTO_HEIGHT = 375;
    private static final int PHOTO_WIDTH = 500;

    private final PretrainedModel model;
    private final Transforms transforms;
    private final Inference inference;

    private Classifier(PretrainedModel model, Precision precision) {
        this.model = model;
        this.transforms = model.preprocessing().evaluation();
        this.inference = new Inference(model.network(), model.network()::call, precision);
    }

    /** Predicts with {@code model} on its network's device, in float32; {@link #close} closes it. */
    public static Classifier of(PretrainedModel model) {
        return of(model, Precision.FLOAT32);
    }

    /** As {@link #of(PretrainedModel)} in another precision. */
    public static Classifier of(PretrainedModel model, Precision precision) {
        return new Classifier(model, precision);
    }

    /** Reads a file that Graft wrote, or {@code model.safetensors} in a folder: what a fine-tuning run leaves. */
    public static Classifier open(Path runOrFile) {
        return of(ModelZoo.open(runOrFile));
    }

    /** Reads weights of {@code model}, its head included. */
    public static Classifier open(ZooModel model, Path weights) {
        return of(model.load(weights, LoadOptions.STRICT));
    }

    public PretrainedModel model() {
        return model;
    }

    /** The {@code k} most probable classes of an image file, the best first. */
    public List<Prediction> predict(Path image, int k) {
        return predict(ImageDecoder.DEFAULT.decode(image), k);
    }

    /** The {@code k} most probable classes, the best first; all classes if there are fewer. */
    public List<Prediction> predict(RgbImage image, int k) {
        return predict(List.of(image), k).getFirst();
    }

    /** The {@code k} most probable classes of each image, in the order of {@code images}. */
    public List<List<Prediction>> predict(List<RgbImage> images, int k) {
        if (k < 1) {
            throw new GraftException("predict: the best " + k + " classes were asked for, at least 1 is needed");
        }
        List<List<Prediction>> all = new ArrayList<>(images.size());
        for (float[] row : logits(images)) {
            all.add(best(softmax(row), k));
        }
        return Collections.unmodifiableList(all);
    }

    /** The network's outputs before softmax, one array of {@code classes} values per image. */
    public List<float[]> logits(List<RgbImage> images) {
        List<float[]> rows = new ArrayList<>(images.size());
        for (int from = 0; from < images.size(); from += BATCH) {
            RgbImage[] part = images.subList(from, Math.min(from + BATCH, images.size())).toArray(RgbImage[]::new);
            float[] out = run(part);
            int classes = out.length / part.length;
            for (int i = 0; i < part.length; i++) {
                rows.add(Arrays.copyOfRange(out, i * classes, (i + 1) * classes));
            }
        }
        return rows;
    }

    /**
     * Makes the first answer as fast as later ones, for programs that wait for requests: batch norms are folded, weights are
     * packed and transformed, and the JVM compiles what it needs, on grey images until passes get no faster, for half a
     * minute at most. Without it the first passes of a process take many times as long as the later ones.
     *
     * @param images as many at once as requests will have; other numbers may take other kernels
     */
    public WarmUp warmUp(int images) {
        if (images < 1) {
            throw new GraftException("warm-up: " + images + " images at once were asked for, at least 1 is needed");
        }
        byte[] grey = new byte[3 * PHOTO_HEIGHT * PHOTO_WIDTH];
        Arrays.fill(grey, (byte) 128);
        List<RgbImage> batch = Collections.nCopies(images, new RgbImage(PHOTO_HEIGHT, PHOTO_WIDTH, grey));
        return WarmUp.until(System::nanoTime, () -> predict(batch, 1));
    }

    private float[] run(RgbImage[] images) {
        try (Scope scope = Scope.open("predict")) {
            return inference.apply(transforms.toTensor(images)).toFloats();
        }
    }

    private static double[] softmax(float[] row) {
        double max = Double.NEGATIVE_INFINITY;
        for (float v : row) {
            max = Math.max(max, v);
        }
        double[] p = new double[row.length];
        double sum = 0;
        for (int i = 0; i < p.length; i++) {
            p[i] = Math.exp(row[i] - max);
            sum += p[i];
        }
        for (int i = 0; i < p.length; i++) {
            p[i] /= sum;
        }
        return p;
    }

    private List<Prediction> best(double[] p, int k) {
        return IntStream.range(0, p.length).boxed().sorted((a, b) -> Double.compare(p[b], p[a])).limit(k)
                .map(i -> new Prediction(i, model.classes().get(i), p[i])).toList();
    }

    /** Frees the network. */
    @Override
    public void close() {
        inference.close();
        model.close();
    }
}
