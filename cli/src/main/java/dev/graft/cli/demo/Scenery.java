package dev.graft.cli.demo;

import static dev.graft.cli.demo.Brush.alpha;
import static dev.graft.cli.demo.Brush.box;
import static dev.graft.cli.demo.Brush.disc;
import static dev.graft.cli.demo.Brush.polygon;
import static dev.graft.cli.demo.Brush.shade;

import java.awt.Color;
import java.awt.GradientPaint;
import java.awt.geom.Line2D;
import java.awt.geom.QuadCurve2D;

/**
 * All that surrounds a subject and makes it hard to recognise: background, clutter, things in front of it, light and
 * noise. Nothing here knows the class, so the surroundings give nothing away. Coordinates are pixels of the large canvas.
 */
final class Scenery {
    private Scenery() {
    }

    static void background(Brush b, int size) {
        Color first = b.color(0.05, 0.6, 0.3, 1);
        Color second = b.color(0.05, 0.6, 0.3, 1);
        double angle = b.between(0, 2 * Math.PI);
        float dx = (float) (size * Math.cos(angle) / 2);
        float dy = (float) (size * Math.sin(angle) / 2);
        b.g.setPaint(new GradientPaint(size / 2f - dx, size / 2f - dy, first, size / 2f + dx, size / 2f + dy, second));
        b.g.fill(box(0, 0, size, size));
        switch (b.upTo(8)) {
            case 0, 6 -> horizon(b, size);
            case 1 -> stripes(b, size, first);
            case 2 -> foliage(b, size, first);
            case 3 -> bricks(b, size, second);
            case 4 -> clouds(b, size);
            default -> { }
        }
    }

    private static void horizon(Brush b, int size) {
        double y = b.between(0.4, 0.85) * size;
        Color ground = b.color(0.1, 0.8, 0.2, 0.8);
        b.solid(box(0, y, size, size), ground);
        for (int i = 0; i < 50; i++) {
            double x = b.between(0, size);
            double at = b.between(y, size);
            b.line(new Line2D.Double(x, at, x + b.between(-6, 6), at - b.between(0, 6)), shade(ground, b.between(0.6,
                    1.5)), 1.5);
        }
    }

    private static void stripes(Brush b, int size, Color base) {
        double step = b.between(6, 22);
        double slant = b.between(-size, size);
        for (double x = -size; x < 2 * size; x += step) {
            b.line(new Line2D.Double(x, 0, x + slant, size), alpha(shade(base, b.between(0.7, 1.3)), 0.7),
                    step * b.between(0.2, 0.6));
        }
    }

    private static void foliage(Brush b, int size, Color base) {
        int n = 60 + b.upTo(120);
        for (int i = 0; i < n; i++) {
            b.flat(disc(b.between(0, size), b.between(0, size), b.between(2, 12), b.between(2, 9)),
                    alpha(shade(base, b.between(0.5, 1.5)), 0.6));
        }
    }

    private static void bricks(Brush b, int size, Color base) {
        double h = b.between(8, 16);
        for (int row = 0; row * h < size; row++) {
            for (double x = row % 2 == 0 ? 0 : -h; x < size; x += 2 * h) {
                b.flat(box(x, row * h, x + 2 * h - 1.5, row * h + h - 1.5), shade(base, b.between(0.75, 1.2)));
            }
        }
    }

    private static void clouds(Brush b, int size) {
        for (int i = 0; i < 12; i++) {
            b.flat(disc(b.between(0, size), b.between(0, size), b.between(8, 34), b.between(5, 14)),
                    alpha(b.color(0, 0.1, 0.8, 1), b.between(0.15, 0.5)));
        }
    }

    /** Small things around and behind the subject. */
    static void clutter(Brush b, int size) {
        int n = 1 + b.upTo(5);
        for (int i = 0; i < n; i++) {
            double x = b.between(0, size);
            double y = b.between(0, size);
            double r = b.between(0.03, 0.14) * size;
            Color c = b.color(0.1, 0.9, 0.2, 1);
            switch (b.upTo(4)) {
                case 0 -> b.solid(disc(x, y, r, r * b.between(0.4, 1)), c);
                case 1 -> b.solid(polygon(x, y, x + b.between(-2, 2) * r, y + r, x + r, y - b.between(0.2, 1.5) * r), c);
                case 2 -> b.solid(box(x, y, x + r * b.between(0.5, 2), y + r), c);
                default -> b.line(new QuadCurve2D.Double(x, y, x + b.between(-3, 3) * r, y + b.between(-3, 3) * r,
                        x + b.between(-4, 4) * r, y + b.between(-4, 4) * r), c, b.between(1.5, 5));
            }
        }
    }

    /** Something in front of the subject, in about every second image; it hides at most about a quarter. */
    static void occlusion(Brush b, int size) {
        if (b.chance(0.5)) {
            return;
        }
        Color c = b.color(0.1, 0.8, 0.1, 0.9);
        double at = b.between(0.15, 0.85) * size;
        switch (b.upTo(4)) {
            case 0 -> b.line(new Line2D.Double(at, -5, at + b.between(-0.4, 0.4) * size, size + 5), c, b.between(3, 11));
            case 1 -> b.line(new Line2D.Double(-5, at, size + 5, at + b.between(-0.4, 0.4) * size), c, b.between(3, 9));
            case 2 -> b.solid(disc(at, b.chance(0.5) ? 0 : size, b.between(0.15, 0.35) * size, b.between(0.1,
                    0.3) * size), c);
            default -> {
                for (int i = 0; i < 14; i++) {
                    double x = b.between(0, size);
                    b.line(new QuadCurve2D.Double(x, size, x, size * 0.8, x + b.between(-12, 12), size * b.between(0.6,
                            0.9)),
                            shade(c, b.between(0.6, 1.4)), 2);
                }
            }
        }
    }

    /** Brightness, contrast, colour cast, a light from one side and noise, on values 0 to 1 of {@code [size, size, 3]}. */
    static void light(Brush b, float[] rgb, int size) {
        double gain = b.between(0.75, 1.15);
        double offset = b.between(-0.08, 0.14);
        double gray = b.chance(0.15) ? b.between(0.6, 1) : 0;
        double[] cast = {b.between(0.88, 1.1), b.between(0.9, 1.08), b.between(0.88, 1.1)};
        double angle = b.between(0, 2 * Math.PI);
        double slope = b.between(0, 0.4);
        double noise = b.chance(0.2) ? b.between(0.03, 0.06) : b.between(0.005, 0.025);
        for (int y = 0; y < size; y++) {
            for (int x = 0; x < size; x++) {
                double side = ((x - size / 2.0) * Math.cos(angle) + (y - size / 2.0) * Math.sin(angle)) / size;
                int at = 3 * (y * size + x);
                double luma = 0.299 * rgb[at] + 0.587 * rgb[at + 1] + 0.114 * rgb[at + 2];
                for (int c = 0; c < 3; c++) {
                    double v = rgb[at + c] + gray * (luma - rgb[at + c]);
                    v = offset + gain * cast[c] * (1 + 2 * slope * side) * v + noise * b.random.nextGaussian();
                    rgb[at + c] = (float) Math.max(0, Math.min(1, v));
                }
            }
        }
    }
}
