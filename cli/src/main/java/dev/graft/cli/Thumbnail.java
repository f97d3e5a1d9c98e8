package dev.graft.cli;

import dev.graft.nn.data.image.RgbImage;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;

/** Small pictures for reports. */
final class Thumbnail {
    private static final int LONGEST = 160;

    private Thumbnail() {}

    static BufferedImage of(RgbImage image) {
        int h = image.height();
        int w = image.width();
        BufferedImage full = new BufferedImage(w, h, BufferedImage.TYPE_INT_RGB);
        for (int y = 0; y < h; y++) {
            for (int x = 0; x < w; x++) {
                full.setRGB(x, y, image.at(y, x, 0) << 16 | image.at(y, x, 1) << 8 | image.at(y, x, 2));
            }
        }
        // Halving first: one bilinear step over more than a factor of two leaves pixels out.
        while (Math.max(full.getWidth(), full.getHeight()) > 2 * LONGEST) {
            full = scaled(full, 0.5);
        }
        double factor = (double) LONGEST / Math.max(full.getWidth(), full.getHeight());
        return factor < 1 ? scaled(full, factor) : full;
    }

    private static BufferedImage scaled(BufferedImage from, double factor) {
        int w = Math.max(1, (int) Math.round(from.getWidth() * factor));
        int h = Math.max(1, (int) Math.round(from.getHeight() * factor));
        BufferedImage to = new BufferedImage(w, h, BufferedImage.TYPE_INT_RGB);
        Graphics2D g = to.createGraphics();
        g.setRenderingHint(RenderingHints.KEY_INTERPOLATION, RenderingHints.VALUE_INTERPOLATION_BILINEAR);
        g.drawImage(from, 0, 0, w, h, null);
        g.dispose();
        return to;
    }
}
