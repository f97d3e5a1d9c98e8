package dev.graft.nn.data.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class TransformsTest {
    private static final Transforms ALL = Transforms.of(Normalize.IMAGENET, new Resize(40, Interpolation.BICUBIC),
            new ResizeExact(40, 36, Interpolation.NEAREST), new RandomCrop(32, 4), new RandomResizedCrop(24),
            new RandomHorizontalFlip(0.5), new RandomVerticalFlip(0.25), new ColorJitter(0.4, 0.3, 0.2, 0.1),
            new RandomGrayscale(0.1), new RandomRotation(15),
            new RandomAffine(5, 0.1, 0.2, 0.9, 1.1, 8, Interpolation.NEAREST, new Rgb(1, 2, 3)),
            new RandomErasing(0.5, Normalize.IMAGENET.meanColour()), new CenterCrop(20));

    private static SampleRandom random(int index) {
        return SampleRandom.of(1, 2, index);
    }

    @Test
    void resizeGivesTheShorterSide() {
        assertThat(new Resize(256, Interpolation.BILINEAR).apply(Pictures.pattern(375, 500), null).width()).isEqualTo(341);
        RgbImage tall = new Resize(20, Interpolation.BILINEAR).apply(Pictures.pattern(50, 30), null);
        assertThat(tall).extracting(RgbImage::height, RgbImage::width).containsExactly(33, 20);
    }

    @Test
    void centerCropTakesTheMiddleWithPythonsRounding() {
        RgbImage middle = new CenterCrop(10, 10).apply(Pictures.places(13, 15), null);
        assertThat(middle.at(0, 0, 0)).isEqualTo(2); // 1.5 to the even 2
        assertThat(middle.at(0, 0, 1)).isEqualTo(2); // 2.5 to the even 2
        RgbImage up = new CenterCrop(10, 10, CenterCrop.Tie.UP).apply(Pictures.places(13, 15), null);
        assertThat(up.at(0, 0, 0)).isEqualTo(2);
        assertThat(up.at(0, 0, 1)).isEqualTo(3);
        RgbImage padded = new CenterCrop(5, 6).apply(RgbImage.filled(2, 3, 9, 9, 9), null);
        assertThat(padded.at(1, 1, 0)).isEqualTo(9); // 3 rows missing: 1 above, 2 below; 3 columns: 1 left, 2 right
        assertThat(padded.at(2, 3, 0)).isEqualTo(9);
        assertThat(padded.at(0, 1, 0) + padded.at(3, 1, 0) + padded.at(1, 0, 0) + padded.at(1, 4, 0)).isZero();
    }

    @Test
    void randomCropReachesEveryPlace() {
        Set<Integer> places = new HashSet<>();
        for (int i = 0; i < 400; i++) {
            RgbImage crop = new RandomCrop(6, 6, 0, Rgb.BLACK).apply(Pictures.places(8, 9), random(i));
            assertThat(crop.at(5, 5, 0) - crop.at(0, 0, 0)).isEqualTo(5);
            places.add(crop.at(0, 0, 0) * 10 + crop.at(0, 0, 1));
        }
        assertThat(places).hasSize(3 * 4);
        RgbImage small = new RandomCrop(12, 12, 2, new Rgb(7, 7, 7)).apply(Pictures.places(5, 20), random(0));
        assertThat(small).extracting(RgbImage::height, RgbImage::width).containsExactly(12, 12);
    }

    @Test
    void randomResizedCropKeepsAreaAndRatioInRange() {
        // Green tells columns, red rows: their ranges in the result give the rectangle that was cut.
        RandomResizedCrop crop = new RandomResizedCrop(60, 60, 0.25, 0.5, 0.75, 4.0 / 3, Interpolation.NEAREST);
        double smallest = 1;
        double largest = 0;
        for (int i = 0; i < 300; i++) {
            RgbImage cut = crop.apply(Pictures.places(100, 100), random(i));
            double h = (cut.at(59, 0, 0) - cut.at(0, 0, 0) + 1) * 60 / 59.0;
            double w = (cut.at(0, 59, 1) - cut.at(0, 0, 1) + 1) * 60 / 59.0;
            assertThat(w / h).isBetween(0.68, 1.47);
            smallest = Math.min(smallest, w * h / 10_000);
            largest = Math.max(largest, w * h / 10_000);
        }
        assertThat(smallest).isBetween(0.21, 0.29);
        assertThat(largest).isBetween(0.45, 0.55);
        RgbImage strip = new RandomResizedCrop(8).apply(Pictures.pattern(2, 90), random(1));
        assertThat(strip).extracting(RgbImage::height, RgbImage::width).containsExactly(8, 8);
    }

    @Test
    void flipsMirror() {
        RgbImage image = Pictures.places(4, 5);
        RgbImage mirrored = new RandomHorizontalFlip(1).apply(image, random(0));
        RgbImage turned = new RandomVerticalFlip(1).apply(image, random(0));
        for (int y = 0; y < 4; y++) {
            for (int x = 0; x < 5; x++) {
                assertThat(mirrored.at(y, x, 1)).isEqualTo(4 - x);
                assertThat(mirrored.at(y, x, 0)).isEqualTo(y);
                assertThat(turned.at(y, x, 0)).isEqualTo(3 - y);
            }
        }
        assertThat(new RandomHorizontalFlip(0).apply(image, random(0))).isSameAs(image);
        long flips = 0;
        for (int i = 0; i < 2000; i++) {
            flips += new RandomHorizontalFlip(0.3).apply(image, random(i)) == image ? 0 : 1;
        }
        assertThat(flips).isBetween(520L, 680L); // 600 expected, deviation 20
    }

    @Test
    void affineMapsMovePointsWhereTheMatrixSays() {
        RgbImage image = Pictures.places(20, 30);
        RgbImage moved = Warp.affine(image, Warp.inverse(image, 0, 3, -2, 1, 0, 0), Interpolation.BILINEAR,
                new Rgb(99, 99, 99));
        assertThat(moved.at(5, 10, 0)).isEqualTo(7);
        assertThat(moved.at(5, 10, 1)).isEqualTo(7);
        assertThat(moved.at(19, 10, 0)).isEqualTo(99);
        RgbImage quarter = Warp.affine(Pictures.places(20, 20),
                Warp.inverse(Pictures.places(20, 20), Math.PI / 2, 0, 0, 1, 0, 0),
                Interpolation.NEAREST, Rgb.BLACK);
        // Clockwise: what was on the left is on top.
        assertThat(quarter.at(3, 12, 1)).isEqualTo(3);
        assertThat(quarter.at(3, 12, 0)).isEqualTo(19 - 12);
        RgbImage doubled = Warp.affine(image, Warp.inverse(image, 0, 0, 0, 2, 0, 0), Interpolation.NEAREST, Rgb.BLACK);
        assertThat(doubled.at(0, 0, 0)).isEqualTo(5);
        assertThat(doubled.at(0, 0, 1)).isEqualTo(7);
    }

    @Test
    void erasingFillsOneRectangle() {
        RgbImage white = RgbImage.filled(50, 40, 255, 255, 255);
        Set<Integer> areas = new HashSet<>();
        for (int i = 0; i < 100; i++) {
            RgbImage erased = new RandomErasing(1, new Rgb(3, 4, 5)).apply(white, random(i));
            int top = 50;
            int bottom = -1;
            int left = 40;
            int right = -1;
            int count = 0;
            for (int y = 0; y < 50; y++) {
                for (int x = 0; x < 40; x++) {
                    if (erased.at(y, x, 0) == 3) {
                        top = Math.min(top, y);
                        bottom = Math.max(bottom, y);
                        left = Math.min(left, x);
                        right = Math.max(right, x);
                        count++;
                    }
                }
            }
            assertThat(count).isEqualTo((bottom - top + 1) * (right - left + 1)).isBetween(20, 800);
            areas.add(count);
        }
        assertThat(areas).hasSizeGreaterThan(30);
        assertThat(white).isEqualTo(RgbImage.filled(50, 40, 255, 255, 255));
    }

    @Test
    void normalizeIsToTensorThenNormalize() {
        float[] out = Transforms.of(Normalize.IMAGENET).apply(RgbImage.filled(1, 1, 255, 128, 0), null);
        assertThat(out).containsExactly((1f - 0.485f) / 0.229f, (128 / 255f - 0.456f) / 0.224f, (0f - 0.406f) / 0.225f);
        float[] signed = Transforms.of(Normalize.MINUS_ONE_TO_ONE).apply(RgbImage.filled(1, 1, 255, 128, 0), null);
        assertThat(signed).containsExactly(new float[] {1, 128 / 127.5f - 1, -1}, within(1e-6f));
        Normalize bgr = new Normalize(List.of(0f, 0f, 0f), List.of(1f, 1f, 1f), Normalize.Channels.BGR);
        assertThat(Transforms.of(bgr).apply(RgbImage.filled(1, 1, 255, 51, 0), null)).containsExactly(0, 0.2f, 1);
        Normalize gray = new Normalize(List.of(0.5f), List.of(0.25f), Normalize.Channels.GRAY);
        assertThat(Transforms.of(gray).apply(RgbImage.filled(2, 1, 100, 100, 100), null))
                .containsExactly(new float[] {(100 / 255f - 0.5f) / 0.25f, (100 / 255f - 0.5f) / 0.25f}, within(1e-6f));
    }

    @Test
    void imagesBecomeATensor() {
        Transforms t = Transforms.of(Normalize.IMAGENET, new CenterCrop(4, 5));
        RgbImage a = Pictures.pattern(7, 8);
        RgbImage b = Pictures.pattern(9, 6);
        try (Scope scope = Scope.open()) {
            assertThat(scope).isNotNull();
            Tensor x = t.toTensor(a, b);
            assertThat(x.shape().dims()).containsExactly(2, 4, 5, 3);
            assertThat(Arrays.copyOfRange(x.toFloats(), 0, 60)).isEqualTo(t.apply(a, null));
            assertThat(Arrays.copyOfRange(x.toFloats(), 60, 120)).isEqualTo(t.apply(b, null));
        }
        assertThatThrownBy(() -> Transforms.of(Normalize.IMAGENET).toTensor(a, b)).isInstanceOf(GraftException.class)
                .hasMessageContaining("image 1 is RgbImage[9, 6, 3]");
    }

    @Test
    void randomnessIsAFunctionOfSeedEpochAndIndex() {
        RgbImage image = Pictures.pattern(50, 60);
        float[] once = ALL.apply(image, SampleRandom.of(5, 3, 17));
        assertThat(ALL.apply(image, SampleRandom.of(5, 3, 17))).isEqualTo(once);
        assertThat(ALL.apply(image, SampleRandom.of(6, 3, 17))).isNotEqualTo(once);
        assertThat(ALL.apply(image, SampleRandom.of(5, 4, 17))).isNotEqualTo(once);
        assertThat(ALL.apply(image, SampleRandom.of(5, 3, 18))).isNotEqualTo(once);
        assertThat(image).isEqualTo(Pictures.pattern(50, 60));
    }

    @Test
    void uniformNumbersAreUniform() {
        SampleRandom random = SampleRandom.of(1, 0, 0);
        double sum = 0;
        int[] counts = new int[10];
        for (int i = 0; i < 20_000; i++) {
            double u = random.nextDouble();
            assertThat(u).isBetween(0.0, Math.nextDown(1.0));
            sum += u;
            counts[random.nextInt(10)]++;
        }
        assertThat(sum / 20_000).isCloseTo(0.5, within(0.01)); // deviation 0.002
        for (int count : counts) {
            assertThat(count).isBetween(1800, 2200); // deviation 42
        }
        assertThat(random.permutation(100)).containsExactlyInAnyOrder(IntStream.range(0, 100).toArray());
    }

    @Test
    void preparedPartIsTheOneBeforeRandomness() {
        Transforms t = Transforms.of(Normalize.IMAGENET, new Resize(20, Interpolation.BILINEAR), new RandomCrop(16, 0),
                new CenterCrop(8));
        RgbImage prepared = t.prepare(Pictures.pattern(40, 40));
        assertThat(prepared).extracting(RgbImage::height, RgbImage::width).containsExactly(20, 20);
        assertThat(t.random()).isTrue();
        assertThat(Transforms.evalDefault().random()).isFalse();
    }

    @Test
    void outputSizeIsKnownBeforehand() {
        assertThat(Transforms.evalDefault().outputSize()).containsExactly(224, 224);
        assertThat(Transforms.trainDefault(96).then(new ColorJitter(0.1, 0, 0, 0)).outputSize()).containsExactly(96, 96);
        assertThat(Transforms.of(Normalize.IMAGENET, new CenterCrop(9), new Resize(5, Interpolation.BOX)).outputSize())
                .isNull();
        assertThat(Transforms.of(Normalize.IMAGENET).outputSize()).isNull();
    }

    @Test
    void goesToJsonAndBack() throws Exception {
        assertThat(Transforms.fromJson(ALL.toJson())).isEqualTo(ALL).hasSameHashCodeAs(ALL);
        ObjectMapper plain = new ObjectMapper();
        assertThat(plain.readValue(plain.writeValueAsString(ALL), Transforms.class)).isEqualTo(ALL);
        assertThatThrownBy(() -> Transforms.fromJson("{\"steps\": [{\"transform\": \"Explode\"}]}"))
                .isInstanceOf(GraftException.class);
    }

    @Test
    void fingerprintTellsPipelinesApart() {
        assertThat(Transforms.evalDefault().fingerprint()).isEqualTo("image-1: Resize[size=256, interpolation=BILINEAR]"
                + " > CenterCrop[height=224, width=224]"
                + " > Normalize[mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225], channels=RGB]");
        assertThat(Transforms.evalDefault(256, 224, Normalize.IMAGENET, Interpolation.BICUBIC).fingerprint())
                .isNotEqualTo(Transforms.evalDefault().fingerprint());
        assertThat(Transforms.fromJson(ALL.toJson()).fingerprint()).isEqualTo(ALL.fingerprint());
    }

    @Test
    void senselessSettingsAreRefused() {
        assertThatThrownBy(() -> new RandomHorizontalFlip(1.5)).isInstanceOf(GraftException.class)
                .hasMessageContaining("0..1");
        assertThatThrownBy(() -> new Resize(0, Interpolation.BOX)).isInstanceOf(GraftException.class);
        assertThatThrownBy(() -> new RandomResizedCrop(8, 8, 0.5, 0.2, 1, 1, Interpolation.BOX))
                .isInstanceOf(GraftException.class);
        assertThatThrownBy(() -> Normalize.of(new float[] {0, 0}, new float[] {1, 1})).isInstanceOf(GraftException.class)
                .hasMessageContaining("RGB needs 3");
        assertThatThrownBy(() -> Normalize.of(new float[3], new float[3])).isInstanceOf(GraftException.class);
    }
}
