package dev.graft.nn.data.image;

import dev.graft.tensor.GraftException;
import java.awt.image.BufferedImage;
import java.awt.image.DataBufferByte;
import java.awt.image.IndexColorModel;
import java.awt.image.PixelInterleavedSampleModel;
import java.awt.image.Raster;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.spi.ImageReaderSpi;
import javax.imageio.stream.ImageInputStream;
import javax.imageio.stream.MemoryCacheImageInputStream;

/**
 * Decodes JPEG, PNG, BMP and GIF (its first frame) to 8-bit RGB, with the meaning of PIL's {@code convert('RGB')}, which is
 * what pretrained networks saw: gray is copied to all channels, a palette is looked up, alpha is dropped (not composited),
 * CMYK is converted without a colour profile, embedded profiles and gamma are ignored, and the EXIF orientation is
 * <em>not</em> applied (neither PIL nor torchvision do). Of 16 bits the upper eight are kept.
 *
 * <p>Sizes are checked before anything is allocated, so a small file that claims a huge image is refused.
 *
 * @param maxPixels the largest height * width that is decoded
 * @param maxBytes the largest file that is read
 */
public record ImageDecoder(long maxPixels, long maxBytes) {
    /** 89 million pixels (PIL's limit of a quarter GiB of RGB) and 256 MiB. */
    public static final ImageDecoder DEFAULT = new ImageDecoder(89_478_485, 256L << 20);

    /** What a file is, by its first bytes. */
    enum Format {
        JPEG("jpeg"), PNG("png"), BMP("bmp"), GIF("gif");

        final String imageIoName;

        Format(String imageIoName) {
            this.imageIoName = imageIoName;
        }

        static Format of(byte[] data) {
            if (startsWith(data, 0xFF, 0xD8, 0xFF)) {
                return JPEG;
            }
            if (startsWith(data, 0x89, 'P', 'N', 'G', 0x0D, 0x0A, 0x1A, 0x0A)) {
                return PNG;
            }
            if (startsWith(data, 'G', 'I', 'F', '8')) {
                return GIF;
            }
            return startsWith(data, 'B', 'M') ? BMP : null;
        }

        private static boolean startsWith(byte[] data, int... prefix) {
            for (int i = 0; i < prefix.length; i++) {
                if (i >= data.length || (data[i] & 0xFF) != prefix[i]) {
                    return false;
                }
            }
            return true;
        }
    }

    /** Decodes a file. A file that is no image throws {@link BrokenImageException}, whose message names it. */
    public RgbImage decode(Path file) {
        return decode(read(file), file.toString());
    }

    /** Decodes the bytes of a file; {@code name} says in messages which one. */
    public RgbImage decode(byte[] data, String name) {
        Format format = format(data, name);
        try {
            return format == Format.JPEG ? JpegDecoder.decode(data, this) : decodeOther(data, format);
        } catch (IOException | RuntimeException e) {
            // ImageIO's readers answer hostile bytes with many kinds of RuntimeException.
            throw new BrokenImageException("Image " + name + " cannot be decoded as " + format + " (" + reason(e)
                    + "): replace or remove the file.", e);
        }
    }

    /**
     * Looks for the usual damage without decoding the pixels: not an image, a broken header, too large, a file that ends
     * early. Much faster than decoding, and blind to damage in the middle.
     */
    public void check(byte[] data, String name) {
        Format format = format(data, name);
        try {
            if (!endsProperly(data, format)) {
                decode(data, name); // some writers leave out the end mark of a complete image
            } else if (format != Format.JPEG) {
                checkSize(data, format);
            }
        } catch (IOException | RuntimeException e) {
            if (e instanceof BrokenImageException broken) {
                throw broken;
            }
            throw new BrokenImageException("Image " + name + " is not a readable " + format + " file (" + reason(e)
                    + "): replace or remove the file.", e);
        }
    }

    /** Reads a file of at most {@link #maxBytes}. */
    byte[] read(Path file) {
        try {
            long size = Files.size(file);
            if (size > maxBytes) {
                throw new BrokenImageException("Image " + file + " has " + size + " bytes, the limit is " + maxBytes
                        + ": raise the limit of ImageDecoder or remove the file.");
            }
            return Files.readAllBytes(file);
        } catch (NoSuchFileException e) {
            throw new GraftException("Image " + file + " does not exist: check the path.", e);
        } catch (IOException e) {
            throw new GraftException("Image " + file + " cannot be read (" + reason(e)
                    + "): check the path and its rights.", e);
        }
    }

    private static Format format(byte[] data, String name) {
        Format format = Format.of(data);
        if (format == null) {
            throw new BrokenImageException("Image " + name
                    + (data.length == 0 ? " is empty" : " is no JPEG, PNG, BMP or GIF file")
                    + ": replace or remove it, or convert it to JPEG or PNG.");
        }
        return format;
    }

    private boolean endsProperly(byte[] data, Format format) throws IOException {
        return switch (format) {
            case JPEG -> {
                JpegHeader header = JpegHeader.parse(data);
                checkPixels(header.width(), header.height());
                yield header.hasEnd(data);
            }
            // Type and CRC of the last chunk: IEND AE426082, perhaps with bytes behind it.
            case PNG -> lastIndexOf(data, new byte[] {'I', 'E', 'N', 'D', (byte) 0xAE, 'B', 0x60, (byte) 0x82}) > 0;
            // The header says how long the file is; some writers leave 0.
            case BMP -> data.length > 6 && data.length >= ((data[2] & 0xFF) | (data[3] & 0xFF) << 8 | (data[4] & 0xFF) << 16
                    | (long) (data[5] & 0xFF) << 24);
            case GIF -> data[data.length - 1] == 0x3B;
        };
    }

