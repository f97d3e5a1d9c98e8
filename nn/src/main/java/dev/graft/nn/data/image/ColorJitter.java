package dev.graft.nn.data.image;

/**
 * torchvision's {@code ColorJitter}: brightness, contrast and saturation each by a factor from [max(0, 1 - x), 1 + x], the
 * hue turned by up to {@code hue} (0..0.5) of a circle, in random order. 0 leaves a property alone.
 */
public record ColorJitter(double brightness, double contrast, double saturation, double hue) implements Transform {
    public ColorJitter {
        Transform.require(brightness >= 0 && contrast >= 0 && saturation >= 0, this, "no factor may be negative");
        Transform.require(0 <= hue && hue <= 0.5, this, "hue must lie in 0..0.5");
    }

    @Override
    public RgbImage apply(RgbImage image, SampleRandom random) {
        for (int property : random.permutation(4)) {
            image = switch (property) {
                case 0 -> brightness == 0 ? image : Colours.brightness(image, factor(brightness, random));
                case 1 -> contrast == 0 ? image : Colours.contrast(image, factor(contrast, random));
                case 2 -> saturation == 0 ? image : Colours.saturation(image, factor(saturation, random));
                default -> hue == 0 ? image : Colours.hue(image, random.uniform(-hue, hue));
            };
        }
        return image;
    }

    private static double factor(double amount, SampleRandom random) {
        return random.uniform(Math.max(0, 1 - amount), 1 + amount);
    }
}
