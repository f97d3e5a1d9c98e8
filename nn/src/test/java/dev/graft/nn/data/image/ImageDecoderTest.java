package dev.graft.nn.data.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.tensor.GraftException;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImageDecoderTest {
    private final ImageDecoder decoder = ImageDecoder.DEFAULT;

    @Test
    void sixteenBitGrayKeepsTheUpperEight() throws IOException {
        BufferedImage image = new BufferedImage(256, 2, BufferedImage.TYPE_USHORT_GRAY);
        for (int x = 0; x < 256; x++) {
            image.getRaster().setSample(x, 0, 0, x << 8 | 0x5A);
        }
        RgbImage result = decoder.decode(png(image), "gray16");
        for (int x = 0; x < 256; x++) {
            assertThat(result.at(0, x, 0)).isEqualTo(x);
            assertThat(result.at(0, x, 2)).isEqualTo(x);
        }
    }

    @Test
    void transparentPixelsKeepTheirColour() throws IOException {
        BufferedImage image = new BufferedImage(3, 1, BufferedImage.TYPE_INT_ARGB);
        image.setRGB(0, 0, 0x00102030);
        image.setRGB(1, 0, 0x80405060);
        image.setRGB(2, 0, 0xFF708090);
        assertThat(decoder.decode(png(image), "alpha").pixels())
                .containsExactly(0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90);
    }

    @Test
    void exifOrientationIsNotApplied() throws IOException {
        assertThat(decoder.decode(PilTest.resource("turned.jpg"), "turned"))
                .isEqualTo(decoder.decode(PilTest.resource("rgb420.jpg"), "straight"));
    }

    @Test
    void brokenFilesAreNamed(@TempDir Path folder) throws IOException {
        byte[] jpeg = PilTest.resource("rgb420.jpg");
        byte[] png = PilTest.resource("alpha.png");
        assertBroken(folder, "cut.jpg", Arrays.copyOf(jpeg, jpeg.length * 3 / 4));
        assertBroken(folder, "header-only.jpg", Arrays.copyOf(jpeg, 60));
        assertBroken(folder, "cut.png", Arrays.copyOf(png, png.length / 2));
        assertBroken(folder, "text.jpg", "no image".getBytes());
        assertBroken(folder, "empty.jpg", new byte[0]);
        assertBroken(folder, "magic.jpg", new byte[] {(byte) 0xFF, (byte) 0xD8, (byte) 0xFF});
    }

    private void assertBroken(Path folder, String name, byte[] data) throws IOException {
        Path file = Files.write(folder.resolve(name), data);
        assertThatThrownBy(() -> decoder.decode(file)).isInstanceOf(BrokenImageException.class).hasMessageContaining(name);
        assertThatThrownBy(() -> decoder.check(data, name)).isInstanceOf(BrokenImageException.class)
                .hasMessageContaining(name);
    }

    @Test
    void theCheckPassesWhatDecodes() throws IOException {
        for (String name : new String[] {"rgb420.jpg", "progressive.jpg", "cmyk.jpg", "palette.png", "rgb.bmp",
                "palette.gif"}) {
            byte[] data = PilTest.resource(name);
            assertThatCode(() -> decoder.check(data, name)).as(name).doesNotThrowAnyException();
        }
        byte[] jpeg = PilTest.resource("rgb420.jpg");
        assertThatCode(() -> decoder.check(Arrays.copyOf(jpeg, jpeg.length - 2), "no end mark")).doesNotThrowAnyException();
    }

    @Test
    void hugeClaimsAreRefusedBeforeAllocation() throws IOException {
        byte[] jpeg = PilTest.resource("rgb420.jpg");
        for (int i = 2; i < jpeg.length - 9; i++) {
            if (jpeg[i] == (byte) 0xFF && jpeg[i + 1] == (byte) 0xC0) {
                Arrays.fill(jpeg, i + 5, i + 9, (byte) 0xFF);
                break;
            }
        }
        assertThatThrownBy(() -> decoder.decode(jpeg, "bomb.jpg")).isInstanceOf(BrokenImageException.class)
                .hasMessageContaining("65535 x 65535");
        byte[] png = PilTest.resource("alpha.png");
        png[16] = png[20] = 0x40; // width and height of the IHDR chunk
        assertThatThrownBy(() -> decoder.decode(png, "bomb.png")).isInstanceOf(BrokenImageException.class)
                .hasMessageContaining("bomb.png");
        assertThatThrownBy(() -> new ImageDecoder(100, 1 << 20).decode(PilTest.resource("rgb.bmp"), "rgb.bmp"))
                .isInstanceOf(BrokenImageException.class).hasMessageContaining("47 x 33");
    }

    @Test
    void tooManyScansAreRefused() throws IOException {
        byte[] jpeg = PilTest.resource("progressive.jpg");
        byte[] bomb = Arrays.copyOf(jpeg, jpeg.length + 4000);
        for (int i = jpeg.length; i + 1 < bomb.length; i += 2) {
            bomb[i] = (byte) 0xFF;
            bomb[i + 1] = (byte) 0xDA;
        }
        assertThatThrownBy(() -> decoder.decode(bomb, "scans.jpg")).isInstanceOf(BrokenImageException.class)
                .hasMessageContaining("scans");
    }

    @Test
    void damagedBytesNeverEscapeAsOtherErrors() throws IOException {
        Random random = new Random(7);
        for (String name : new String[] {"rgb420.jpg", "progressive.jpg", "ycck.jpg", "alpha.png", "palette.png", "rgb.bmp",
            "palette.gif"}) {
            byte[] good = PilTest.resource(name);
            for (int round = 0; round < 60; round++) {
                byte[] bad = good.clone();
                for (int k = 0; k <= random.nextInt(8); k++) {
                    bad[random.nextInt(bad.length)] = (byte) random.nextInt(256);
                }
                try {
                    RgbImage result = new ImageDecoder(1 << 20, 1 << 20).decode(bad, name);
                    assertThat(result.pixels()).hasSize(3 * result.height() * result.width());
                } catch (GraftException e) {
                    assertThat(e.getMessage()).contains(name);
                }
            }
        }
    }

    @Test
    void missingFile(@TempDir Path folder) {
        assertThatThrownBy(() -> decoder.decode(folder.resolve("none.jpg"))).isInstanceOf(GraftException.class)
                .hasMessageContaining("none.jpg does not exist");
    }

    private static byte[] png(BufferedImage image) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ImageIO.write(image, "png", out);
        return out.toByteArray();
    }
}