    private static int lastIndexOf(byte[] data, byte[] pattern) {
        search:
        for (int at = data.length - pattern.length; at >= 0; at--) {
            for (int i = 0; i < pattern.length; i++) {
                if (data[at + i] != pattern[i]) {
                    continue search;
                }
            }
            return at;
        }
        return -1;
    }

    void checkPixels(long width, long height) throws IOException {
        if (width < 1 || height < 1) {
            throw new IOException("its header gives the size " + width + " x " + height);
        }
        if (width * height > maxPixels) {
            throw new IOException("its header claims " + width + " x " + height + " pixels, the limit is " + maxPixels
                    + " pixels; raise the limit of ImageDecoder if this is meant");
        }
    }

    private void checkSize(byte[] data, Format format) throws IOException {
        ImageReader reader = open(format);
        try (ImageInputStream stream = stream(data)) {
            reader.setInput(stream, true, true);
            checkPixels(reader.getWidth(0), reader.getHeight(0));
        } finally {
            reader.dispose();
        }
    }

    private RgbImage decodeOther(byte[] data, Format format) throws IOException {
        ImageReader reader = open(format);
        try (ImageInputStream stream = stream(data)) {
            reader.setInput(stream, true, true);
            checkPixels(reader.getWidth(0), reader.getHeight(0));
            return toRgb(reader.read(0));
        } finally {
            reader.dispose();
        }
    }

    static ImageInputStream stream(byte[] data) {
        return new MemoryCacheImageInputStream(new ByteArrayInputStream(data));
    }

    private static ImageReader open(Format format) throws IOException {
        var readers = ImageIO.getImageReadersByFormatName(format.imageIoName);
        if (!readers.hasNext()) {
            throw new IOException("this Java runtime has no ImageIO reader for it; use a JDK with the module java.desktop");
        }
        return readers.next();
    }

    /** The provider of the JDK's own reader, or of TwelveMonkeys' one. */
    static ImageReaderSpi provider(String format, String classPrefix) throws IOException {
        for (var it = ImageIO.getImageReadersByFormatName(format); it.hasNext();) {
            ImageReader reader = it.next();
            reader.dispose();
            if (reader.getClass().getName().startsWith(classPrefix)) {
                return reader.getOriginatingProvider();
            }
        }
        return null;
    }

    /** Samples without any colour conversion: {@code getRGB} would apply profiles and gamma, and is slow. */
    static RgbImage toRgb(BufferedImage image) {
        Raster raster = image.getRaster();
        int h = raster.getHeight();
        int w = raster.getWidth();
        int bands = raster.getNumBands();
        byte[] out = new byte[Math.multiplyExact(3, Math.multiplyExact(h, w))];
        if (image.getColorModel() instanceof IndexColorModel palette) {
            fromPalette(raster, palette, out);
        } else if (raster.getSampleModel() instanceof PixelInterleavedSampleModel model
                && raster.getDataBuffer() instanceof DataBufferByte buffer && buffer.getNumBanks() == 1) {
            int[] offsets = model.getBandOffsets();
            int green = bands < 3 ? offsets[0] : offsets[1];
            int blue = bands < 3 ? offsets[0] : offsets[2];
            byte[] in = buffer.getData();
            int step = model.getPixelStride();
            int base = buffer.getOffset() - raster.getSampleModelTranslateY() * model.getScanlineStride()
                    - raster.getSampleModelTranslateX() * step;
            for (int y = 0, o = 0; y < h; y++) {
                int i = base + y * model.getScanlineStride();
                for (int x = 0; x < w; x++, i += step, o += 3) {
                    out[o] = in[i + offsets[0]];
                    out[o + 1] = in[i + green];
                    out[o + 2] = in[i + blue];
                }
            }
        } else {
            fromSamples(raster, out);
        }
        return new RgbImage(h, w, out);
    }

    private static void fromPalette(Raster raster, IndexColorModel palette, byte[] out) {
        int[] colours = new int[palette.getMapSize()];
        palette.getRGBs(colours);
        int[] row = new int[raster.getWidth()];
        for (int y = 0, o = 0; y < raster.getHeight(); y++) {
            raster.getSamples(raster.getMinX(), raster.getMinY() + y, row.length, 1, 0, row);
            for (int index : row) {
                int colour = index < colours.length ? colours[index] : 0;
                out[o++] = (byte) (colour >> 16);
                out[o++] = (byte) (colour >> 8);
                out[o++] = (byte) colour;
            }
        }
    }

    /** Any sample model: bits below eight are stretched to 0..255, of more the upper eight are kept. */
    private static void fromSamples(Raster raster, byte[] out) {
        int w = raster.getWidth();
        int bands = raster.getNumBands();
        int[] row = new int[w * bands];
        for (int y = 0, o = 0; y < raster.getHeight(); y++) {
            raster.getPixels(raster.getMinX(), raster.getMinY() + y, w, 1, row);
            for (int x = 0; x < w; x++) {
                for (int c = 0; c < 3; c++) {
                    int band = bands < 3 ? 0 : c;
                    int bits = raster.getSampleModel().getSampleSize(band);
                    int value = row[x * bands + band];
                    out[o++] = (byte) (bits > 8 ? value >>> (bits - 8)
                            : bits == 8 ? value : value * 255 / ((1 << bits) - 1));
                }
            }
        }
    }

    private static String reason(Exception e) {
        String message = e.getMessage();
        return message == null || message.isBlank() ? e.getClass().getSimpleName() : message.strip();
    }
}
