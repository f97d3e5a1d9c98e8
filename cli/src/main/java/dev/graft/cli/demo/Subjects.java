package dev.graft.cli.demo;

import static dev.graft.cli.demo.Brush.alpha;
import static dev.graft.cli.demo.Brush.box;
import static dev.graft.cli.demo.Brush.curve;
import static dev.graft.cli.demo.Brush.disc;
import static dev.graft.cli.demo.Brush.polygon;
import static dev.graft.cli.demo.Brush.shade;

import dev.graft.cli.demo.Brush.Texture;
import java.awt.Color;
import java.awt.geom.AffineTransform;
import java.awt.geom.Arc2D;
import java.awt.geom.Line2D;
import java.awt.geom.Path2D;
import java.awt.geom.QuadCurve2D;
import java.awt.geom.RoundRectangle2D;

/**
 * One drawing per class, each with two or three quite different views and random proportions and colours, so that no
 * single shape or colour stands for a class. Coordinates are the brush's box, -1 to 1, y downwards.
 */
final class Subjects {
    private static final Color INK = new Color(24, 22, 26);
    private static final Color GLASS = new Color(126, 160, 184);

    private Subjects() {
    }

    static void draw(DrawnClass subject, Brush b) {
        switch (subject) {
            case AIRPLANE -> airplane(b);
            case BIRD -> bird(b);
            case BOAT -> boat(b);
            case CAR -> car(b);
            case CAT -> cat(b);
            case CUP -> cup(b);
            case FISH -> fish(b);
            case FLOWER -> flower(b);
            case HOUSE -> house(b);
            case TREE -> tree(b);
        }
    }

    private static void airplane(Brush b) {
        Color hull = b.color(0, 0.5, 0.55, 1);
        Color trim = b.color(0.3, 0.9, 0.4, 1);
        if (b.chance(0.5)) {
            airplaneFromAbove(b, hull, trim);
            return;
        }
        double thick = b.between(0.12, 0.19);
        b.solid(polygon(-0.1, -0.02, 0.12, -0.02, -0.2, -0.5, -0.34, -0.5), shade(hull, 0.75));
        b.solid(polygon(-0.92, -0.02, -0.72, -0.06, -0.86, -0.52, -1, -0.52), trim);
        b.solid(curve(-1, -0.06, 0, -thick - 0.1, 0.72, -thick, 1.02, -0.02, 0.82, thick * 0.7, 0, thick + 0.1, -1,
                -0.06), hull);
        b.flat(polygon(0.72, -thick * 0.8, 0.88, -0.05, 0.7, -0.05), GLASS);
        for (double x = -0.55; x < 0.6; x += 0.16) {
            b.flat(disc(x, -0.05, 0.04, 0.045), shade(GLASS, 0.6));
        }
        b.solid(polygon(-0.12, 0.05, 0.2, 0.05, -0.28, 0.58, -0.46, 0.58), shade(hull, 0.9));
        b.flat(disc(-0.06, 0.27, 0.15, 0.065), shade(trim, 0.6));
        b.solid(polygon(-0.95, -0.04, -0.7, -0.04, -0.98, 0.2, -1.08, 0.2), shade(hull, 0.8));
    }

    private static void airplaneFromAbove(Brush b, Color hull, Color trim) {
        double sweep = b.between(0, 0.55);
        double span = b.between(0.8, 1);
        b.solid(polygon(-0.12, -0.22, 0.12, -0.22, span, 0.02 + sweep, span, 0.16 + sweep, 0, 0.2, -span, 0.16 + sweep,
                -span, 0.02 + sweep), shade(hull, 0.88));
        b.solid(polygon(0, 0.62, 0.38, 0.82, 0.38, 0.96, 0, 0.88, -0.38, 0.96, -0.38, 0.82), trim);
        b.solid(curve(0, -1, 0.17, -0.86, 0.14, -0.3, 0.12, 0.5, 0, 1, -0.12, 0.5, -0.14, -0.3, -0.17, -0.86, 0, -1), hull);
        b.flat(disc(0, -0.74, 0.09, 0.07), shade(GLASS, 0.5));
        for (int side = -1; side <= 1; side += 2) {
            b.flat(disc(side * 0.42, 0.02 + 0.4 * sweep, 0.065, 0.16), shade(trim, 0.55));
        }
    }

