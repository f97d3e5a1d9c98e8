package dev.graft.nn.data.image;

/** Turns upside down with probability {@code p}: for images without an up, as from microscopes and satellites. */
public record RandomVerticalFlip(double p) implements Transform {
    public RandomVerticalFlip {
        Transform.require(0 <= p && p <= 1, this, "p must lie in 0..1");
    }

    @Override
    public RgbImage apply(RgbImage image, SampleRandom random) {
        if (random.nextDouble() >= p) {
            return image;
        }
        int h = image.height();
        int row = 3 * image.width();
        byte[] out = new byte[image.pixels().length];
        for (int y = 0; y < h; y++) {
            System.arraycopy(image.pixels(), y * row, out, (h - 1 - y) * row, row);
        }
        return new RgbImage(h, image.width(), out);
    }
}
