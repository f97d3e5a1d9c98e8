package dev.graft.nn.data.image;

import dev.graft.tensor.GraftException;
import java.util.Arrays;

/**
 * An 8-bit RGB image, [H, W, 3], channels interleaved, rows without padding. The array is not copied: whoever hands it
 * over no longer writes to it, and readers do not write to it either.
 */
public record RgbImage(int height, int width, byte[] pixels) {
    public RgbImage {
        if (height < 1 || width < 1) {
            throw new GraftException("An image needs at least one pixel, but its size is [" + height + ", " + width + "].");
        }
        if (pixels.length != 3L * height * width) {
            throw new GraftException("An RGB image of [" + height + ", " + width + ", 3] has " + 3L * height * width
                    + " bytes, but the array holds " + pixels.length + ".");
        }
    }

    /** An image of one colour. */
    public static RgbImage filled(int height, int width, int red, int green, int blue) {
        byte[] pixels = new byte[Math.multiplyExact(3, Math.multiplyExact(height, width))];
        for (int i = 0; i < pixels.length; i += 3) {
            pixels[i] = (byte) red;
            pixels[i + 1] = (byte) green;
            pixels[i + 2] = (byte) blue;
        }
        return new RgbImage(height, width, pixels);
    }

    /** A gray image, [H, W] bytes, with its value in all three channels. */
    public static RgbImage ofGray(int height, int width, byte[] gray) {
        if (gray.length != (long) height * width) {
            throw new GraftException("A gray image of [" + height + ", " + width + "] has " + (long) height * width
                    + " bytes, but the array holds " + gray.length + ".");
        }
        byte[] pixels = new byte[Math.multiplyExact(3, gray.length)];
        for (int i = 0; i < gray.length; i++) {
            pixels[3 * i] = pixels[3 * i + 1] = pixels[3 * i + 2] = gray[i];
        }
        return new RgbImage(height, width, pixels);
    }

    /** The value 0..255 of channel 0 (red), 1 (green) or 2 (blue) of one pixel. */
    public int at(int y, int x, int channel) {
        return pixels[3 * (y * width + x) + channel] & 0xFF;
    }

    /** A copy of a rectangle that lies inside the image. */
    public RgbImage crop(int top, int left, int cropHeight, int cropWidth) {
        if (top < 0 || left < 0 || top + cropHeight > height || left + cropWidth > width) {
            throw new GraftException("crop: rectangle top " + top + ", left " + left + ", size [" + cropHeight + ", "
                    + cropWidth + "] does not lie inside the image of [" + height + ", " + width + "].");
        }
        if (cropHeight == height && cropWidth == width) {
            return this;
        }
        byte[] out = new byte[3 * cropHeight * cropWidth];
        for (int y = 0; y < cropHeight; y++) {
            System.arraycopy(pixels, 3 * ((top + y) * width + left), out, 3 * y * cropWidth, 3 * cropWidth);
        }
        return new RgbImage(cropHeight, cropWidth, out);
    }

    /** The image with a border of one colour, each side in pixels. */
    RgbImage pad(int left, int top, int right, int bottom, Rgb colour) {
        RgbImage out = filled(height + top + bottom, width + left + right, colour.red(), colour.green(), colour.blue());
        for (int y = 0; y < height; y++) {
            System.arraycopy(pixels, 3 * y * width, out.pixels, 3 * ((top + y) * out.width + left), 3 * width);
        }
        return out;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof RgbImage image && image.height == height && image.width == width
                && Arrays.equals(image.pixels, pixels);
    }

    @Override
    public int hashCode() {
        return 31 * (31 * height + width) + Arrays.hashCode(pixels);
    }

    @Override
    public String toString() {
        return "RgbImage[" + height + ", " + width + ", 3]";
    }
}
