package dev.graft.nn.data.image;

/**
 * torchvision's {@code RandomErasing} (Zhong et al. 2017): with probability {@code p} a random rectangle with a share of the
 * area in [scaleMin, scaleMax] and a ratio height / width in [ratioMin, ratioMax] becomes {@code fill}. torchvision erases
 * after normalisation, mostly with 0, which is the mean colour: {@link Normalize#meanColour()} is that colour here.
 */
public record RandomErasing(double p, double scaleMin, double scaleMax, double ratioMin, double ratioMax, Rgb fill)
        implements Transform {
    public RandomErasing {
        Transform.require(0 <= p && p <= 1, this, "p must lie in 0..1");
        Transform.require(0 < scaleMin && scaleMin <= scaleMax && scaleMax <= 1, this,
                "0 < scaleMin <= scaleMax <= 1 must hold");
        Transform.require(0 < ratioMin && ratioMin <= ratioMax && ratioMax < Double.POSITIVE_INFINITY, this,
                "0 < ratioMin <= ratioMax must hold");
    }

    /** torchvision's ranges: area 0.02 to 0.33, ratio 0.3 to 3.3. */
    public RandomErasing(double p, Rgb fill) {
        this(p, 0.02, 0.33, 0.3, 3.3, fill);
    }

    @Override
    public RgbImage apply(RgbImage image, SampleRandom random) {
        if (random.nextDouble() >= p) {
            return image;
        }
        int h = image.height();
        int w = image.width();
        for (int attempt = 0; attempt < 10; attempt++) {
            double area = (double) h * w * random.uniform(scaleMin, scaleMax);
            double ratio = Math.exp(random.uniform(Math.log(ratioMin), Math.log(ratioMax)));
            int eraseHeight = (int) Math.rint(Math.sqrt(area * ratio));
            int eraseWidth = (int) Math.rint(Math.sqrt(area / ratio));
            if (eraseHeight < h && eraseWidth < w) {
                int top = random.nextInt(h - eraseHeight + 1);
                int left = random.nextInt(w - eraseWidth + 1);
                return erase(image, top, left, eraseHeight, eraseWidth);
            }
        }
        return image;
    }

    private RgbImage erase(RgbImage image, int top, int left, int eraseHeight, int eraseWidth) {
        byte[] out = image.pixels().clone();
        for (int y = top; y < top + eraseHeight; y++) {
            for (int x = left, o = 3 * (y * image.width() + left); x < left + eraseWidth; x++, o += 3) {
                out[o] = (byte) fill.red();
                out[o + 1] = (byte) fill.green();
                out[o + 2] = (byte) fill.blue();
            }
        }
        return new RgbImage(image.height(), image.width(), out);
    }
}
