package dev.graft.nn.data.image;

/** Turns around the middle by an angle from [-degrees, degrees]; the size stays, corners become {@code fill}. */
public record RandomRotation(double degrees, Interpolation interpolation, Rgb fill) implements Transform {
    public RandomRotation {
        Transform.require(degrees >= 0 && degrees <= 360, this, "degrees must lie in 0..360");
        Transform.require(interpolation == Interpolation.NEAREST || interpolation == Interpolation.BILINEAR, this,
                "interpolation must be NEAREST or BILINEAR");
    }

    /** Bilinear, black corners. */
    public RandomRotation(double degrees) {
        this(degrees, Interpolation.BILINEAR, Rgb.BLACK);
    }

    @Override
    public RgbImage apply(RgbImage image, SampleRandom random) {
        double angle = Math.toRadians(random.uniform(-degrees, degrees));
        return Warp.affine(image, Warp.inverse(image, angle, 0, 0, 1, 0, 0), interpolation, fill);
    }
}
