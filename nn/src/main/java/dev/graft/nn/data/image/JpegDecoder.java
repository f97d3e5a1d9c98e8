package dev.graft.nn.data.image;

import java.awt.image.DataBufferByte;
import java.awt.image.Raster;
import java.io.IOException;
import java.util.Arrays;
import javax.imageio.ImageReader;
import javax.imageio.spi.ImageReaderSpi;
import javax.imageio.stream.ImageInputStream;

/**
 * JPEG through the JDK's reader (libjpeg), which gives the samples as they are stored; the colours are converted here with
 * the arithmetic of libjpeg (16-bit fixed point), for ImageIO's own conversion costs as much as the decoding and follows
 * embedded profiles, which PIL does not. What the JDK cannot read (lossless, 12 bits, odd headers) goes to TwelveMonkeys.
 */
final class JpegDecoder {
    private static final int[] RED_OF_CR = new int[256];
    private static final int[] GREEN_OF_CR = new int[256];
    private static final int[] GREEN_OF_CB = new int[256];
    private static final int[] BLUE_OF_CB = new int[256];

    static {
        // ITU T.871, Cb and Cr around 128: R = Y + 1.402 Cr, G = Y - 0.34414 Cb - 0.71414 Cr, B = Y + 1.772 Cb. The five
        // digits matter: with more of them 0.344136 rounds to another 16-bit constant than libjpeg's.
        for (int i = 0; i < 256; i++) {
            int c = i - 128;
            RED_OF_CR[i] = fixed(1.402) * c + (1 << 15) >> 16;
            BLUE_OF_CB[i] = fixed(1.772) * c + (1 << 15) >> 16;
            GREEN_OF_CR[i] = -fixed(0.71414) * c;
            GREEN_OF_CB[i] = -fixed(0.34414) * c + (1 << 15);
        }
    }

    /** Looked up once: the search through ImageIO's registry costs more than a small image. */
    private static final class Providers {
        static final ImageReaderSpi JDK = find("com.sun.");
        static final ImageReaderSpi TWELVE_MONKEYS = find("com.twelvemonkeys.");

        private static ImageReaderSpi find(String prefix) {
            try {
                return ImageDecoder.provider("jpeg", prefix);
            } catch (IOException e) {
                return null;
            }
        }
    }

    private JpegDecoder() {
    }

    static RgbImage decode(byte[] data, ImageDecoder limits) throws IOException {
        JpegHeader header = JpegHeader.parse(data);
        limits.checkPixels(header.width(), header.height());
        if (Providers.JDK == null) {
            throw new IOException("this Java runtime has no JPEG reader; use a JDK with the module java.desktop");
        }
        try {
            return decodeByJdk(data, header, limits);
        } catch (TruncatedJpegException e) {
            throw e;
        } catch (IOException | RuntimeException e) {
            if (Providers.TWELVE_MONKEYS == null) {
                throw e;
            }
            try {
                return decodeByTwelveMonkeys(data, limits);
            } catch (IOException | RuntimeException second) {
                e.addSuppressed(second);
                throw e;
            }
        }
    }

    private static RgbImage decodeByJdk(byte[] data, JpegHeader header, ImageDecoder limits) throws IOException {
        ImageReader reader = Providers.JDK.createReaderInstance();
        try (ImageInputStream stream = ImageDecoder.stream(data)) {
            reader.setInput(stream, true, true);
            boolean[] truncated = {false};
            // libjpeg fills up a file that ends early with gray and only warns; PIL refuses it, and so do we.
            reader.addIIOReadWarningListener((_, warning) -> truncated[0] |= warning.contains("premature end"));
            limits.checkPixels(reader.getWidth(0), reader.getHeight(0));
            Raster raster = reader.readRaster(0, null);
            if (truncated[0]) {
                throw new TruncatedJpegException();
            }
            return convert(raster, header);
        } finally {
            reader.dispose();
        }
    }

    private static RgbImage decodeByTwelveMonkeys(byte[] data, ImageDecoder limits) throws IOException {
        ImageReader reader = Providers.TWELVE_MONKEYS.createReaderInstance();
        try (ImageInputStream stream = ImageDecoder.stream(data)) {
            reader.setInput(stream, true, true);
            limits.checkPixels(reader.getWidth(0), reader.getHeight(0));
            return ImageDecoder.toRgb(reader.read(0));
        } finally {
            reader.dispose();
        }
    }

