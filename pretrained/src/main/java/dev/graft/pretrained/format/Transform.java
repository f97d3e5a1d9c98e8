package dev.graft.pretrained.format;

import dev.graft.nn.Parameter;
import dev.graft.tensor.Shape;

/** How a stored tensor's axes become a parameter's. */
public enum Transform {
    /** As stored. */
    NONE,
    /** [O, I, kH, kW] to [O, kH, kW, I]: the second axis becomes the last. */
    CHANNELS_LAST,
    /** [O, I, k] to [O, 1, k, I]. */
    CHANNELS_LAST_1D;

    /** Metadata key that a file written in Graft's own layout carries, with {@link #GRAFT_LAYOUT} as its value. */
    public static final String LAYOUT_KEY = "graft.layout";
    public static final String GRAFT_LAYOUT = "channels_last";

    /** What a tensor of shape {@code stored} in PyTorch's layout needs to become a parameter of {@code kind}. */
    static Transform of(Parameter.Kind kind, Shape stored) {
        return switch (kind) {
            case CONV_WEIGHT, CONV_TRANSPOSE_WEIGHT -> stored.rank() == 4 ? CHANNELS_LAST : NONE;
            case CONV1D_WEIGHT -> stored.rank() == 3 ? CHANNELS_LAST_1D : NONE;
            case LINEAR_WEIGHT, EMBEDDING, NORM_WEIGHT, BIAS, OTHER -> NONE;
        };
    }

    /** The shape that a tensor of shape {@code s} gets. */
    public Shape apply(Shape s) {
        return switch (this) {
            case NONE -> s;
            case CHANNELS_LAST -> Shape.of(s.dim(0), s.dim(2), s.dim(3), s.dim(1));
            case CHANNELS_LAST_1D -> Shape.of(s.dim(0), 1, s.dim(2), s.dim(1));
        };
    }

    /** The elements in the order of {@link #apply(Shape)}; an axis of size 1 is left to the shape. */
    StoredTensor apply(StoredTensor t) {
        return switch (this) {
            case NONE -> t;
            case CHANNELS_LAST -> t.permute(0, 2, 3, 1);
            case CHANNELS_LAST_1D -> t.permute(0, 2, 1);
        };
    }
}
