package dev.graft.benchmarks.compare;

import dev.graft.benchmarks.peers.ConvNet;
import dev.graft.benchmarks.peers.Fingerprint;
import dev.graft.pretrained.format.SafetensorsWriter;
import dev.graft.tensor.DType;
import dev.graft.tensor.Shape;
import java.awt.image.BufferedImage;
import java.io.BufferedOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.imageio.ImageIO;

/**
 * One photo, one ResNet-18 with 1000 classes, a process that begins with nothing: {@code ./graft predict} and the same
 * through DJL. Both read the same weights, each in a file of the format it reads directly, and must name the same class.
 */
final class ColdPredict implements AutoCloseable {
    static final String WORK = "predict/resnet18";
    private static final int CLASSES = 1000;
    private static final Pattern OURS = Pattern.compile("\"index\"\\s*:\\s*(\\d+)");
    private static final Pattern THEIRS = Pattern.compile("^(\\d+) ", Pattern.MULTILINE);

    private final Path folder;
    private final Path safetensors;
    private final Path raw;
    private final Path photo;

    ColdPredict() throws IOException {
        folder = Files.createTempDirectory("graft-predict");
        safetensors = folder.resolve("resnet18.safetensors");
        raw = folder.resolve("resnet18.bin");
        photo = folder.resolve("photo.jpg");
        SafetensorsWriter writer = new SafetensorsWriter();
        try (DataOutputStream out = new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(raw), 1 << 20))) {
            ConvNet.resnet18().values(CLASSES, (name, values, dims) -> {
                writer.put(name, DType.F32, Shape.of(dims), values);
                ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
                bytes.asFloatBuffer().put(values);
                try {
                    out.write(bytes.array());
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
        }
        writer.write(safetensors);
        ImageIO.write(photo(), "jpg", photo.toFile());
    }

    /** Smooth, so that resizing with and without a filter gives nearly the same. */
    private static BufferedImage photo() {
        BufferedImage image = new BufferedImage(500, 375, BufferedImage.TYPE_INT_RGB);
        for (int y = 0; y < 375; y++) {
            for (int x = 0; x < 500; x++) {
                int r = (int) (128 + 100 * Math.sin(x * 0.02) * Math.cos(y * 0.03));
                int g = (int) (128 + 100 * Math.cos(x * 0.01 + y * 0.02));
                image.setRGB(x, y, r << 16 | g << 8 | (r + g) / 2);
            }
        }
        return image;
    }

    List<String> ours(Path launcher, int threads) {
        return List.of(launcher.toString(), "predict", "--model", "resnet18", "--weights", safetensors.toString(), "--json",
                "--threads", Integer.toString(threads), photo.toString());
    }

    List<String> theirs() {
        return List.of(raw.toString(), photo.toString());
    }

    /** Runs {@code command} until it ends. */
    static Sample time(ProcessBuilder command, boolean json) throws IOException, InterruptedException {
        StringBuilder said = new StringBuilder();
        long start = System.nanoTime();
        WatchedProcess.Ending end = WatchedProcess.run(command, Side.PATIENCE, line -> said.append(line).append('\n'));
        double millis = (System.nanoTime() - start) / 1e6;
        List<Integer> classes = new ArrayList<>();
        for (Matcher m = (json ? OURS : THEIRS).matcher(said); m.find(); ) {
            classes.add(Integer.parseInt(m.group(1)));
        }
        if (!end.good() || classes.isEmpty()) {
            throw new IOException("the process " + end + (classes.isEmpty() ? " and named no class: " : ": ")
                    + said.toString().strip().replaceAll("\\s+", " "));
        }
        return new Sample(millis, Fingerprint.of(new float[] {1 + classes.getFirst()}));
    }

    @Override
    public void close() throws IOException {
        for (Path p : List.of(safetensors, raw, photo, folder)) {
            Files.deleteIfExists(p);
        }
    }
}
