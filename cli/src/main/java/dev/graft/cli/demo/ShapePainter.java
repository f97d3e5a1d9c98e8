package dev.graft.cli.demo;

import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.geom.AffineTransform;
import java.awt.image.BufferedImage;
import java.awt.image.DataBufferInt;
import java.util.SplittableRandom;

/**
 * Draws one image of the demo's task with Java2D, without a display and without fonts. The same class and seed give the
 * same bytes. A scene is drawn without antialiasing on a canvas four times as wide and averaged down, which costs little
 * and gives soft edges that do not depend on the rendering pipeline.
 */
public final class ShapePainter {
    /** Width and height of an image in pixels: what the CIFAR backbones were trained on. */
    public static final int SIZE = 32;

    private static final int OVERSAMPLE = 4;
    private static final int CANVAS = SIZE * OVERSAMPLE;

    private final BufferedImage canvas = new BufferedImage(CANVAS, CANVAS, BufferedImage.TYPE_INT_RGB);

    /** One image as bytes [{@link #SIZE}, {@link #SIZE}, 3], red first. */
    public byte[] paint(DrawnClass subject, long seed) {
        Graphics2D g = canvas.createGraphics();
        Brush brush = new Brush(g, new SplittableRandom(seed));
        try {
            g.setRenderingHint(RenderingHints.KEY_STROKE_CONTROL, RenderingHints.VALUE_STROKE_PURE);
            Scenery.background(brush, CANVAS);
            Scenery.clutter(brush, CANVAS);
            place(brush);
            Subjects.draw(subject, brush);
            g.setTransform(new AffineTransform());
            Scenery.occlusion(brush, CANVAS);
        } finally {
            g.dispose();
        }
        float[] rgb = average(((DataBufferInt) canvas.getRaster().getDataBuffer()).getData());
        Scenery.light(brush, rgb, SIZE);
        byte[] out = new byte[rgb.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = (byte) Math.round(255 * rgb[i]);
        }
        return out;
    }

    /** Sets the pose: place, size, turn, slant and mirror image. */
    private static void place(Brush b) {
        double scale = b.between(0.33, 0.5) * CANVAS;
        double room = 0.5 * CANVAS - 0.85 * scale;
        b.g.translate(0.5 * CANVAS + b.between(-1, 1) * room, 0.5 * CANVAS + b.between(-1, 1) * room);
        b.g.rotate(Math.toRadians(b.between(-25, 25)));
        b.g.shear(b.between(-0.25, 0.25), b.between(-0.1, 0.1));
        b.g.scale(scale * b.between(0.85, 1.1) * (b.chance(0.5) ? 1 : -1), scale * b.between(0.85, 1.1));
    }

    /** Means over squares of {@value #OVERSAMPLE} x {@value #OVERSAMPLE} pixels, as values 0 to 1 of [SIZE, SIZE, 3]. */
    private static float[] average(int[] pixels) {
        float[] out = new float[SIZE * SIZE * 3];
        float scale = 1f / (255 * OVERSAMPLE * OVERSAMPLE);
        for (int y = 0; y < SIZE; y++) {
            for (int x = 0; x < SIZE; x++) {
                int red = 0;
                int green = 0;
                int blue = 0;
                for (int i = 0; i < OVERSAMPLE * OVERSAMPLE; i++) {
                    int p = pixels[(y * OVERSAMPLE + i / OVERSAMPLE) * CANVAS + x * OVERSAMPLE + i % OVERSAMPLE];
                    red += p >> 16 & 255;
                    green += p >> 8 & 255;
                    blue += p & 255;
                }
                int at = 3 * (y * SIZE + x);
                out[at] = red * scale;
                out[at + 1] = green * scale;
                out[at + 2] = blue * scale;
            }
        }
        return out;
    }
}
