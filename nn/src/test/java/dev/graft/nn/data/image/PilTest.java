package dev.graft.nn.data.image;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every recorded result of Pillow, to the bit. */
class PilTest {
    private static final RgbImage INPUT = Pictures.pattern(37, 53);

    static Stream<String> recorded() throws IOException {
        return new String(resource("pil.tsv"), StandardCharsets.UTF_8).lines().filter(line -> !line.startsWith("#"));
    }

    static byte[] resource(String name) throws IOException {
        try (InputStream in = PilTest.class.getResourceAsStream(name)) {
            return in.readAllBytes();
        }
    }

    @ParameterizedTest
    @MethodSource("recorded")
    void sameBits(String line) throws IOException {
        String[] f = line.split("\t");
        RgbImage result = switch (f[0]) {
            case "resize" -> Resample.resize(INPUT, integer(f[2]), integer(f[3]), Interpolation.valueOf(f[1]));
            // The rectangle (left 5, top 3, width 40, height 21) to 24 x 24.
            case "crop" -> Resample.resize(INPUT, 3, 5, 21, 40, 24, 24, Interpolation.valueOf(f[1]));
            case "brightness" -> Colours.brightness(INPUT, number(f[1]));
            case "contrast" -> Colours.contrast(INPUT, number(f[1]));
            case "saturation" -> Colours.saturation(INPUT, number(f[1]));
            case "hue" -> Colours.hue(INPUT, number(f[1]));
            case "rotate" -> Warp.affine(INPUT, Warp.inverse(INPUT, Math.toRadians(-number(f[1])), 0, 0, 1, 0, 0),
                    Interpolation.BILINEAR, new Rgb(9, 8, 7));
            case "decode" -> ImageDecoder.DEFAULT.decode(resource(f[1]), f[1]);
            default -> throw new AssertionError(f[0]);
        };
        if (f[0].equals("decode")) {
            assertThat(result.height()).isEqualTo(integer(f[2]));
            assertThat(result.width()).isEqualTo(integer(f[3]));
        }
        CRC32 crc = new CRC32();
        crc.update(result.pixels());
        assertThat(crc.getValue()).isEqualTo(Long.parseLong(f[f.length - 1]));
    }

    private static int integer(String text) {
        return Integer.parseInt(text);
    }

    private static double number(String text) {
        return Double.parseDouble(text);
    }
}
