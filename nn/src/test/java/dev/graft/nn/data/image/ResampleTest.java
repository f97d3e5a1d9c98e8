package dev.graft.nn.data.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.tensor.GraftException;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class ResampleTest {
    @ParameterizedTest
    @CsvSource({"40,31,17,12", "17,23,40,61", "64,20,8,20", "9,9,9,4", "5,7,1,1", "100,3,7,9", "1,1,4,6"})
    void bilinearIsTheAreaWeightedTriangle(int h, int w, int outH, int outW) {
        RgbImage image = random(h, w, 11);
        RgbImage result = Resample.resize(image, outH, outW, Interpolation.BILINEAR);
        for (int y = 0; y < outH; y++) {
            for (int x = 0; x < outW; x++) {
                for (int c = 0; c < 3; c++) {
                    // Twice rounded to 8 bits, against once not at all.
                    assertThat((double) result.at(y, x, c)).as("%d %d %d", y, x, c)
                            .isCloseTo(triangle(image, y, x, c, outH, outW), within(1.01));
                }
            }
        }
    }

    /** The definition in two dimensions at once, without any fixed point. */
    private static double triangle(RgbImage image, int y, int x, int c, int outH, int outW) {
        double sy = (double) image.height() / outH;
        double sx = (double) image.width() / outW;
        double total = 0;
        double weights = 0;
        for (int i = 0; i < image.height(); i++) {
            for (int j = 0; j < image.width(); j++) {
                double wy = Math.max(0, 1 - Math.abs(i + 0.5 - (y + 0.5) * sy) / Math.max(1, sy));
                double wx = Math.max(0, 1 - Math.abs(j + 0.5 - (x + 0.5) * sx) / Math.max(1, sx));
                total += wy * wx * image.at(i, j, c);
                weights += wy * wx;
            }
        }
        return total / weights;
    }

    @ParameterizedTest
    @EnumSource(Interpolation.class)
    void oneColourStays(Interpolation interpolation) {
        for (int[] size : new int[][] {{7, 5}, {30, 41}, {200, 3}}) {
            RgbImage result = Resample.resize(RgbImage.filled(23, 31, 255, 1, 130), size[0], size[1], interpolation);
            assertThat(result).isEqualTo(RgbImage.filled(size[0], size[1], 255, 1, 130));
        }
    }

    @ParameterizedTest
    @EnumSource(Interpolation.class)
    void sameSizeIsTheSameImage(Interpolation interpolation) {
        RgbImage image = random(12, 19, 3);
        assertThat(Resample.resize(image, 12, 19, interpolation)).isEqualTo(image);
    }

    @ParameterizedTest
    @EnumSource(Interpolation.class)
    void aRectangleIsLikeACropBefore(Interpolation interpolation) {
        RgbImage image = random(40, 50, 5);
        for (int[] size : new int[][] {{10, 10}, {21, 12}, {30, 13}, {21, 13}}) {
            assertThat(Resample.resize(image, 8, 9, 21, 13, size[0], size[1], interpolation))
                    .isEqualTo(Resample.resize(image.crop(8, 9, 21, 13), size[0], size[1], interpolation));
        }
    }

    @ParameterizedTest
    @EnumSource(Interpolation.class)
    void aWindowOfTheResultIsLikeACropBehind(Interpolation interpolation) {
        RgbImage image = random(40, 50, 6);
        Resample.Part box = new Resample.Part(3, 4, 33, 41);
        for (int[] size : new int[][] {{10, 10}, {33, 12}, {30, 41}, {70, 90}, {33, 41}}) {
            RgbImage whole = Resample.resize(image, 3, 4, 33, 41, size[0], size[1], interpolation);
            Resample.Part wanted = new Resample.Part(2, 5, size[0] - 4, size[1] - 7);
            assertThat(Resample.resize(image, box, size[0], size[1], wanted, interpolation))
                    .isEqualTo(whole.crop(2, 5, size[0] - 4, size[1] - 7));
        }
    }

    /** Wide images are worked on some rows at a time, and shrinking one that far weighs many pixels. */
    @ParameterizedTest
    @EnumSource(Interpolation.class)
    void stripsOfAWideImageGiveWhatItsRowsGive(Interpolation interpolation) {
        RgbImage image = random(9, 20_000, 7);
        RgbImage result = Resample.resize(image, 9, 7, interpolation);
        for (int y = 0; y < 9; y++) {
            assertThat(result.crop(y, 0, 1, 7))
                    .isEqualTo(Resample.resize(image.crop(y, 0, 1, 20_000), 1, 7, interpolation));
        }
    }

    @Test
    void resizingAndCroppingAtOnceIsTheSame() {
        for (int[] size : new int[][] {{31, 50}, {50, 31}, {20, 20}, {24, 97}}) {
            RgbImage image = random(size[0], size[1], 8);
            for (CenterCrop crop : new CenterCrop[] {new CenterCrop(17), new CenterCrop(24, 15),
                new CenterCrop(40, 20), new CenterCrop(16, 16, CenterCrop.Tie.UP)}) {
                Resize resize = new Resize(24, Interpolation.BILINEAR);
                RgbImage apart = crop.apply(resize.apply(image, null), null);
                assertThat(Transforms.of(Normalize.ZERO_TO_255, resize, crop).prepare(image)).isEqualTo(apart);
            }
        }
    }

    @Test
    void refusesAResultThatNoArrayHolds() {
        assertThatThrownBy(() -> Resample.resize(random(4, 4, 1), 60_000, 60_000, Interpolation.BILINEAR))
                .isInstanceOf(GraftException.class).hasMessageContaining("[60000, 60000]");
    }

    private static RgbImage random(int h, int w, long seed) {
        byte[] pixels = new byte[3 * h * w];
        new Random(seed).nextBytes(pixels);
        return new RgbImage(h, w, pixels);
    }
}
