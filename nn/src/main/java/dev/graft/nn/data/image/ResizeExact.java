package dev.graft.nn.data.image;

/** torchvision's {@code Resize((height, width))}: to exactly this size, whatever becomes of the ratio. */
public record ResizeExact(int height, int width, Interpolation interpolation) implements Transform {
    public ResizeExact {
        Transform.require(height > 0 && width > 0, this, "height and width must be positive");
    }

    @Override
    public RgbImage apply(RgbImage image, SampleRandom random) {
        return Resample.resize(image, height, width, interpolation);
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
