package dev.graft.nn.data;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;

/** Images that lie beside the checkout on some machines; tests that need them are skipped elsewhere. */
final class RealData {
    private RealData() {
    }

    static Path path(String name) {
        return Path.of(System.getProperty("graft.test.data", "absent")).resolve(name).normalize();
    }

    static Path hymenoptera() {
        Path path = path("image-hymenoptera");
        Assumptions.assumeTrue(Files.isDirectory(path), "no ants and bees at " + path);
        return path;
    }
}
