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
        int[] to = sizeOf(image);
        return Resample.resize(image, to[0], to[1], interpolation);
    }

    /** The size [H, W] that {@code image} gets. */
    private int[] sizeOf(RgbImage image) {
        int h = image.height();
        int w = image.width();
        // Through double, as in Python: int(size * long / short).
        return h <= w ? new int[] {size, (int) ((double) ((long) size * w) / h)}
                : new int[] {(int) ((double) ((long) size * h) / w), size};
    }

    /** The same as this step and {@code crop} behind it, without the pixels that the crop cuts off. */
    RgbImage cropped(RgbImage image, CenterCrop crop) {
        int[] to = sizeOf(image);
        Resample.Part middle = crop.partOf(to[0], to[1]);
        return middle == null ? crop.apply(apply(image, null), null)
                : Resample.resize(image, new Resample.Part(0, 0, image.height(), image.width()), to[0], to[1], middle,
                        interpolation);
    }

    @Override
    public boolean random() {
        return false;
    }
}
