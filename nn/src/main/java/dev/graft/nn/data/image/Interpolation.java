package dev.graft.nn.data.image;

/**
 * How {@link Resample} weighs source pixels: Pillow's filters of the same names. All but NEAREST are antialiased: when an
 * image shrinks by a factor the filter grows by it, so every source pixel counts. (A resize without that, as in OpenCV or
 * TensorFlow's default, gives visibly other images, and networks lose accuracy when fed with the other kind.)
 */
public enum Interpolation {
    /** The pixel at the place, unweighted. */
    NEAREST(0),
    /** Equal weights over the pixels covered. */
    BOX(0.5),
    /** The triangle; what torchvision's weights were trained and measured with, mostly. */
    BILINEAR(1),
    /** Cubic convolution with a = -0.5 (Keys 1981). */
    BICUBIC(2),
    /** sinc(x) sinc(x / 3). */
    LANCZOS(3);

    /** Half the width, in source pixels at scale 1. */
    final double support;

    Interpolation(double support) {
        this.support = support;
    }

    double weight(double x) {
        double t = Math.abs(x);
        return switch (this) {
            case NEAREST -> 1;
            case BOX -> x > -0.5 && x <= 0.5 ? 1 : 0;
            case BILINEAR -> t < 1 ? 1 - t : 0;
            case BICUBIC -> t < 1 ? (1.5 * t - 2.5) * t * t + 1 : t < 2 ? ((-0.5 * t + 2.5) * t - 4) * t + 2 : 0;
            case LANCZOS -> x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
        };
    }

    private static double sinc(double x) {
        return x == 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI);
    }
}