    private static RgbImage convert(Raster raster, JpegHeader header) throws IOException {
        int bands = raster.getNumBands();
        byte[] in = ((DataBufferByte) raster.getDataBuffer()).getData();
        int h = raster.getHeight();
        int w = raster.getWidth();
        if (in.length != (long) h * w * bands || bands != header.components()) {
            throw new IOException("its samples lie in memory in an order that is not understood");
        }
        return switch (bands) {
            case 1 -> RgbImage.ofGray(h, w, in);
            case 3 -> {
                if (header.halvesRowsOnly()) {
                    interpolateColourRows(in, h, w);
                }
                if (header.isYCbCr()) {
                    fromYCbCr(in, 3);
                }
                yield new RgbImage(h, w, in);
            }
            case 4 -> fromCmyk(h, w, in, header.isYcck());
            default -> throw new IOException("it has " + bands + " colour components, 1, 3 or 4 are understood");
        };
    }

    /**
     * The JDK's libjpeg repeats the colours' rows of 4:4:0 files, where PIL's (libjpeg-turbo) interpolates: 3/4 of the near
     * row and 1/4 of the next, as both do for other subsampling. The stored rows are still there, each of them twice.
     */
    private static void interpolateColourRows(byte[] pixels, int h, int w) {
        int stride = 3 * w;
        int stored = (h + 1) / 2;
        byte[][] rows = new byte[3][];
        rows[1] = Arrays.copyOfRange(pixels, 0, stride);
        for (int r = 0; r < stored; r++) {
            rows[0] = r == 0 ? rows[1] : rows[0];
            int next = 2 * (r + 1) * stride;
            rows[2] = r + 1 < stored ? Arrays.copyOfRange(pixels, next, next + stride) : rows[1];
            blendColours(rows[1], rows[0], 1, pixels, 2 * r * stride);
            if (2 * r + 1 < h) {
                blendColours(rows[1], rows[2], 2, pixels, (2 * r + 1) * stride);
            }
            rows[0] = rows[1];
            rows[1] = rows[2];
        }
    }

    private static void blendColours(byte[] near, byte[] far, int rounding, byte[] pixels, int at) {
        for (int i = 0; i < near.length; i += 3) {
            pixels[at + i + 1] = (byte) (3 * (near[i + 1] & 0xFF) + (far[i + 1] & 0xFF) + rounding >> 2);
            pixels[at + i + 2] = (byte) (3 * (near[i + 2] & 0xFF) + (far[i + 2] & 0xFF) + rounding >> 2);
        }
    }

    /** In place; {@code step} bytes from pixel to pixel. */
    private static void fromYCbCr(byte[] pixels, int step) {
        for (int i = 0; i < pixels.length; i += step) {
            int y = pixels[i] & 0xFF;
            int cb = pixels[i + 1] & 0xFF;
            int cr = pixels[i + 2] & 0xFF;
            pixels[i] = clip(y + RED_OF_CR[cr]);
            pixels[i + 1] = clip(y + (GREEN_OF_CB[cb] + GREEN_OF_CR[cr] >> 16));
            pixels[i + 2] = clip(y + BLUE_OF_CB[cb]);
        }
    }

    /** Inks are stored inverted (255 = no ink) in every CMYK JPEG seen in the wild: Adobe's convention, taken by PIL too. */
    private static RgbImage fromCmyk(int h, int w, byte[] in, boolean ycck) {
        if (ycck) {
            fromYCbCr(in, 4);
        }
        byte[] out = new byte[3 * h * w];
        int flip = ycck ? 0xFF : 0; // YCCK's "RGB" is the complement of the stored inks
        for (int i = 0, o = 0; i < in.length; i += 4, o += 3) {
            int white = in[i + 3] & 0xFF;
            for (int c = 0; c < 3; c++) {
                int ink = 255 - (in[i + c] & 0xFF ^ flip);
                int product = ink * white + 128;
                out[o + c] = (byte) (white - ((product >> 8) + product >> 8));
            }
        }
        return new RgbImage(h, w, out);
    }

    private static byte clip(int value) {
        return (byte) Math.max(0, Math.min(255, value));
    }

    private static int fixed(double factor) {
        return (int) (factor * (1 << 16) + 0.5);
    }

    private static final class TruncatedJpegException extends IOException {
        private static final long serialVersionUID = 1L;

        TruncatedJpegException() {
            super("the file ends before the image does");
        }
    }
}
