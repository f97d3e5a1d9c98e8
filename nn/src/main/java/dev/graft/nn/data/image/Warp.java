package dev.graft.nn.data.image;

/** Affine maps of an image onto one of the same size. */
final class Warp {
    private Warp() {
    }

    /**
     * The pixel at (x, y) comes from (m[0] x + m[1] y + m[2], m[3] x + m[4] y + m[5]), where a pixel's centre lies at its
     * index plus 0.5; {@code fill} where that is outside. BILINEAR weighs four neighbours, repeating the border, and
     * anything else takes the nearest pixel.
     */
    static RgbImage affine(RgbImage image, double[] m, Interpolation interpolation, Rgb fill) {
        int h = image.height();
        int w = image.width();
        byte[] in = image.pixels();
        RgbImage out = RgbImage.filled(h, w, fill.red(), fill.green(), fill.blue());
        for (int y = 0, o = 0; y < h; y++) {
            for (int x = 0; x < w; x++, o += 3) {
                double sx = m[0] * (x + 0.5) + m[1] * (y + 0.5) + m[2];
                double sy = m[3] * (x + 0.5) + m[4] * (y + 0.5) + m[5];
                if (!(sx >= 0 && sx < w && sy >= 0 && sy < h)) {
                    continue;
                }
                if (interpolation == Interpolation.BILINEAR) {
                    bilinear(in, h, w, sx - 0.5, sy - 0.5, out.pixels(), o);
                } else {
                    System.arraycopy(in, 3 * ((int) sy * w + (int) sx), out.pixels(), o, 3);
                }
            }
        }
        return out;
    }

    private static void bilinear(byte[] in, int h, int w, double x, double y, byte[] out, int o) {
        int left = (int) Math.floor(x);
        int top = (int) Math.floor(y);
        double dx = x - left;
        double dy = y - top;
        int x0 = 3 * Math.max(0, left);
        int x1 = 3 * Math.min(w - 1, left + 1);
        int y0 = 3 * w * Math.max(0, top);
        int y1 = 3 * w * Math.min(h - 1, top + 1);
        for (int c = 0; c < 3; c++) {
            double upper = mix(in[y0 + x0 + c] & 0xFF, in[y0 + x1 + c] & 0xFF, dx);
            double lower = mix(in[y1 + x0 + c] & 0xFF, in[y1 + x1 + c] & 0xFF, dx);
            out[o + c] = (byte) (int) mix(upper, lower, dy); // cut off, as PIL does
        }
    }

    private static double mix(double a, double b, double share) {
        return a + (b - a) * share;
    }

    /**
     * The inverse of "shear, scale, turn (clockwise, radians) around the middle, then move", in torchvision's order of the
     * parts.
     */
    static double[] inverse(RgbImage image, double angle, double moveX, double moveY, double scale, double shearX,
            double shearY) {
        double a = Math.cos(angle - shearY) / Math.cos(shearY);
        double b = -a * Math.tan(shearX) - Math.sin(angle);
        double c = Math.sin(angle - shearY) / Math.cos(shearY);
        double d = -c * Math.tan(shearX) + Math.cos(angle);
        double[] m = {d / scale, -b / scale, 0, -c / scale, a / scale, 0};
        double cx = image.width() * 0.5;
        double cy = image.height() * 0.5;
        m[2] = m[0] * (-cx - moveX) + m[1] * (-cy - moveY) + cx;
        m[5] = m[3] * (-cx - moveX) + m[4] * (-cy - moveY) + cy;
        return m;
    }
}
