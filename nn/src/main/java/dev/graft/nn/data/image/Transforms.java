package dev.graft.nn.data.image;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.graft.tensor.DType;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/**
 * A pipeline from a decoded image to the floats of one sample: steps on 8-bit images, then {@link Normalize}. It is a value:
 * printable, comparable, JSON through Jackson, and {@link #fingerprint()} names it in cache keys. Safe to share by threads.
 */
public final class Transforms {
    /** Part of every fingerprint; raised when decoding or a transform changes its bits. */
    private static final String VERSION = "image-1";

    /** Made when it is first used: it costs more than resizing an image, and predictions do without. */
    private static final class Json {
        static final JsonMapper MAPPER = JsonMapper.builder()
                .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES).build();
    }

    private final List<Transform> steps;
    private final Normalize normalize;
    private final float[][] tables;
    private final int firstRandom;

    @JsonCreator
    public Transforms(@JsonProperty("steps") List<Transform> steps, @JsonProperty("normalize") Normalize normalize) {
        if (steps == null || normalize == null) {
            throw new GraftException("Transforms needs a list of steps (it may be empty) and a Normalize.");
        }
        this.steps = List.copyOf(steps);
        this.normalize = normalize;
        tables = normalize.tables();
        int fixed = 0;
        while (fixed < this.steps.size() && !this.steps.get(fixed).random()) {
            fixed++;
        }
        firstRandom = fixed;
    }

    public static Transforms of(Normalize normalize, Transform... steps) {
        return new Transforms(List.of(steps), normalize);
    }

    /** The usual training pipeline of torchvision: RandomResizedCrop(size), horizontal flip. */
    public static Transforms trainDefault(int size, Normalize normalize) {
        return of(normalize, new RandomResizedCrop(size), new RandomHorizontalFlip(0.5));
    }

    /** The same with torchvision's ImageNet normalisation. */
    public static Transforms trainDefault(int size) {
        return trainDefault(size, Normalize.IMAGENET);
    }

    /** For small images of one size, such as CIFAR's 32 x 32: random crop after padding, horizontal flip. */
    public static Transforms trainSmall(int size, int padding, Normalize normalize) {
        return of(normalize, new RandomCrop(size, padding), new RandomHorizontalFlip(0.5));
    }

    /** The usual evaluation pipeline: shorter side to {@code resize}, the middle {@code crop} x {@code crop}. */
    public static Transforms evalDefault(int resize, int crop, float[] mean, float[] std, Interpolation interpolation) {
        return evalDefault(resize, crop, Normalize.of(mean, std), interpolation);
    }

    public static Transforms evalDefault(int resize, int crop, Normalize normalize, Interpolation interpolation) {
        return of(normalize, new Resize(resize, interpolation), new CenterCrop(crop));
    }

    /** 256, 224, ImageNet's normalisation, bilinear: what most torchvision weights were measured with. */
    public static Transforms evalDefault() {
        return evalDefault(256, 224, Normalize.IMAGENET, Interpolation.BILINEAR);
    }

    @JsonProperty
    public List<Transform> steps() {
        return steps;
    }

    @JsonProperty
    public Normalize normalize() {
        return normalize;
    }

    /** This pipeline with one more step before the normalisation. */
    public Transforms then(Transform step) {
        List<Transform> more = new ArrayList<>(steps);
        more.add(step);
        return new Transforms(more, normalize);
    }

    /** Whether a sample differs from epoch to epoch. Of a pipeline that is not random results may be kept. */
    public boolean random() {
        return steps.stream().anyMatch(Transform::random);
    }

    /** Channels of the result. */
    public int channels() {
        return normalize.channels().count();
    }

    /** The size [H, W] of every result, or null where it follows the image. */
    public int[] outputSize() {
        int[] size = null;
        for (Transform step : steps) {
            // Only Resize makes a size that differs from image to image; the others keep or set it.
            size = step.outputSize() != null ? step.outputSize() : step instanceof Resize ? null : size;
        }
        return size;
    }

    /** The steps before the first random one: the part whose result may be kept in memory. */
    public RgbImage prepare(RgbImage image) {
        for (int i = 0; i < firstRandom; i++) {
            if (i + 1 < firstRandom && steps.get(i) instanceof Resize resize
                    && steps.get(i + 1) instanceof CenterCrop crop) {
                image = resize.cropped(image, crop);
                i++;
            } else {
                image = steps.get(i).apply(image, null);
            }
        }
        return image;
    }

    /** The steps from the first random one on, given what {@link #prepare} returned. */
    public RgbImage augment(RgbImage prepared, SampleRandom random) {
        for (int i = firstRandom; i < steps.size(); i++) {
            prepared = steps.get(i).apply(prepared, random.fork(i));
        }
        return prepared;
    }

    /** Writes the image as [H, W, C] floats to {@code out} from {@code offset} on, without any other step. */
    public void normalize(RgbImage image, float[] out, int offset) {
        long size = (long) image.height() * image.width() * channels();
        if (offset < 0 || offset + size > out.length) {
            throw new GraftException("normalize: " + image + " needs " + size + " floats from " + offset
                    + " on, but the array holds " + out.length + ".");
        }
        normalize.apply(image, tables, out, offset);
    }

    /** All steps for one image: [H, W, C] floats. {@code random} may be null for a pipeline that is not random. */
    public float[] apply(RgbImage image, SampleRandom random) {
        RgbImage result = augment(prepare(image), random == null ? SampleRandom.of(0, 0, 0) : random);
        float[] out = new float[result.height() * result.width() * channels()];
        normalize(result, out, 0);
        return out;
    }

    /**
     * A new float32 tensor [N, H, W, C] in the open scope, for looking at single images. A random pipeline draws from seed
     * 0, so evaluation pipelines are what is meant here.
     */
    public Tensor toTensor(RgbImage... images) {
        float[] out = null;
        RgbImage first = null;
        for (int n = 0; n < images.length; n++) {
            RgbImage result = augment(prepare(images[n]), SampleRandom.of(0, 0, n));
            if (first == null) {
                first = result;
                out = new float[Math.multiplyExact(images.length, result.height() * result.width() * channels())];
            } else if (result.height() != first.height() || result.width() != first.width()) {
                throw new GraftException("toTensor: after the transforms image 0 is " + first + " but image " + n + " is "
                        + result + ": add ResizeExact or CenterCrop, which give all images one size.");
            }
            normalize.apply(result, tables, out, n * (out.length / images.length));
        }
        if (first == null) {
            throw new GraftException("toTensor: no image was given, at least one is needed.");
        }
        return Tensor.from(DType.F32, out, Shape.of(images.length, first.height(), first.width(), channels()));
    }

    /** The same string exactly when the pipeline gives the same bits: a key for caches of results. */
    public String fingerprint() {
        return VERSION + ": " + this;
    }

    public String toJson() {
        try {
            return Json.MAPPER.writeValueAsString(this);
        } catch (JsonProcessingException e) {
            throw new GraftException("Transforms cannot be written as JSON: " + e.getOriginalMessage(), e);
        }
    }

    public static Transforms fromJson(String json) {
        try {
            return Json.MAPPER.readValue(json, Transforms.class);
        } catch (JsonProcessingException e) {
            throw new GraftException("This JSON is no image pipeline written by Graft: " + e.getOriginalMessage(), e);
        }
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Transforms t && t.steps.equals(steps) && t.normalize.equals(normalize);
    }

    @Override
    public int hashCode() {
        return 31 * steps.hashCode() + normalize.hashCode();
    }

    @Override
    public String toString() {
        return steps.stream().map(step -> step + " > ").collect(Collectors.joining()) + normalize;
    }
}
