package dev.graft.nn.data.image;

/**
 * torchvision's {@code RandomResizedCrop} (Szegedy et al. 2015, "inception crop"): a random rectangle with a share of the
 * area in [scaleMin, scaleMax] and a ratio width / height in [ratioMin, ratioMax], log-uniform, resized to [height, width].
 */
public record RandomResizedCrop(int height, int width, double scaleMin, double scaleMax, double ratioMin, double ratioMax,
        Interpolation interpolation) implements Transform {
    public RandomResizedCrop {
        Transform.require(height > 0 && width > 0, this, "height and width must be positive");
        Transform.require(0 < scaleMin && scaleMin <= scaleMax && scaleMax <= 1, this,
                "0 < scaleMin <= scaleMax <= 1 must hold");
        Transform.require(0 < ratioMin && ratioMin <= ratioMax && ratioMax < Double.POSITIVE_INFINITY, this,
                "0 < ratioMin <= ratioMax must hold");
    }

    /** A square with torchvision's ranges: scale 0.08 to 1, ratio 3/4 to 4/3, bilinear. */
    public RandomResizedCrop(int size) {
        this(size, size, 0.08, 1, 3.0 / 4, 4.0 / 3, Interpolation.BILINEAR);
    }

    @Override
    public RgbImage apply(RgbImage image, SampleRandom random) {
        int h = image.height();
        int w = image.width();
        for (int attempt = 0; attempt < 10; attempt++) {
            double area = (double) h * w * random.uniform(scaleMin, scaleMax);
            double ratio = Math.exp(random.uniform(Math.log(ratioMin), Math.log(ratioMax)));
            int cropWidth = (int) Math.rint(Math.sqrt(area * ratio));
            int cropHeight = (int) Math.rint(Math.sqrt(area / ratio));
            if (0 < cropWidth && cropWidth <= w && 0 < cropHeight && cropHeight <= h) {
                int top = random.nextInt(h - cropHeight + 1);
                int left = random.nextInt(w - cropWidth + 1);
                return Resample.resize(image, top, left, cropHeight, cropWidth, height, width, interpolation);
            }
        }
        // The image is longer than the ratios allow: the largest middle part that fits.
        double ratio = (double) w / h;
        int cropWidth = ratio > ratioMax ? Math.max(1, (int) Math.rint(h * ratioMax)) : w;
        int cropHeight = ratio < ratioMin ? Math.max(1, (int) Math.rint(w / ratioMin)) : h;
        return Resample.resize(image, (h - cropHeight) / 2, (w - cropWidth) / 2, cropHeight, cropWidth, height, width,
                interpolation);
    }

    @Override
    public int[] outputSize() {
        return new int[] {height, width};
    }
}
