package dev.graft.nn.transfer;

import dev.graft.tensor.GraftException;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** How cached features are stored. They are computed and trained on in float32 whatever is chosen here. */
public enum FeatureFormat {
    /**
     * {@link #FLOAT16}, or {@link #INT8} where the folder has room only for that; and only where it pays: not when features
     * take more room than the images they come from.
     */
    AUTO(2),
    /** As computed. */
    FLOAT32(4),
    /** 11 bits of precision, half of the room. */
    FLOAT16(2),
    /** 256 steps between the smallest and the largest value of each channel (the last axis), a quarter of the room. */
    INT8(1);

    private final int bytes;

    FeatureFormat(int bytes) {
        this.bytes = bytes;
    }

    /** Bytes of one value. */
    int bytes() {
        return bytes;
    }

    /** What is written to a file, where there is room for it. */
    FeatureFormat stored() {
        return this == AUTO ? FLOAT16 : this;
    }

    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    public static FeatureFormat parse(String name) {
        for (FeatureFormat f : values()) {
            if (f.label().equals(name.toLowerCase(Locale.ROOT))) {
                return f;
            }
        }
        throw new GraftException("feature format '" + name + "' is not known: use one of "
                + Arrays.stream(values()).map(FeatureFormat::label).collect(Collectors.joining(", ")));
    }
}