    private static void bird(Brush b) {
        Color body = b.color(0.1, 0.85, 0.3, 0.95);
        Color wing = b.chance(0.5) ? shade(body, 0.6) : b.color(0.1, 0.7, 0.2, 0.9);
        Color beak = b.hue(0.1, 0.04, 0.85, b.between(0.6, 1));
        if (b.chance(0.4)) {
            double lift = b.between(0.3, 0.85);
            b.solid(curve(0.08, 0.1, -0.3, -lift, -1, -lift * 0.8, -0.7, -0.05, -0.16, 0.3), wing, Texture.STRIPES);
            b.solid(polygon(-0.2, 0.2, -0.72, 0.45, -0.6, 0.62, -0.1, 0.34), wing);
            b.solid(disc(0.08, 0.18, 0.38, 0.2), body, Texture.HAIR);
            b.solid(curve(0.16, 0.12, 0.25, -lift, 0.85, -lift * 0.9, 0.7, 0.05, 0, 0.3), shade(wing, 1.15),
                    Texture.STRIPES);
            b.solid(disc(0.47, 0.06, 0.18, 0.16), body);
            b.flat(polygon(0.62, 0, 0.86, 0.09, 0.61, 0.13), beak);
            b.flat(disc(0.52, 0.02, 0.035, 0.035), INK);
            return;
        }
        double plump = b.between(0.36, 0.5);
        for (double x = -0.1; x < 0.2; x += 0.2) {
            b.line(new Line2D.Double(x, 0.4, x + 0.05, 0.92), shade(beak, 0.8), 0.05);
        }
        b.solid(polygon(-0.35, 0.1, -1, 0.42, -0.9, 0.6, -0.2, 0.4), wing);
        b.solid(curve(-0.6, 0.15, -0.2, -0.35, 0.4, -0.3, 0.75, plump, 0.1, plump + 0.12, -0.4, plump + 0.1, -0.6, 0.15),
                body,
                Texture.HAIR);
        b.solid(disc(0.42, -0.42, 0.29, 0.27), body);
        b.solid(curve(0.25, -0.05, 0.1, 0.5, -0.7, 0.38, -0.3, -0.1, 0.25, -0.05), wing, Texture.STRIPES);
        b.flat(polygon(0.66, -0.5, 1, -0.38, 0.66, -0.3), beak);
        b.flat(disc(0.5, -0.48, 0.07, 0.07), Color.WHITE);
        b.flat(disc(0.52, -0.48, 0.045, 0.045), INK);
    }

    private static void boat(Brush b) {
        Color hull = b.color(0.2, 0.9, 0.3, 0.95);
        b.flat(disc(0, 0.86, 1, 0.14), alpha(b.hue(0.57, 0.05, 0.5, 0.7), 0.7));
        if (b.chance(0.6)) {
            Color sail = b.chance(0.6) ? b.color(0, 0.15, 0.85, 1) : b.color(0.4, 0.9, 0.6, 1);
            double mast = b.between(-0.15, 0.15);
            b.line(new Line2D.Double(mast, -1, mast, 0.5), new Color(92, 64, 40), 0.06);
            b.solid(curve(mast + 0.05, -0.95, mast + b.between(0.4, 0.8), -0.2, 0.8, 0.36, mast + 0.05, 0.36), sail,
                    b.chance(0.3) ? Texture.STRIPES : Texture.SMOOTH);
            if (b.chance(0.75)) {
                b.solid(polygon(mast - 0.06, -0.8, mast - 0.06, 0.36, -0.75, 0.36), shade(sail, 0.85));
            }
            b.solid(curve(-0.9, 0.45, 0, 0.55, 0.98, 0.42, 0.8, 0.9, 0.45, 0.9, 0, 0.95, -0.5, 0.9, -0.8, 0.8, -0.9,
                    0.45), hull);
            return;
        }
        Color deck = b.color(0, 0.2, 0.8, 1);
        int floors = 1 + b.upTo(3);
        for (int i = floors - 1; i >= 0; i--) {
            double w = 0.6 - 0.14 * i;
            double top = 0.02 - 0.26 * i;
            b.solid(box(-w - 0.1, top, w - 0.1, top + 0.3), deck);
            for (double x = -w; x < w - 0.25; x += 0.2) {
                b.flat(box(x, top + 0.08, x + 0.1, top + 0.18), shade(GLASS, 0.5));
            }
        }
        double funnel = b.between(-0.35, 0.05);
        double top = 0.05 - 0.26 * floors;
        b.solid(box(funnel, top - 0.32, funnel + 0.24, top + 0.1), b.color(0.5, 1, 0.4, 0.95));
        b.flat(box(funnel, top - 0.32, funnel + 0.24, top - 0.22), INK);
        b.solid(polygon(-0.95, 0.3, 1.02, 0.22, 0.76, 0.88, -0.78, 0.88), hull);
        b.line(new Line2D.Double(-0.88, 0.5, 0.9, 0.46), shade(hull, 1.5), 0.06);
    }

