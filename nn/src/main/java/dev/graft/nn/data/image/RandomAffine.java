package dev.graft.nn.data.image;

/**
 * torchvision's {@code RandomAffine}: turned by up to {@code degrees}, moved by up to {@code translateX} of the width and
 * {@code translateY} of the height (whole pixels), scaled by [scaleMin, scaleMax], sheared along x by up to {@code shear}
 * degrees, all around the middle.
 */
public record RandomAffine(double degrees, double translateX, double translateY, double scaleMin, double scaleMax,
        double shear, Interpolation interpolation, Rgb fill) implements Transform {
    public RandomAffine {
        Transform.require(degrees >= 0 && degrees <= 360, this, "degrees must lie in 0..360");
        Transform.require(0 <= translateX && translateX <= 1 && 0 <= translateY && translateY <= 1, this,
                "translateX and translateY must lie in 0..1");
        Transform.require(0 < scaleMin && scaleMin <= scaleMax && scaleMax < 1000, this,
                "0 < scaleMin <= scaleMax must hold");
        Transform.require(0 <= shear && shear < 90, this, "shear must lie in 0..90");
        Transform.require(interpolation == Interpolation.NEAREST || interpolation == Interpolation.BILINEAR, this,
                "interpolation must be NEAREST or BILINEAR");
    }

    @Override
    public RgbImage apply(RgbImage image, SampleRandom random) {
        double angle = Math.toRadians(random.uniform(-degrees, degrees));
        double moveX = Math.rint(random.uniform(-translateX, translateX) * image.width());
        double moveY = Math.rint(random.uniform(-translateY, translateY) * image.height());
        double scale = random.uniform(scaleMin, scaleMax);
        double shearX = Math.toRadians(random.uniform(-shear, shear));
        return Warp.affine(image, Warp.inverse(image, angle, moveX, moveY, scale, shearX, 0), interpolation, fill);
    }
}
