package dev.graft.nn.data.image;

/**
 * torchvision's {@code Resize(size)}: the shorter side becomes {@code size} pixels, the longer one keeps the ratio, rounded
 * down. The usual first step of evaluation, before {@link CenterCrop}.
 */
public record Resize(int size, Interpolation interpolation) implements Transform {
    public Resize {
        Transform.require(size > 0, this, "size must be positive");
    }

    @Override
    public RgbImage apply(RgbImage image, SampleRandom random) {
        int h = image.height();
        int w = image.width();
        // Through double, as in Python: int(size * long / short).
        return h <= w ? Resample.resize(image, size, (int) ((double) ((long) size * w) / h), interpolation)
                : Resample.resize(image, (int) ((double) ((long) size * h) / w), size, interpolation);
    }

    @Override
    public boolean random() {
        return false;
    }
}
