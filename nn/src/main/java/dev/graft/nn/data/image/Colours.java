package dev.graft.nn.data.image;

/** Changes of colour with PIL's arithmetic (ImageEnhance, and HSV in 8 bits). None writes to its input. */
final class Colours {
    private Colours() {
    }

    /** Luminance of ITU-R BT.601, 0..255: PIL's mode L. */
    static int gray(int red, int green, int blue) {
        return red * 19595 + green * 38470 + blue * 7471 + 0x8000 >> 16;
    }

    /** 0 gives black, 1 the image. */
    static RgbImage brightness(RgbImage image, double factor) {
        return lookUp(image, 0, (float) factor);
    }

    /** 0 gives the image's mean gray, 1 the image. */
    static RgbImage contrast(RgbImage image, double factor) {
        byte[] in = image.pixels();
        long sum = 0;
        for (int i = 0; i < in.length; i += 3) {
            sum += gray(in[i] & 0xFF, in[i + 1] & 0xFF, in[i + 2] & 0xFF);
        }
        return lookUp(image, (int) ((double) sum / (in.length / 3) + 0.5), (float) factor);
    }

    private static RgbImage lookUp(RgbImage image, int from, float factor) {
        byte[] table = new byte[256];
        for (int v = 0; v < 256; v++) {
            table[v] = blend(from, v, factor);
        }
        byte[] in = image.pixels();
        byte[] out = new byte[in.length];
        for (int i = 0; i < in.length; i++) {
            out[i] = table[in[i] & 0xFF];
        }
        return new RgbImage(image.height(), image.width(), out);
    }

    /** 0 gives gray, 1 the image. */
    static RgbImage saturation(RgbImage image, double factor) {
        byte[] in = image.pixels();
        byte[] out = new byte[in.length];
        for (int i = 0; i < in.length; i += 3) {
            int gray = gray(in[i] & 0xFF, in[i + 1] & 0xFF, in[i + 2] & 0xFF);
            for (int c = 0; c < 3; c++) {
                out[i + c] = blend(gray, in[i + c] & 0xFF, (float) factor);
            }
        }
        return new RgbImage(image.height(), image.width(), out);
    }

    /** {@code to} at factor 1, {@code from} at 0, beyond it outside of 0..1; cut off, not rounded, as PIL does. */
    private static byte blend(int from, int to, float factor) {
        float value = from + factor * (to - from);
        return (byte) Math.max(0, Math.min(255, (int) value));
    }

    /** Turns the hue by {@code shift} of a full circle, -0.5..0.5, through HSV with 8 bits per part. */
    static RgbImage hue(RgbImage image, double shift) {
        int turn = (int) (shift * 255);
        byte[] in = image.pixels();
        byte[] out = new byte[in.length];
        for (int i = 0; i < in.length; i += 3) {
            turnHue(in, out, i, turn);
        }
        return new RgbImage(image.height(), image.width(), out);
    }

    private static void turnHue(byte[] in, byte[] out, int i, int turn) {
        int r = in[i] & 0xFF;
        int g = in[i + 1] & 0xFF;
        int b = in[i + 2] & 0xFF;
        int max = Math.max(r, Math.max(g, b));
        int min = Math.min(r, Math.min(g, b));
        int hue = 0;
        int saturation = 0;
        if (max > min) {
            float range = max - min;
            float rc = (max - r) / range;
            float gc = (max - g) / range;
            float bc = (max - b) / range;
            float sector = r == max ? bc - gc : g == max ? (float) (2.0 + rc - bc) : (float) (4.0 + gc - rc);
            hue = (int) ((float) ((sector / 6.0 + 1.0) % 1.0) * 255.0);
            saturation = (int) (range / max * 255.0);
        }
        hue = hue + turn & 0xFF;
        if (saturation == 0) {
            out[i] = out[i + 1] = out[i + 2] = (byte) max;
            return;
        }
        float place = (float) ((float) hue * 6.0 / 255.0);
        int sector = (int) place;
        float rest = place - sector;
        float s = (float) (saturation / 255.0);
        byte p = round(max * (1.0 - s));
        byte q = round(max * (1.0 - s * rest));
        byte t = round(max * (1.0 - s * (1.0 - rest)));
        byte v = (byte) max;
        switch (sector % 6) {
            case 0 -> set(out, i, v, t, p);
            case 1 -> set(out, i, q, v, p);
            case 2 -> set(out, i, p, v, t);
            case 3 -> set(out, i, p, q, v);
            case 4 -> set(out, i, t, p, v);
            default -> set(out, i, v, p, q);
        }
    }

    private static byte round(double value) {
        return (byte) Math.max(0, Math.min(255, (int) (value + 0.5)));
    }

    private static void set(byte[] out, int i, byte r, byte g, byte b) {
        out[i] = r;
        out[i + 1] = g;
        out[i + 2] = b;
    }
}
