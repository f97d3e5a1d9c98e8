package dev.graft.cli;

import java.awt.Color;
import java.awt.GradientPaint;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.imageio.ImageIO;

/**
 * The run from which the JVM learns what to keep ready for later ones: {@code ./graft} starts it once after a build with
 * {@code -XX:AOTCacheOutput}. It does what most commands do first (parse, read weights, decode, compute) with nothing but
 * what the jar holds.
 */
final class Rehearsal {
    private static final int SIZE = 64;

    private Rehearsal() {}

    public static void main(String[] args) throws IOException {
        System.exit(run());
    }

    /** The exit code of the commands: 0 when all went well. */
    static int run() throws IOException {
        Path image = Files.createTempFile("graft", ".jpg");
        try {
            ImageIO.write(draw(), "jpg", image.toFile());
            int code = 0;
            for (String[] command : commands(image.toFile())) {
                code = Math.max(code, Main.run(command, silent(), new PrintWriter(System.err, true)));
            }
            return code;
        } finally {
            Files.delete(image);
        }
    }

    private static String[][] commands(File image) {
        return new String[][] {
            {"predict", "--model", "graft_cifar", image.getPath()},
            {"predict", "--model", "graft_cifar", "--json", image.getPath()},
            {"models"},
            {"finetune", "--help"},
        };
    }

    private static BufferedImage draw() {
        BufferedImage image = new BufferedImage(SIZE, SIZE, BufferedImage.TYPE_INT_RGB);
        Graphics2D g = image.createGraphics();
        g.setPaint(new GradientPaint(0, 0, Color.CYAN, SIZE, SIZE, Color.ORANGE));
        g.fillRect(0, 0, SIZE, SIZE);
        g.dispose();
        return image;
    }

    private static PrintWriter silent() {
        return new PrintWriter(OutputStream.nullOutputStream());
    }
}
