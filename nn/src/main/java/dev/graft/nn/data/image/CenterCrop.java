package dev.graft.nn.data.image;

/** torchvision's {@code CenterCrop}: the middle of the image; what is missing on a smaller one becomes black. */
public record CenterCrop(int height, int width) implements Transform {
    public CenterCrop {
        Transform.require(height > 0 && width > 0, this, "height and width must be positive");
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
        // Half to even, as Python's round.
        int top = (int) Math.rint((image.height() - height) / 2.0);
        int left = (int) Math.rint((image.width() - width) / 2.0);
        return image.crop(top, left, height, width);
    }

    @Override
    public boolean random() {
        return false;
    }

    @Override
    public int[] outputSize() {
        return new int[] {height, width};
    }
}
