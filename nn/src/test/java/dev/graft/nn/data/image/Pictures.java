package dev.graft.nn.data.image;

/** Images drawn by formulas. */
public final class Pictures {
    private Pictures() {
    }

    /** Wild values in all channels, the input of the recorded results. */
    public static RgbImage pattern(int h, int w) {
        byte[] p = new byte[3 * h * w];
        for (int y = 0, o = 0; y < h; y++) {
            for (int x = 0; x < w; x++) {
                for (int c = 0; c < 3; c++) {
                    p[o++] = (byte) ((x * x * 3 + y * 7 * (c + 1) + x * y + c * 85) / 2);
                }
            }
        }
        return new RgbImage(h, w, p);
    }

    /** Every pixel tells its place: red is the row, green the column. */
    static RgbImage places(int h, int w) {
        byte[] p = new byte[3 * h * w];
        for (int y = 0, o = 0; y < h; y++) {
            for (int x = 0; x < w; x++, o += 3) {
                p[o] = (byte) y;
                p[o + 1] = (byte) x;
            }
        }
        return new RgbImage(h, w, p);
    }
}
