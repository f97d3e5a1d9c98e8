package dev.graft.nn.data.image;

/** Takes the colours away with probability {@code p}; the image keeps three (equal) channels. */
public record RandomGrayscale(double p) implements Transform {
    public RandomGrayscale {
        Transform.require(0 <= p && p <= 1, this, "p must lie in 0..1");
    }

    @Override
    public RgbImage apply(RgbImage image, SampleRandom random) {
        return random.nextDouble() >= p ? image : Colours.saturation(image, 0);
    }
}