    private static void car(Brush b) {
        Color paint = b.color(0.1, 1, 0.3, 1);
        if (b.chance(0.3)) {
            carFromFront(b, paint);
            return;
        }
        double roof = b.between(-0.62, -0.4);
        double rear = b.between(-0.85, -0.45);
        double front = b.between(0.25, 0.5);
        b.flat(disc(0, 0.62, 1, 0.1), alpha(INK, 0.5));
        b.solid(polygon(rear - 0.12, 0, rear + 0.12, roof, front - 0.2, roof, front + 0.18, 0), paint);
        b.solid(new RoundRectangle2D.Double(-1, -0.06, 2, 0.52, 0.3, 0.3), paint);
        b.flat(polygon(rear + 0.04, -0.04, rear + 0.19, roof + 0.09, -0.1, roof + 0.09, -0.1, -0.04), GLASS);
        b.flat(polygon(-0.02, -0.04, -0.02, roof + 0.09, front - 0.24, roof + 0.09, front + 0.04, -0.04), shade(GLASS,
                0.85));
        b.flat(disc(0.93, 0.12, 0.07, 0.09), new Color(255, 240, 180));
        b.flat(box(-1, 0.06, -0.91, 0.2), new Color(190, 30, 30));
        b.line(new Line2D.Double(-0.06, 0, -0.06, 0.36), shade(paint, 0.5), 0.025);
        for (double x = -0.55; x < 0.7; x += 1.1) {
            wheel(b, x, 0.45, 0.27);
        }
    }

    private static void carFromFront(Brush b, Color paint) {
        b.flat(disc(0, 0.78, 0.9, 0.1), alpha(INK, 0.5));
        b.flat(box(-0.8, 0.45, -0.5, 0.85), INK);
        b.flat(box(0.5, 0.45, 0.8, 0.85), INK);
        b.solid(polygon(-0.72, 0, -0.5, -0.62, 0.5, -0.62, 0.72, 0), paint);
        b.flat(polygon(-0.58, -0.02, -0.42, -0.5, 0.42, -0.5, 0.58, -0.02), GLASS);
        b.solid(new RoundRectangle2D.Double(-0.88, -0.05, 1.76, 0.68, 0.3, 0.3), paint);
        b.flat(box(-0.34, 0.16, 0.34, 0.34), shade(paint, 0.3));
        b.flat(box(-0.8, 0.44, 0.8, 0.54), new Color(70, 70, 74));
        for (int side = -1; side <= 1; side += 2) {
            b.flat(disc(side * 0.6, 0.2, 0.16, 0.12), new Color(255, 246, 205));
        }
    }

    private static void wheel(Brush b, double x, double y, double r) {
        b.flat(disc(x, y, r, r), INK);
        b.flat(disc(x, y, 0.55 * r, 0.55 * r), new Color(176, 178, 184));
        b.flat(disc(x, y, 0.2 * r, 0.2 * r), new Color(80, 80, 84));
    }

