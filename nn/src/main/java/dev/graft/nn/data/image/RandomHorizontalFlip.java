package dev.graft.nn.data.image;

/** Mirrors left and right with probability {@code p}. */
public record RandomHorizontalFlip(double p) implements Transform {
    public RandomHorizontalFlip {
        Transform.require(0 <= p && p <= 1, this, "p must lie in 0..1");
    }

    @Override
    public RgbImage apply(RgbImage image, SampleRandom random) {
        if (random.nextDouble() >= p) {
            return image;
        }
        int h = image.height();
        int w = image.width();
        byte[] in = image.pixels();
        byte[] out = new byte[in.length];
        for (int y = 0; y < h; y++) {
            int from = 3 * y * w;
            int to = from + 3 * w - 3;
            for (int x = 0; x < w; x++, from += 3, to -= 3) {
                out[to] = in[from];
                out[to + 1] = in[from + 1];
                out[to + 2] = in[from + 2];
            }
        }
        return new RgbImage(h, w, out);
    }
}
