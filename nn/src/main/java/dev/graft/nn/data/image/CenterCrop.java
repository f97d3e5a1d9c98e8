package dev.graft.nn.data.image;

/**
 * torchvision's {@code CenterCrop}: the middle of the image; what is missing on a smaller one becomes black.
 *
 * @param tie where the middle lies when the pixels left over are odd in number; null for {@link Tie#EVEN}
 */
public record CenterCrop(int height, int width, Tie tie) implements Transform {
    /** How half a pixel is rounded. One pixel more or less decides on some images, so it is part of the pipeline. */
    public enum Tie {
        /** To the even neighbour, as Python's {@code round}: torchvision. */
        EVEN,
        /** Up. */
        UP
    }

    public CenterCrop {
        tie = tie == null ? Tie.EVEN : tie;
        Transform.require(height > 0 && width > 0, this, "height and width must be positive");
    }

    public CenterCrop(int height, int width) {
        this(height, width, Tie.EVEN);
    }

    public CenterCrop(int size) {
        this(size, size);
    }

    @Override
    public RgbImage apply(RgbImage image, SampleRandom random) {
        int missingHeight = Math.max(0, height - image.height());
        int missingWidth = Math.max(0, width - image.width());
        if (missingHeight + missingWidth > 0) {
            image = image.pad(missingWidth / 2, missingHeight / 2, (missingWidth + 1) / 2, (missingHeight + 1) / 2,
                    Rgb.BLACK);
        }
        return image.crop(middle(image.height() - height), middle(image.width() - width), height, width);
    }

    /** What is left of an image of this size; null when it is too small. */
    Resample.Part partOf(int imageHeight, int imageWidth) {
        return imageHeight < height || imageWidth < width ? null
                : new Resample.Part(middle(imageHeight - height), middle(imageWidth - width), height, width);
    }

    private int middle(int left) {
        return tie == Tie.UP ? (left + 1) / 2 : (int) Math.rint(left / 2.0);
    }

    @Override
    public boolean random() {
        return false;
    }

    @Override
    public int[] outputSize() {
        return new int[] {height, width};
    }

    @Override
    public String toString() {
        return "CenterCrop[height=" + height + ", width=" + width + (tie == Tie.EVEN ? "" : ", tie=" + tie) + "]";
    }
}