    private static void cat(Brush b) {
        Color fur = switch (b.upTo(4)) {
            case 0 -> b.hue(0.08, 0.02, b.between(0.5, 0.85), b.between(0.6, 0.95));
            case 1 -> b.hue(0.08, 0.1, b.between(0, 0.12), b.between(0.75, 1));
            case 2 -> b.hue(0.08, 0.1, b.between(0, 0.2), b.between(0.14, 0.3));
            default -> b.hue(0.6, 0.1, b.between(0, 0.14), b.between(0.35, 0.65));
        };
        Texture coat = b.chance(0.4) ? Texture.STRIPES : Texture.HAIR;
        if (b.chance(0.5)) {
            catFace(b, fur, coat, b.between(0.62, 0.8));
            return;
        }
        b.line(new QuadCurve2D.Double(0.3, 0.8, 1.05, 0.75, 0.8, b.between(-0.2, 0.3)), shade(fur, 0.8), 0.16);
        b.solid(curve(-0.45, 0.95, -0.6, 0.1, -0.15, -0.1, 0.35, -0.1, 0.55, 0.95), fur, coat);
        b.line(new Line2D.Double(-0.15, 0.4, -0.18, 0.92), shade(fur, 0.55), 0.04);
        AffineTransform before = b.g.getTransform();
        b.g.translate(-0.14, -0.42);
        b.g.scale(0.6, 0.6);
        catFace(b, fur, coat, 0.72);
        b.g.setTransform(before);
    }

    private static void catFace(Brush b, Color fur, Texture coat, double height) {
        double ear = b.between(0.85, 1.05);
        Color eyes = b.hue(0.22, 0.12, 0.8, 0.9);
        for (int side = -1; side <= 1; side += 2) {
            b.solid(polygon(side * 0.15, -0.5, side * 0.72, -ear, side * 0.85, -0.15), fur);
            b.flat(polygon(side * 0.36, -0.52, side * 0.66, -ear + 0.2, side * 0.72, -0.3), new Color(214, 150, 150));
        }
        b.solid(disc(0, 0.08, 0.86, height), fur, coat);
        b.flat(disc(0, 0.38, 0.34, 0.22), shade(fur, 1.5));
        for (int side = -1; side <= 1; side += 2) {
            b.flat(disc(side * 0.36, -0.05, 0.17, 0.15), eyes);
            b.flat(disc(side * 0.36, -0.05, 0.06, 0.14), INK);
            for (int i = -1; i <= 1; i++) {
                b.line(new Line2D.Double(side * 0.22, 0.36 + 0.05 * i, side * 0.95, 0.34 + 0.16 * i), alpha(Color.WHITE,
                        0.8), 0.025);
            }
        }
        b.flat(polygon(-0.11, 0.22, 0.11, 0.22, 0, 0.36), new Color(206, 110, 120));
        b.line(new Arc2D.Double(-0.2, 0.28, 0.2, 0.2, 200, 160, Arc2D.OPEN), INK, 0.035);
        b.line(new Arc2D.Double(0, 0.28, 0.2, 0.2, 180, 160, Arc2D.OPEN), INK, 0.035);
    }

    private static void cup(Brush b) {
        Color clay = b.color(0, 0.9, 0.35, 1);
        double top = b.between(-0.7, -0.3);
        double base = b.between(0.36, 0.6);
        boolean saucer = b.chance(0.4);
        if (saucer) {
            b.solid(disc(-0.05, 0.76, 0.95, 0.2), shade(clay, 0.9));
        }
        b.line(new Arc2D.Double(0.36, top + 0.2, 0.56, 0.62, 90, -190, Arc2D.OPEN), shade(clay, 0.75), 0.13);
        b.solid(curve(-0.66, top, -0.66, 0.5, -base, 0.78, 0, 0.94, base, 0.78, 0.62, 0.5, 0.6, top), clay,
                b.chance(0.5) ? Texture.SMOOTH : b.chance(0.5) ? Texture.STRIPES : Texture.DOTS);
        b.solid(disc(-0.03, top, 0.64, 0.19), shade(clay, 0.85));
        b.flat(disc(-0.03, top + 0.03, 0.54, 0.13), b.chance(0.5) ? new Color(64, 36, 20) : new Color(150, 90, 40));
        b.line(new Line2D.Double(-0.45, top + 0.3, -0.4, 0.4), alpha(Color.WHITE, 0.5), 0.07);
        if (b.chance(0.5)) {
            for (double x = -0.3; x < 0.3; x += 0.25) {
                b.line(new QuadCurve2D.Double(x, top - 0.1, x + 0.2, top - 0.25, x, top - 0.42), alpha(Color.WHITE, 0.6),
                        0.05);
            }
        }
    }

