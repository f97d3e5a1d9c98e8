package dev.graft.cli.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.tensor.GraftException;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class DrawnTaskTest {
    private static final int VALUES = ShapePainter.SIZE * ShapePainter.SIZE * 3;

    @Test
    void sameSeedGivesTheSameBytesAndAnotherSeedOtherTrainingImages() {
        DrawnTask a = DrawnTask.draw(5, 3, 2);
        DrawnTask b = DrawnTask.draw(5, 3, 2);
        DrawnTask c = DrawnTask.draw(6, 3, 2);
        for (int i = 0; i < a.train().size(); i++) {
            assertThat(a.train().get(i).rgb()).isEqualTo(b.train().get(i).rgb()).isNotEqualTo(c.train().get(i).rgb());
        }
        for (int i = 0; i < a.test().size(); i++) {
            assertThat(a.test().get(i).rgb()).as("the exam").isEqualTo(c.test().get(i).rgb());
        }
    }

    @Test
    void anImageDoesNotDependOnWhatThePainterDrewBefore() {
        ShapePainter used = new ShapePainter();
        for (DrawnClass c : DrawnClass.values()) {
            used.paint(c, 1);
        }
        assertThat(used.paint(DrawnClass.CAT, 42)).isEqualTo(new ShapePainter().paint(DrawnClass.CAT, 42)).hasSize(VALUES);
    }

    @Test
    void noImageOccursTwiceInTrainingAndTest() {
        DrawnTask task = DrawnTask.draw(1, 15, 20);
        Set<Integer> seen = new HashSet<>();
        for (List<DrawnTask.Sample> part : List.of(task.train(), task.test())) {
            part.forEach(s -> seen.add(Arrays.hashCode(s.rgb())));
        }
        assertThat(seen).hasSize(10 * 35);
        assertThat(task.train()).extracting(DrawnTask.Sample::name).contains("cat-00", "tree-14");
        assertThat(task.train().get(15).label()).isEqualTo(DrawnClass.BIRD.ordinal());
    }

    /**
     * Classes are drawn on the same sceneries, so what a class's mean image has beyond the mean of all classes is its
     * subject. On other sceneries the nearest such mean must be the same class: else the labels would tell nothing.
     */
    @Test
    void classesDifferStatistically() {
        double[][] first = meanEdges(0, 120);
        double[][] second = meanEdges(120, 120);
        for (int i = 0; i < first.length; i++) {
            int nearest = 0;
            for (int j = 1; j < second.length; j++) {
                nearest = distance(first[i], second[j]) < distance(first[i], second[nearest]) ? j : nearest;
            }
            assertThat(nearest).as("nearest to %s", DrawnClass.values()[i]).isEqualTo(i);
        }
    }

    /** Colour and place of a single pixel must not give the class away: the task would be trivial without any network. */
    @Test
    void nearestNeighbourOnPixelsIsFarFromSolvingTheTask() {
        DrawnTask task = DrawnTask.draw(3, 15, 20);
        int right = 0;
        for (DrawnTask.Sample t : task.test()) {
            DrawnTask.Sample best = task.train().getFirst();
            long smallest = Long.MAX_VALUE;
            for (DrawnTask.Sample s : task.train()) {
                long d = 0;
                for (int i = 0; i < VALUES; i++) {
                    int diff = (t.rgb()[i] & 255) - (s.rgb()[i] & 255);
                    d += (long) diff * diff;
                }
                if (d < smallest) {
                    smallest = d;
                    best = s;
                }
            }
            right += best.label() == t.label() ? 1 : 0;
        }
        assertThat(right / 200.0).isLessThan(0.35);
    }

    @Test
    void imageHasThePixelsOfTheSampleAndTheSheetHoldsAll() {
        DrawnTask task = DrawnTask.draw(1, 1, 1);
        DrawnTask.Sample s = task.train().get(4);
        int at = 3 * (7 * 32 + 9);
        assertThat(s.image().getRGB(9, 7) & 0xffffff)
                .isEqualTo((s.rgb()[at] & 255) << 16 | (s.rgb()[at + 1] & 255) << 8 | s.rgb()[at + 2] & 255);
        var sheet = DrawnTask.contactSheet(task.train(), 4, 2);
        assertThat(sheet.getWidth()).isEqualTo(4 * 64);
        assertThat(sheet.getHeight()).isEqualTo(3 * 64);
        assertThat(sheet.getRGB(2 * 9, 64 + 2 * 7)).isEqualTo(s.image().getRGB(9, 7));
    }

    @Test
    void refusesEmptyParts() {
        assertThatThrownBy(() -> DrawnTask.draw(1, 0, 5)).isInstanceOf(GraftException.class).hasMessageContaining("0 and 5");
    }

    /**
     * Per class: mean absolute differences of neighbours in 8 x 8 cells (shape, not colour), less the mean of all
     * classes.
     */
    private static double[][] meanEdges(int from, int n) {
        ShapePainter painter = new ShapePainter();
        int classes = DrawnClass.values().length;
        double[][] mean = new double[classes][64];
        for (DrawnClass c : DrawnClass.values()) {
            for (int k = from; k < from + n; k++) {
                byte[] rgb = painter.paint(c, k);
                for (int i = 3; i < VALUES; i++) {
                    int cell = i / 3 / 32 / 4 * 8 + i / 3 % 32 / 4;
                    mean[c.ordinal()][cell] += Math.abs((rgb[i] & 255) - (rgb[i - 3] & 255)) / (double) n;
                }
            }
        }
        for (int cell = 0; cell < 64; cell++) {
            double all = 0;
            for (double[] m : mean) {
                all += m[cell] / classes;
            }
            for (double[] m : mean) {
                m[cell] -= all;
            }
        }
        return mean;
    }

    private static double distance(double[] a, double[] b) {
        double d = 0;
        for (int i = 0; i < a.length; i++) {
            d += (a[i] - b[i]) * (a[i] - b[i]);
        }
        return Math.sqrt(d);
    }
}
