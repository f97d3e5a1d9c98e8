package dev.graft.benchmarks.compare;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.graft.benchmarks.Environment;
import dev.graft.nn.data.image.CenterCrop;
import dev.graft.nn.data.image.Interpolation;
import dev.graft.nn.data.image.Normalize;
import dev.graft.nn.data.image.Resize;
import dev.graft.nn.data.image.RgbImage;
import dev.graft.nn.data.image.Transforms;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Supplier;

/**
 * {@code graft bench --resize [PYTHON [FILE]]}: one decoded photo, bilinear, on one thread, by Pillow, by sharp (libvips)
 * and by Graft, whose processes are started in turn. Recorded in FILE, or as {@code results/resize-DATE.json}.
 */
final class ResizeComparison {
    private static final int WIDTH = 500;
    private static final int HEIGHT = 375;
    private static final int TURNS = 7;
    private static final List<String> ROWS = List.of("resize", "resize_crop");

    private ResizeComparison() {
    }

    public static void main(String[] args) throws IOException, InterruptedException {
        try {
            if (args.length > 0 && args[0].equals("--graft")) {
                graft(Path.of(args[1]));
            } else if (args.length > 2 || args.length > 0 && args[0].startsWith("-")) {
                System.out.println("graft bench --resize [PYTHON [FILE]], by default python3 and results/resize-DATE.json");
            } else {
                compare(args.length > 0 ? args[0] : "python3", args.length > 1 ? args[1] : null);
            }
        } catch (IOException e) {
            System.err.println("graft bench: " + e.getMessage());
            System.exit(1);
        }
    }

    private static void compare(String python, String out) throws IOException, InterruptedException {
        Path home = Path.of(System.getProperty("bench.home"));
        String scripts = home.resolve("peers").resolve("resize") + "/";
        List<String> graft = new ArrayList<>(List.of(System.getProperty("java.home") + "/bin/java"));
        graft.addAll(List.of(System.getProperty("bench.flags").split(" ")));
        graft.addAll(List.of("-cp", System.getProperty("java.class.path"), ResizeComparison.class.getName(), "--graft"));
        Map<String, List<String>> commands = new LinkedHashMap<>();
        commands.put("pillow", List.of(python, scripts + "pillow.py"));
        commands.put("sharp", List.of("node", scripts + "sharp.js"));
        commands.put("graft", graft);

        ObjectNode json = new ObjectMapper().createObjectNode();
        ObjectNode environment = Environment.of(System.getProperty("bench.commit"));
        json.set("environment", environment.put("threads", 1).put("turns", TURNS));
        ObjectNode engines = json.put("photo", WIDTH + "x" + HEIGHT + " RGB").putObject("engines");
        Map<String, List<Double>> millis = new LinkedHashMap<>();
        Map<String, byte[]> pixels = new LinkedHashMap<>();
        Path folder = Files.createTempDirectory("graft-resize");
        try {
            Files.write(folder.resolve("photo"), photo());
            for (int turn = 0; turn < TURNS; turn++) {
                for (String engine : commands.keySet()) {
                    for (String line : run(commands.get(engine), folder)) {
                        String[] words = line.split(" ", 2);
                        if (words[0].equals("engine")) {
                            engines.put(engine, words[1]);
                        } else if (ROWS.contains(words[0])) {
                            String key = words[0] + " " + engine;
                            millis.computeIfAbsent(key, k -> new ArrayList<>()).add(Double.valueOf(words[1]));
                            pixels.put(key, Files.readAllBytes(folder.resolve(words[0])));
                        }
                    }
                }
            }
        } finally {
            for (String file : List.of("photo", "resize", "resize_crop", "")) {
                Files.deleteIfExists(folder.resolve(file));
            }
        }

        ArrayNode rows = json.putArray("rows");
        millis.forEach((key, all) -> {
            String ours = key.split(" ")[0] + " graft";
            double median = Measured.median(all);
            double ratio = median / Measured.median(millis.get(ours));
            int differs = difference(pixels.get(key), pixels.get(ours));
            rows.addObject().put("row", key).put("median_ms", median).put("over_graft", ratio)
                    .put("pixels_differ_by", differs).putPOJO("turns_ms", all);
            System.out.printf(Locale.ROOT, "%-18s %.3f ms (%.3f to %.3f), %.2f of Graft's, pixels differ by %d%n",
                    key, median, Collections.min(all), Collections.max(all), ratio, differs);
        });
        Path file = out != null ? Path.of(out)
                : home.resolve("results").resolve("resize-" + LocalDate.now(ZoneOffset.UTC) + ".json");
        Files.writeString(file, new ObjectMapper().writerWithDefaultPrettyPrinter().writeValueAsString(json) + "\n");
        System.out.println("recorded in " + file);
    }

    private static List<String> run(List<String> engine, Path folder) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(engine);
        command.addAll(List.of(folder.toString(), WIDTH + "x" + HEIGHT));
        List<String> lines = new ArrayList<>();
        WatchedProcess.Ending end = WatchedProcess.run(new ProcessBuilder(command), Duration.ofMinutes(1), lines::add);
        if (!end.good()) {
            throw new IOException(command.getFirst() + " " + end + ": " + String.join("\n", lines));
        }
        return lines;
    }

    /** Slanted waves. What is in it makes no difference to the time. */
    private static byte[] photo() {
        byte[] pixels = new byte[3 * WIDTH * HEIGHT];
        for (int i = 0; i < pixels.length; i++) {
            pixels[i] = (byte) (128 + 127 * Math.sin(i * 0.0401 + i % 3));
        }
        return pixels;
    }

    private static int difference(byte[] a, byte[] b) {
        int most = a.length == b.length ? 0 : 255;
        for (int i = 0; i < Math.min(a.length, b.length); i++) {
            most = Math.max(most, Math.abs((a[i] & 0xFF) - (b[i] & 0xFF)));
        }
        return most;
    }

    private static void graft(Path folder) throws IOException {
        RgbImage image = new RgbImage(HEIGHT, WIDTH, Files.readAllBytes(folder.resolve("photo")));
        Resize resize = new Resize(256, Interpolation.BILINEAR);
        Transforms cropped = Transforms.of(Normalize.IMAGENET, resize, new CenterCrop(224));
        Map<String, Supplier<RgbImage>> calls = Map.of("resize", () -> resize.apply(image, null),
                "resize_crop", () -> cropped.prepare(image));
        System.out.println("engine Graft, Java " + Runtime.version());
        for (String row : ROWS) {
            Files.write(folder.resolve(row), calls.get(row).get().pixels());
            median(calls.get(row), 1);
            System.out.println(row + " " + median(calls.get(row), 0.5));
        }
    }

    private static double median(Supplier<RgbImage> call, double seconds) {
        List<Double> each = new ArrayList<>();
        for (long begun = System.nanoTime(); System.nanoTime() - begun < seconds * 1e9; ) {
            long start = System.nanoTime();
            call.get();
            each.add((System.nanoTime() - start) / 1e6);
        }
        return Measured.median(each);
    }
}