    private static void fish(Brush b) {
        Color scales = b.color(0.2, 1, 0.4, 1);
        Color fins = b.chance(0.5) ? shade(scales, 0.65) : b.color(0.3, 1, 0.4, 1);
        double tall = b.between(0.42, 0.85);
        double tail = b.between(0.35, 0.6);
        b.solid(curve(-0.5, 0, -0.8, -tail, -1.05, -tail, -0.8, 0, -1.05, tail, -0.8, tail, -0.5, 0), fins, Texture.STRIPES);
        b.solid(curve(-0.4, -0.2, -0.1, -tall - 0.35, 0.35, -tall * 0.6, 0.2, 0, -0.4, -0.2), fins);
        b.solid(polygon(-0.1, 0.3, 0.15, 0.3, -0.2, tall * 0.6 + 0.35), fins);
        b.solid(curve(-0.62, 0, 0.1, -tall * 1.35, 0.95, 0.02, 0.1, tall * 1.35, -0.62, 0), scales,
                b.chance(0.4) ? Texture.STRIPES : b.chance(0.5) ? Texture.DOTS : Texture.SMOOTH);
        b.line(new Arc2D.Double(0.2, -0.25, 0.3, 0.5, 100, 160, Arc2D.OPEN), shade(scales, 0.5), 0.04);
        b.solid(polygon(0.12, 0.06, -0.22, 0.02, -0.2, 0.26), fins);
        b.flat(disc(0.6, -0.1, 0.1, 0.1), Color.WHITE);
        b.flat(disc(0.62, -0.1, 0.055, 0.055), INK);
        b.line(new Line2D.Double(0.76, 0.14, 0.9, 0.08), INK, 0.035);
    }

    private static void flower(Brush b) {
        Color petal = b.color(0.3, 1, 0.6, 1);
        Color heart = b.hue(0.12, 0.05, 0.9, b.between(0.4, 1));
        Color green = b.hue(0.31, 0.06, 0.7, b.between(0.3, 0.65));
        boolean stem = b.chance(0.75);
        double y = stem ? -0.35 : 0;
        double r = stem ? 0.58 : 0.9;
        if (stem) {
            b.line(new QuadCurve2D.Double(0, y, b.between(-0.3, 0.3), 0.4, b.between(-0.2, 0.2), 1), green, 0.09);
            b.solid(curve(0, 0.62, 0.3, 0.15, 0.65, 0.25, 0.4, 0.6, 0, 0.62), green);
            b.solid(curve(0, 0.78, -0.35, 0.35, -0.7, 0.5, -0.4, 0.8, 0, 0.78), shade(green, 0.8));
        }
        if (stem && b.chance(0.3)) {
            b.solid(curve(-0.42, -0.85, -0.6, 0.1, 0, 0.08, 0.6, 0.1, 0.42, -0.85, 0.3, -0.7, 0.2, -0.5, 0.1, -0.8, 0, -0.95,
                    -0.1, -0.8, -0.2, -0.5, -0.3, -0.7, -0.42, -0.85), petal);
            return;
        }
        int petals = 5 + b.upTo(8);
        double wide = 1.7 / petals + 0.08;
        AffineTransform before = b.g.getTransform();
        b.g.translate(0, y);
        b.g.scale(r, r * b.between(0.6, 1));
        for (int i = 0; i < petals; i++) {
            b.g.rotate(2 * Math.PI / petals);
            b.solid(disc(0, -0.62, wide, 0.4), shade(petal, b.between(0.75, 1.15)));
        }
        b.solid(disc(0, 0, 0.3, 0.3), heart, Texture.DOTS);
        b.g.setTransform(before);
    }

