package dev.graft.nn.data.image;

/**
 * torchvision's {@code RandomCrop(size, padding, pad_if_needed=True)}: a rectangle at a random place of the image, which
 * first gets {@code padding} pixels of {@code fill} on every side, and more where it is smaller than the rectangle.
 */
public record RandomCrop(int height, int width, int padding, Rgb fill) implements Transform {
    public RandomCrop {
        Transform.require(height > 0 && width > 0 && padding >= 0, this,
                "height and width must be positive, padding not negative");
    }

    /** The usual one for small images: a square, padded with black. */
    public RandomCrop(int size, int padding) {
        this(size, size, padding, Rgb.BLACK);
    }

    @Override
    public RgbImage apply(RgbImage image, SampleRandom random) {
        int padHeight = padding + Math.max(0, height - image.height() - 2 * padding);
        int padWidth = padding + Math.max(0, width - image.width() - 2 * padding);
        if (padHeight + padWidth > 0) {
            image = image.pad(padWidth, padHeight, padWidth, padHeight, fill);
        }
        int top = random.nextInt(image.height() - height + 1);
        int left = random.nextInt(image.width() - width + 1);
        return image.crop(top, left, height, width);
    }

    @Override
    public int[] outputSize() {
        return new int[] {height, width};
    }
}
