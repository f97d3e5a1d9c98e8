package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.reflect.Method;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.imageio.ImageIO;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The Java examples of the README compile and run, on small images and the backbone inside the jar. */
class ReadmeTest {
    @TempDir
    private Path folder;

    private static List<String> examples() throws IOException {
        Matcher m = Pattern.compile("```java\n(.*?)```", Pattern.DOTALL)
                .matcher(Files.readString(Path.of("..", "README.md")));
        List<String> all = new ArrayList<>();
        while (m.find()) {
            all.add(m.group(1));
        }
        return all;
    }

    @Test
    void fineTuningRuns() throws Exception {
        images();
        String code = examples().getFirst()
                .replace("\"photos\"", "\"" + folder.resolve("photos") + "\"")
                .replace("\"photos.safetensors\"", "\"" + folder.resolve("photos.safetensors") + "\"")
                .replace("find(\"mobilenet_v2\").load(Path.of(\"mobilenet_v2.safetensors\"))",
                        "find(\"graft_cifar\").load()")
                .replace("model.network(), 10)", "model.network(), 2)");
        String printed = run("FineTuneExample", code);
        assertThat(printed).contains("plan finetune: 2 epochs").contains("frozen: *.0.*").contains("% right");
        assertThat(folder.resolve("photos.safetensors")).isNotEmptyFile();
    }

    @Test
    void tapeRuns() throws Exception {
        String code = examples().get(1);
        String promised = code.substring(code.indexOf("// float32") + 3, code.indexOf("\n", code.indexOf("// float32")));
        assertThat(run("TapeExample", code).strip()).isEqualTo(promised);
    }

    @Test
    void quantisingRuns() throws Exception {
        String code = examples().get(2);
        String promised = code.substring(code.indexOf("// 8 linear") + 3, code.indexOf("\n", code.indexOf("// 8 linear")));
        assertThat(run("QuantizeExample", code).lines()).containsExactly(promised, "[1, 16, 768]");
    }

    private void images() throws IOException {
        for (String part : new String[] {"train", "val"}) {
            for (int i = 0; i < 12; i++) {
                BufferedImage image = new BufferedImage(40, 36, BufferedImage.TYPE_INT_RGB);
                Graphics2D g = image.createGraphics();
                g.setColor(i % 2 == 0 ? Color.RED : Color.BLUE);
                g.fillOval(i, 4, 24, 24);
                g.dispose();
                Path file = folder.resolve("photos").resolve(part).resolve(i % 2 == 0 ? "red" : "blue").resolve(i + ".png");
                Files.createDirectories(file.getParent());
                ImageIO.write(image, "png", file.toFile());
            }
        }
    }

    /** Compiles a compact source file and returns what its main prints. */
    private String run(String name, String code) throws Exception {
        Path source = Files.writeString(folder.resolve(name + ".java"), code);
        ByteArrayOutputStream messages = new ByteArrayOutputStream();
        int rc = ToolProvider.getSystemJavaCompiler().run(null, messages, messages, "-d", folder.toString(),
                "-cp", System.getProperty("java.class.path"), source.toString());
        assertThat(rc).as(messages.toString(StandardCharsets.UTF_8)).isZero();
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        PrintStream before = System.out;
        System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
        try (URLClassLoader loader = new URLClassLoader(new URL[] {folder.toUri().toURL()}, getClass().getClassLoader())) {
            Class<?> type = loader.loadClass(name);
            Method main = type.getDeclaredMethod("main");
            main.setAccessible(true);
            var constructor = type.getDeclaredConstructor();
            constructor.setAccessible(true);
            main.invoke(constructor.newInstance());
        } finally {
            System.setOut(before);
        }
        return printed.toString(StandardCharsets.UTF_8);
    }
}
