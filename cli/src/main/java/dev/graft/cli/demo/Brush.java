package dev.graft.cli.demo;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.GradientPaint;
import java.awt.Graphics2D;
import java.awt.Shape;
import java.awt.geom.Ellipse2D;
import java.awt.geom.Line2D;
import java.awt.geom.Path2D;
import java.awt.geom.Rectangle2D;
import java.util.SplittableRandom;

/**
 * A graphics context with its random stream. Subjects are drawn in a box from -1 to 1 on both axes, y downwards; the
 * transform that places, turns and scales the box is set before the subject is drawn.
 */
final class Brush {
    /** What covers a filled area, so that surfaces are not flat. */
    enum Texture { SMOOTH, HAIR, DOTS, STRIPES, LEAVES }

    final Graphics2D g;
    final SplittableRandom random;

    Brush(Graphics2D g, SplittableRandom random) {
        this.g = g;
        this.random = random;
    }

    double between(double low, double high) {
        return low + (high - low) * random.nextDouble();
    }

    boolean chance(double probability) {
        return random.nextDouble() < probability;
    }

    int upTo(int bound) {
        return random.nextInt(bound);
    }

    /** Any colour: hue uniform, saturation and brightness in the given ranges. */
    Color color(double satLow, double satHigh, double brightLow, double brightHigh) {
        return hue(random.nextDouble(), 0.5, between(satLow, satHigh), between(brightLow, brightHigh));
    }

    /** A colour within {@code spread} of {@code hue}; hues go from 0 (red) over 1/3 (green) and 2/3 (blue) to 1. */
    Color hue(double hue, double spread, double saturation, double brightness) {
        double h = hue + between(-spread, spread);
        return Color.getHSBColor((float) h, (float) clamp(saturation), (float) clamp(brightness));
    }

    /** {@code c} with its brightness multiplied; factors above 1 lighten. */
    static Color shade(Color c, double factor) {
        float[] hsb = Color.RGBtoHSB(c.getRed(), c.getGreen(), c.getBlue(), null);
        double saturation = factor > 1 ? hsb[1] / factor : hsb[1];
        return Color.getHSBColor(hsb[0], (float) clamp(saturation), (float) clamp(hsb[2] * factor));
    }

    static Color alpha(Color c, double opacity) {
        return new Color(c.getRed(), c.getGreen(), c.getBlue(), (int) Math.round(255 * clamp(opacity)));
    }

    private static double clamp(double x) {
        return Math.max(0, Math.min(1, x));
    }

    /** Fills with light from above, then with the texture, then perhaps draws the outline. */
    void solid(Shape s, Color c, Texture texture) {
        Rectangle2D box = s.getBounds2D();
        g.setPaint(new GradientPaint((float) box.getMinX(), (float) box.getMinY(), shade(c, 1.25),
                (float) (box.getMinX() + 0.3 * box.getWidth()), (float) box.getMaxY(), shade(c, 0.62)));
        g.fill(s);
        if (texture != Texture.SMOOTH) {
            Shape before = g.getClip();
            g.clip(s);
            texture(box, c, texture);
            g.setClip(before);
        }
    }

    void solid(Shape s, Color c) {
        solid(s, c, Texture.SMOOTH);
    }

    void flat(Shape s, Color c) {
        g.setPaint(c);
        g.fill(s);
    }

    void line(Shape s, Color c, double width) {
        g.setPaint(c);
        g.setStroke(new BasicStroke((float) width, BasicStroke.CAP_ROUND, BasicStroke.JOIN_ROUND));
        g.draw(s);
    }

    /** Short marks over {@code box} in shades of {@code base}; the clip limits them to the surface. */
    void texture(Rectangle2D box, Color base, Texture texture) {
        double size = Math.max(box.getWidth(), box.getHeight());
        int marks = switch (texture) {
            case SMOOTH -> 0;
            case HAIR -> 60;
            case DOTS -> 14;
            case STRIPES -> 7;
            case LEAVES -> 70;
        };
        double angle = between(-0.5, 0.5);
        for (int i = 0; i < marks; i++) {
            double x = between(box.getMinX(), box.getMaxX());
            double y = between(box.getMinY(), box.getMaxY());
            Color c = shade(base, between(0.55, 1.45));
            switch (texture) {
                case SMOOTH -> { }
                case HAIR -> line(new Line2D.Double(x, y, x + angle * 0.16 * size, y + 0.14 * size), c, 0.018 * size);
                case DOTS -> flat(disc(x, y, 0.06 * size, 0.05 * size), c);
                case STRIPES -> {
                    double at = box.getMinX() + (i + 0.5) / marks * box.getWidth();
                    line(new Line2D.Double(at, box.getMinY(), at + angle * size, box.getMaxY()),
                            shade(base, i % 2 == 0 ? 0.6 : 1.3), 0.05 * size);
                }
                case LEAVES -> flat(disc(x, y, 0.075 * size, 0.05 * size), alpha(c, 0.85));
            }
        }
    }

    /** An ellipse by its centre and half axes. */
    static Ellipse2D disc(double x, double y, double rx, double ry) {
        return new Ellipse2D.Double(x - rx, y - ry, 2 * rx, 2 * ry);
    }

    static Rectangle2D box(double left, double top, double right, double bottom) {
        return new Rectangle2D.Double(left, top, right - left, bottom - top);
    }

    /** A closed polygon through x, y pairs. */
    static Path2D polygon(double... xy) {
        Path2D p = new Path2D.Double();
        p.moveTo(xy[0], xy[1]);
        for (int i = 2; i < xy.length; i += 2) {
            p.lineTo(xy[i], xy[i + 1]);
        }
        p.closePath();
        return p;
    }

    /** A closed curve: a start point, then per piece one control point and the end point of a quadratic Bézier. */
    static Path2D curve(double... xy) {
        Path2D p = new Path2D.Double();
        p.moveTo(xy[0], xy[1]);
        for (int i = 2; i + 3 < xy.length; i += 4) {
            p.quadTo(xy[i], xy[i + 1], xy[i + 2], xy[i + 3]);
        }
        p.closePath();
        return p;
    }
}
