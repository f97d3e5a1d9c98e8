package dev.graft.nn.data.image;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonProperty;
import dev.graft.tensor.GraftException;
import java.util.List;

/**
 * The last step, from bytes to floats: {@code (pixel / 255 - mean[c]) / std[c]} in float32, torchvision's {@code ToTensor}
 * and {@code Normalize} to the bit. The channels of the result come in the order of {@link #channels}, and so do the means.
 */
public record Normalize(List<Float> mean, List<Float> std, Channels channels) {
    /** Which channels a network expects. */
    public enum Channels {
        RGB,
        /** As OpenCV and Caffe order them. */
        BGR,
        /** One channel, the luminance of ITU-R BT.601. */
        GRAY;

        /** How many there are. */
        public int count() {
            return this == GRAY ? 1 : 3;
        }
    }

    /** What torchvision's ImageNet weights expect. */
    public static final Normalize IMAGENET =
            of(new float[] {0.485f, 0.456f, 0.406f}, new float[] {0.229f, 0.224f, 0.225f});
    /** To [-1, 1]: x / 127.5 - 1, which TensorFlow's MobileNet and Inception expect. */
    public static final Normalize MINUS_ONE_TO_ONE = of(new float[] {0.5f, 0.5f, 0.5f}, new float[] {0.5f, 0.5f, 0.5f});
    /** To [0, 1]. */
    public static final Normalize ZERO_TO_ONE = of(new float[] {0, 0, 0}, new float[] {1, 1, 1});
    /** To 0..255, for networks that normalise by themselves. */
    public static final Normalize ZERO_TO_255 = of(new float[] {0, 0, 0}, new float[] {1 / 255f, 1 / 255f, 1 / 255f});

    @JsonCreator
    public Normalize(@JsonProperty("mean") List<Float> mean, @JsonProperty("std") List<Float> std,
            @JsonProperty("channels") Channels channels) {
        this.mean = List.copyOf(mean);
        this.std = List.copyOf(std);
        this.channels = channels;
        if (mean.size() != channels.count() || std.size() != channels.count()) {
            throw new GraftException("Normalize: " + channels + " needs " + channels.count()
                    + " means and standard deviations, but " + mean.size() + " and " + std.size() + " were given.");
        }
        for (float s : std) {
            if (!(s > 0 && s < Float.POSITIVE_INFINITY)) {
                throw new GraftException("Normalize: standard deviations must be positive, but " + std + " were given.");
            }
        }
    }

    /** RGB with these means and standard deviations of pixel / 255. */
    public static Normalize of(float[] mean, float[] std) {
        return new Normalize(boxed(mean), boxed(std), Channels.RGB);
    }

    private static List<Float> boxed(float[] values) {
        Float[] boxes = new Float[values.length];
        for (int i = 0; i < values.length; i++) {
            boxes[i] = values[i];
        }
        return List.of(boxes);
    }

    /** The colour that becomes zero, rounded to 8 bits. */
    public Rgb meanColour() {
        int first = level(0);
        return switch (channels) {
            case RGB -> new Rgb(first, level(1), level(2));
            case BGR -> new Rgb(level(2), level(1), first);
            case GRAY -> new Rgb(first, first, first);
        };
    }

    private int level(int channel) {
        return Math.clamp(Math.round(mean.get(channel) * 255), 0, 255);
    }

    /** Tables of all 256 values per channel: looking up is faster than two roundings and a division per value. */
    float[][] tables() {
        float[][] tables = new float[channels.count()][256];
        for (int c = 0; c < tables.length; c++) {
            for (int v = 0; v < 256; v++) {
                tables[c][v] = (v / 255f - mean.get(c)) / std.get(c);
            }
        }
        return tables;
    }

    /** Writes [H, W, C] to {@code out} from {@code offset} on. */
    void apply(RgbImage image, float[][] tables, float[] out, int offset) {
        byte[] in = image.pixels();
        if (channels == Channels.GRAY) {
            for (int i = 0, o = offset; i < in.length; i += 3, o++) {
                out[o] = tables[0][Colours.gray(in[i] & 0xFF, in[i + 1] & 0xFF, in[i + 2] & 0xFF)];
            }
            return;
        }
        int first = channels == Channels.RGB ? 0 : 2;
        for (int i = 0, o = offset; i < in.length; i += 3, o += 3) {
            out[o] = tables[0][in[i + first] & 0xFF];
            out[o + 1] = tables[1][in[i + 1] & 0xFF];
            out[o + 2] = tables[2][in[i + 2 - first] & 0xFF];
        }
    }
}
