package dev.graft.cli;

import dev.graft.pretrained.ModelZoo;
import dev.graft.pretrained.PretrainedModel;
import java.awt.Color;
import java.awt.GradientPaint;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import javax.imageio.ImageIO;

/**
 * The run from which the JVM learns what to keep ready for later ones: the launcher {@code graft} starts it with
 * {@code -XX:AOTCacheOutput} at the end of a build, or at the first start that finds no cache that fits. It does what most
 * commands do first (parse, read weights, decode, compute) with nothing but what the jar holds.
 */
final class Rehearsal {
    private static final int SIZE = 300;
    /** It has all kinds of layers that networks for photographs have, and is quick to make. */
    private static final String NETWORK = "mobilenet_v2";

    private Rehearsal() {}

    public static void main(String[] args) throws IOException {
        System.exit(run());
    }

    /** The exit code of the commands: 0 when all went well. */
    static int run() throws IOException {
        Path image = Files.createTempFile("graft", ".jpg");
        Path weights = Files.createTempFile("graft", ".safetensors");
        try {
            ImageIO.write(draw(), "jpg", image.toFile());
            try (PretrainedModel model = ModelZoo.find(NETWORK).random(List.of("this", "that"))) {
                model.save(weights);
            }
            int code = 0;
            for (String[] command : commands(image.toString(), weights.toString())) {
                code = Math.max(code, Main.run(command, silent(), new PrintWriter(System.err, true)));
            }
            return code;
        } finally {
            Files.delete(image);
            Files.delete(weights);
        }
    }

    private static String[][] commands(String image, String weights) {
        String[] photo = {"predict", "--model", NETWORK, "--weights", weights, image};
        return new String[][] {
            {"predict", "--model", "graft_cifar", image},
            {"predict", "--model", "graft_cifar", "--json", image},
            photo, photo, photo, // profiles of the kernels are kept too
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
