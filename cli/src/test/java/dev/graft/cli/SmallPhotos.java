package dev.graft.cli;

import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import javax.imageio.ImageIO;

/** Folders of small pictures that can be told apart: discs, bars and squares in random colours and places. */
final class SmallPhotos {
    static final String[] CLASSES = {"bar", "disc", "square"};

    private SmallPhotos() {}

    /** {@code folder/train/CLASS/} and {@code folder/val/CLASS/}. */
    static Path split(Path folder, int classes, int train, int validation) {
        fill(folder.resolve("train"), classes, train, 1);
        fill(folder.resolve("val"), classes, validation, 2);
        return folder;
    }

    static Path fill(Path folder, int classes, int perClass, long seed) {
        try {
            Random random = new Random(seed);
            for (int c = 0; c < classes; c++) {
                Path of = Files.createDirectories(folder.resolve(CLASSES[c]));
                for (int i = 0; i < perClass; i++) {
                    ImageIO.write(picture(c, random), i % 2 == 0 ? "png" : "jpg",
                            of.resolve(i + (i % 2 == 0 ? ".png" : ".jpg")).toFile());
                }
            }
            return folder;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static BufferedImage picture(int c, Random random) {
        BufferedImage image = new BufferedImage(36, 34, BufferedImage.TYPE_INT_RGB);
        Graphics2D g = image.createGraphics();
        g.setColor(new Color(random.nextInt(90), random.nextInt(90), random.nextInt(90)));
        g.fillRect(0, 0, 36, 34);
        g.setColor(new Color(150 + random.nextInt(100), 150 + random.nextInt(100), 150 + random.nextInt(100)));
        int x = 2 + random.nextInt(10);
        int y = 2 + random.nextInt(8);
        switch (c) {
            case 0 -> g.fillRect(0, y + 8, 36, 5);
            case 1 -> g.fillOval(x, y, 20, 20);
            default -> g.drawRect(x, y, 18, 18);
        }
        g.dispose();
        return image;
    }
}
