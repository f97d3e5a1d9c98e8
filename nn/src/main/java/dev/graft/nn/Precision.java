package dev.graft.nn;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import dev.graft.tensor.Autocast;
import dev.graft.tensor.DType;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Numerics;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** What a network computes in. Its parameters are float32 whatever is chosen. */
public enum Precision {
    /** Everything in float32. */
    FLOAT32(null),
    /** float32, whose products and convolutions a GPU may compute with 10 bits of mantissa. */
    TF32(null),
    /** Mixed precision with bfloat16, which has the range of float32: see {@link Autocast}. */
    BF16(DType.BF16),
    /** Mixed precision with float16: more digits than bfloat16, but gradients must be scaled to stay in its range. */
    FP16(DType.F16);

    private final DType low;

    Precision(DType low) {
        this.low = low;
    }

    /** The type of products and convolutions; null when it is float32. */
    public DType low() {
        return low;
    }

    /** {@code n} with this precision's choice of TF32; FLOAT32 leaves it as it is. */
    public Numerics numerics(Numerics n) {
        return this == TF32 ? n.withTf32(true) : n;
    }

    /** As it is written in options and files, such as {@code bf16}. */
    @JsonValue
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    @JsonCreator
    public static Precision parse(String text) {
        for (Precision p : values()) {
            if (p.label().equals(text.toLowerCase(Locale.ROOT))) {
                return p;
            }
        }
        throw new GraftException("precision '" + text + "' is not known: use one of "
                + Arrays.stream(values()).map(Precision::label).collect(Collectors.joining(", ")));
    }
}