    private static void house(Brush b) {
        Color wall = b.color(0, 0.6, 0.5, 1);
        Color roof = b.chance(0.5) ? b.hue(0.02, 0.04, 0.7, b.between(0.35, 0.75)) : b.color(0.1, 0.7, 0.2, 0.7);
        double left = b.between(-0.9, -0.6);
        double right = b.between(0.6, 0.9);
        double eave = b.between(-0.25, 0.05);
        double ridge = b.between(-1, -0.75);
        if (b.chance(0.6)) {
            double x = b.between(0.2, 0.45);
            b.solid(box(x, ridge, x + 0.18, eave), shade(roof, 0.8));
        }
        b.solid(box(left, eave, right, 0.9), wall, b.chance(0.3) ? Texture.STRIPES : Texture.SMOOTH);
        Path2D cover = b.chance(0.6) ? polygon(left - 0.15, eave + 0.05, (left + right) / 2, ridge, right + 0.15,
                eave + 0.05)
                : polygon(left - 0.12, eave + 0.05, left + 0.25, ridge + 0.1, right - 0.25, ridge + 0.1, right + 0.12,
                eave + 0.05);
        b.solid(cover, roof, b.chance(0.5) ? Texture.STRIPES : Texture.SMOOTH);
        double door = b.between(left + 0.15, right - 0.45);
        b.solid(box(door, 0.3, door + 0.3, 0.9), b.color(0.3, 0.9, 0.2, 0.7));
        Color pane = b.chance(0.5) ? GLASS : new Color(250, 220, 130);
        for (double x = left + 0.12; x < right - 0.3; x += 0.42) {
            window(b, x, eave + 0.14, pane);
            if (x > door + 0.34 || x + 0.28 < door - 0.04) {
                window(b, x, 0.42, pane);
            }
        }
    }

    private static void window(Brush b, double x, double y, Color pane) {
        b.flat(box(x, y, x + 0.26, y + 0.24), Color.WHITE);
        b.flat(box(x + 0.03, y + 0.03, x + 0.115, y + 0.21), shade(pane, 0.7));
        b.flat(box(x + 0.145, y + 0.03, x + 0.23, y + 0.21), shade(pane, 0.7));
    }

    private static void tree(Brush b) {
        Color bark = b.hue(0.07, 0.02, b.between(0.4, 0.7), b.between(0.2, 0.5));
        Color leaf = b.chance(0.7) ? b.hue(0.29, 0.07, b.between(0.5, 0.9), b.between(0.25, 0.7))
                : b.hue(0.06, 0.06, b.between(0.6, 0.95), b.between(0.5, 0.9));
        double trunk = b.between(0.08, 0.15);
        switch (b.upTo(3)) {
            case 0 -> {
                b.solid(box(-trunk, 0.5, trunk, 1), bark);
                int tiers = 3 + b.upTo(2);
                for (int i = tiers - 1; i >= 0; i--) {
                    double top = -1 + 1.15 * i / tiers;
                    double w = 0.35 + 0.45 * i / (tiers - 1);
                    b.solid(polygon(0, top, w, top + 0.7, -w, top + 0.7), leaf, Texture.LEAVES);
                }
            }
            case 1 -> {
                b.solid(polygon(-trunk, 0.1, trunk, 0.1, 1.6 * trunk, 1, -1.6 * trunk, 1), bark, Texture.STRIPES);
                b.line(new Line2D.Double(0, 0.4, 0.4, 0), bark, trunk);
                b.line(new Line2D.Double(0, 0.45, -0.4, 0), bark, trunk);
                int crowns = 4 + b.upTo(4);
                for (int i = 0; i < crowns; i++) {
                    double a = 2 * Math.PI * i / crowns;
                    b.solid(disc(0.42 * Math.cos(a), -0.35 + 0.3 * Math.sin(a), 0.42, 0.38), leaf, Texture.LEAVES);
                }
                b.solid(disc(0, -0.4, 0.5, 0.42), leaf, Texture.LEAVES);
            }
            default -> {
                double lean = b.between(-0.3, 0.3);
                b.line(new QuadCurve2D.Double(0, 1, 0, 0.2, lean, -0.45), bark, 0.16);
                int fronds = 6 + b.upTo(3);
                for (int i = 0; i < fronds; i++) {
                    double a = Math.PI * (1.15 + 1.3 * (i - (fronds - 1) / 2.0) / fronds) + Math.PI * 0.35;
                    double x = lean + 0.85 * Math.cos(a);
                    double y = -0.45 + 0.6 * Math.sin(a) + 0.2;
                    b.solid(curve(lean, -0.45, (lean + x) / 2, y - 0.45, x, y, (lean + x) / 2, y - 0.15, lean, -0.45),
                            shade(leaf, b.between(0.7, 1.2)), Texture.STRIPES);
                }
            }
        }
    }
}
