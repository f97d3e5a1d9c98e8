package dev.graft.cli.report;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * Curves over epochs as inline SVG. Written by hand rather than with a plotting library: colours come from the page's
 * style, so a chart follows light and dark mode, and no fonts are needed where the report is made.
 *
 * @param title   what the chart shows, also for screen readers
 * @param percent whether values from 0 to 1 are shown as percentages
 * @param series  at most {@value #MOST} curves
 * @param mark    epoch to mark with a line, 0 for none
 */
record LineChart(String title, boolean percent, List<Series> series, int mark) {
    static final int MOST = 4;

    private static final int WIDTH = 480;
    private static final int HEIGHT = 260;
    private static final int LEFT = 48;
    private static final int RIGHT = 12;
    private static final int TOP = 12;
    private static final int BOTTOM = 36;

    /** One curve; y values that are not finite leave a gap. */
    record Series(String name, double[] x, double[] y) { }

    boolean isEmpty() {
        return series.stream().allMatch(s -> finite(s) == 0);
    }

    void writeTo(Html html) {
        double maxX = 1;
        double minX = Double.POSITIVE_INFINITY;
        double minY = percent ? 0 : Double.POSITIVE_INFINITY;
        double maxY = percent ? 1 : Double.NEGATIVE_INFINITY;
        for (Series s : series) {
            for (int i = 0; i < s.x.length; i++) {
                if (Double.isFinite(s.y[i])) {
                    minX = Math.min(minX, s.x[i]);
                    maxX = Math.max(maxX, s.x[i]);
                    minY = Math.min(minY, s.y[i]);
                    maxY = Math.max(maxY, s.y[i]);
                }
            }
        }
        if (!percent) {
            minY = Math.min(0, minY);
        }
        double stepY = step(maxY - minY, 5);
        Frame frame = new Frame(Math.min(minX, maxX - 1), maxX, Math.floor(minY / stepY) * stepY,
                Math.ceil(maxY / stepY) * stepY);

        html.open("figure");
        html.open("figcaption").element("strong", title).open("span", "class", "legend");
        for (int i = 0; i < series.size(); i++) {
            html.open("span", "class", "key")
                    .open("svg", "viewBox", "0 0 24 8", "width", 24, "height", 8, "aria-hidden", "true")
                    .empty("line", "x1", 1, "y1", 4, "x2", 23, "y2", 4, "class", "curve s" + (i + 1)).close()
                    .text(series.get(i).name).close();
        }
        html.close().close();
        html.open("svg", "viewBox", "0 0 " + WIDTH + " " + HEIGHT, "role", "img", "aria-label", title + ". " + inWords());
        axes(html, frame, stepY);
        if (mark > 0) {
            html.open("line", "class", "mark", "x1", frame.x(mark), "x2", frame.x(mark), "y1", TOP, "y2", HEIGHT - BOTTOM)
                    .element("title", "best epoch: " + mark).close();
        }
        for (int i = 0; i < series.size(); i++) {
            curve(html, frame, series.get(i), i + 1);
        }
        html.close().close().newLine();
    }

    private void axes(Html html, Frame frame, double stepY) {
        int lines = (int) Math.round((frame.maxY - frame.minY) / stepY);
        for (int i = 0; i <= lines; i++) {
            double v = frame.minY + i * stepY;
            html.empty("line", "class", "grid", "x1", LEFT, "x2", WIDTH - RIGHT, "y1", frame.y(v), "y2", frame.y(v));
            html.element("text", label(v, stepY), "x", LEFT - 6, "y", frame.y(v), "dy", "0.32em", "text-anchor", "end");
        }
        double stepX = Math.max(1, step(frame.maxX - frame.minX, 8));
        for (double v = Math.ceil(frame.minX / stepX) * stepX; v <= frame.maxX + 1e-9; v += stepX) {
            html.element("text", String.valueOf(Math.round(v)), "x", frame.x(v), "y", HEIGHT - BOTTOM + 16,
                    "text-anchor", "middle");
        }
        html.element("text", "epoch", "x", (LEFT + WIDTH - RIGHT) / 2, "y", HEIGHT - 4, "text-anchor", "middle");
    }

    private void curve(Html html, Frame frame, Series s, int number) {
        StringBuilder path = new StringBuilder();
        boolean pen = false;
        for (int i = 0; i < s.x.length; i++) {
            if (!Double.isFinite(s.y[i])) {
                pen = false;
                continue;
            }
            path.append(pen ? 'L' : 'M').append(frame.x(s.x[i])).append(' ').append(frame.y(s.y[i]));
            pen = true;
        }
        if (path.isEmpty()) {
            return;
        }
        html.empty("path", "class", "curve s" + number, "d", path);
        for (int i = 0; i < s.x.length; i++) {
            if (Double.isFinite(s.y[i])) {
                html.open("circle", "class", "dot s" + number, "cx", frame.x(s.x[i]), "cy", frame.y(s.y[i]), "r", 2.5)
                        .element("title", s.name + ", epoch " + Math.round(s.x[i]) + ": " + value(s.y[i])).close();
            }
        }
    }

    /** First and last value of each curve, for those who cannot see it. */
    private String inWords() {
        StringBuilder text = new StringBuilder();
        for (Series s : series) {
            double first = Double.NaN;
            double last = Double.NaN;
            for (double y : s.y) {
                if (Double.isFinite(y)) {
                    first = Double.isNaN(first) ? y : first;
                    last = y;
                }
            }
            if (!Double.isNaN(first)) {
                text.append(s.name).append(" from ").append(value(first)).append(" to ").append(value(last)).append(". ");
            }
        }
        return text.toString().strip();
    }

    private String value(double v) {
        return percent ? String.format(Locale.ROOT, "%.1f %%", 100 * v) : String.format(Locale.ROOT, "%.4g", v);
    }

    private String label(double v, double step) {
        if (percent) {
            return Math.round(100 * v) + " %";
        }
        int digits = Math.max(0, (int) Math.ceil(-Math.log10(step) - 1e-9));
        return String.format(Locale.ROOT, "%." + Math.min(digits, 8) + "f", v);
    }

    private static long finite(Series s) {
        return Arrays.stream(s.y).filter(Double::isFinite).count();
    }

    /** The round number (1, 2 or 5 times a power of ten) that cuts {@code range} into at most about {@code parts}. */
    static double step(double range, int parts) {
        if (!(range > 0)) {
            return 1;
        }
        double raw = range / parts;
        double power = Math.pow(10, Math.floor(Math.log10(raw)));
        double mantissa = raw / power;
        return power * (mantissa <= 1.0000001 ? 1 : mantissa <= 2.0000001 ? 2 : mantissa <= 5.0000001 ? 5 : 10);
    }

    /** Data coordinates to pixels, as text with one decimal. */
    private record Frame(double minX, double maxX, double minY, double maxY) {
        String x(double v) {
            return pixel(LEFT + (v - minX) / (maxX - minX) * (WIDTH - LEFT - RIGHT));
        }

        String y(double v) {
            return pixel(HEIGHT - BOTTOM - (v - minY) / Math.max(1e-12, maxY - minY) * (HEIGHT - TOP - BOTTOM));
        }

        private static String pixel(double v) {
            return String.format(Locale.ROOT, "%.1f", v);
        }
    }
}
