package dev.graft.cli.demo;

import dev.graft.tensor.GraftException;
import java.awt.image.BufferedImage;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The demo's data set: a few drawn training images per class and a larger test set. Every run is examined on the same
 * test images; the seed decides which training images it gets. Images are ordered by class.
 *
 * @param train training images
 * @param test  test images, the same for every seed
 */
public record DrawnTask(List<Sample> train, List<Sample> test) {
    private static final long EXAM = 0x7e57L;

    /**
     * One image.
     *
     * @param name  such as {@code cat-03}
     * @param label ordinal of its {@link DrawnClass}
     * @param rgb   bytes [32, 32, 3], red first
     */
    public record Sample(String name, int label, byte[] rgb) {
        /** The image for reports and contact sheets. */
        public BufferedImage image() {
            int n = ShapePainter.SIZE;
            BufferedImage out = new BufferedImage(n, n, BufferedImage.TYPE_INT_RGB);
            for (int i = 0; i < n * n; i++) {
                out.setRGB(i % n, i / n, (rgb[3 * i] & 255) << 16 | (rgb[3 * i + 1] & 255) << 8 | rgb[3 * i + 2] & 255);
            }
            return out;
        }
    }

    /** Draws {@code trainPerClass} images per class from {@code seed}, and the first {@code testPerClass} of the exam. */
    public static DrawnTask draw(long seed, int trainPerClass, int testPerClass) {
        if (trainPerClass < 1 || testPerClass < 1) {
            throw new GraftException("the drawn task needs at least one training and one test image per class, but got "
                    + trainPerClass + " and " + testPerClass);
        }
        // The exam's stream must not be any run's training stream, so training seeds are moved to another range.
        return new DrawnTask(images(mix(~EXAM, seed), trainPerClass), images(EXAM, testPerClass));
    }

    /** Names of the classes, in the order of the labels. */
    public static List<String> classes() {
        return Arrays.stream(DrawnClass.values()).map(DrawnClass::label).toList();
    }

    /** {@code samples} side by side, {@code columns} in a row, each pixel drawn {@code zoom} times as large. */
    public static BufferedImage contactSheet(List<Sample> samples, int columns, int zoom) {
        int cell = ShapePainter.SIZE * zoom;
        int rows = (samples.size() + columns - 1) / columns;
        BufferedImage sheet = new BufferedImage(columns * cell, Math.max(1, rows) * cell, BufferedImage.TYPE_INT_RGB);
        var g = sheet.createGraphics();
        for (int i = 0; i < samples.size(); i++) {
            g.drawImage(samples.get(i).image(), i % columns * cell, i / columns * cell, cell, cell, null);
        }
        g.dispose();
        return sheet;
    }

    private static List<Sample> images(long stream, int perClass) {
        ShapePainter painter = new ShapePainter();
        List<Sample> out = new ArrayList<>();
        for (DrawnClass c : DrawnClass.values()) {
            for (int i = 0; i < perClass; i++) {
                byte[] rgb = painter.paint(c, mix(mix(stream, c.ordinal()), i));
                out.add(new Sample(String.format("%s-%02d", c.label(), i), c.ordinal(), rgb));
            }
        }
        return List.copyOf(out);
    }

    /** The finaliser of SplitMix64 (Steele, Lea and Flood, 2014) over both numbers: neighbours give unrelated seeds. */
    private static long mix(long a, long b) {
        long z = a * 0x9e3779b97f4a7c15L + b + 0x632be59bd9b4e019L;
        z = (z ^ z >>> 30) * 0xbf58476d1ce4e5b9L;
        z = (z ^ z >>> 27) * 0x94d049bb133111ebL;
        return z ^ z >>> 31;
    }
}
