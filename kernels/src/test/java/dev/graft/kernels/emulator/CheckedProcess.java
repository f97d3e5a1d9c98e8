package dev.graft.kernels.emulator;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Runs a class's main in a JVM of its own, where kernels check every access and every tensor is its own allocation. */
public final class CheckedProcess {
    private CheckedProcess() {}

    /** What came of it. */
    public record Result(int status, String output) {}

    public static Result run(Class<?> main, String... arguments) throws IOException, InterruptedException {
        List<String> c = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString()));
        for (String a : ManagementFactory.getRuntimeMXBean().getInputArguments()) {
            if (a.startsWith("--") || a.startsWith("-X")) {
                c.add(a);   // modules and access, as here
            }
        }
        c.addAll(List.of("-Dgraft.emulator.checked=true", "-Dgraft.cuda.caching=false", "-cp",
                System.getProperty("java.class.path"), main.getName()));
        c.addAll(List.of(arguments));
        Process p = new ProcessBuilder(c).redirectErrorStream(true).start();
        try {
            p.getOutputStream().close();
            String output = new String(p.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            return new Result(p.waitFor(), output);
        } finally {
            p.destroyForcibly();
        }
    }
}
