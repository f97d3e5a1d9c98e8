package dev.graft.kernels.load;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Compiles stand-ins of NVIDIA's libraries into folders laid out as users have them. */
final class StubLibraries {
    private final Path folder;
    private final Path source;

    StubLibraries(Path folder) throws IOException {
        this.folder = folder;
        source = folder.resolve("stub.c");
        try (InputStream in = StubLibraries.class.getResourceAsStream("stub.c")) {
            Files.write(source, in.readAllBytes());
        }
    }

    /** Why nothing can be compiled here, or null. */
    static String obstacle() {
        if (!System.getProperty("os.name").equals("Linux") || !System.getProperty("os.arch").equals("amd64")) {
            return "the loader is for Linux on x86-64";
        }
        try {
            return run(List.of("cc", "--version")).startsWith("0") ? null : "cc does not work";
        } catch (IOException | InterruptedException e) {
            return "there is no C compiler, cc";
        }
    }

    Path folder(String name) throws IOException {
        return Files.createDirectories(folder.resolve(name));
    }

    /** A driver that supports CUDA up to {@code version}, whose cuInit returns {@code status}. */
    Path driver(String into, int version, int status, int devices, int capability) throws Exception {
        return compile(into, "libcuda.so.1", false, List.of(), "-DCUDA", "-DVERSION=" + version, "-DSTATUS=" + status,
                "-DDEVICES=" + devices, "-DCAPABILITY=" + capability);
    }

    Path driver(String into, int version) throws Exception {
        return driver(into, version, 0, 1, 90);
    }

    /** cuBLAS, whose symbols have versions as NVIDIA's have, and the cuBLASLt it needs. */
    void cublas(String into, int major) throws Exception {
        Path lt = compile(into, "libcublasLt.so." + major, true, List.of());
        compile(into, "libcublas.so." + major, true, List.of(lt), "-DCUBLAS", "-DVERSION=" + (1000 * major + 10));
    }

    void nvrtc(String into, int major) throws Exception {
        compile(into, "libnvrtc.so." + major, true, List.of(), "-DNVRTC", "-DVERSION=" + (1000 * major + 20));
    }

    /** cuDNN of that version, with the part that needs the cuBLASLt of {@code cudaMajor}. */
    void cudnn(String into, int version, int cudaMajor) throws Exception {
        int major = version >= 90_000 ? version / 10_000 : version / 1000;
        Path lt = compile("elsewhere", "libcublasLt.so." + cudaMajor, true, List.of());
        compile(into, (major == 8 ? "libcudnn_ops_infer.so." : "libcudnn_ops.so.") + major, true, List.of(lt));
        compile(into, "libcudnn.so." + major, true, List.of(), "-DCUDNN", "-DVERSION=" + version);
    }

    /** All that CUDA {@code major} has, in one folder. */
    void toolkit(String into, int major) throws Exception {
        cublas(into, major);
        nvrtc(into, major);
        cudnn(into, major == 12 ? 8907 : 91_900, major);
    }

    /** Compiles one library; its symbols get a version named like the file when {@code versioned}. */
    Path compile(String into, String soname, boolean versioned, List<Path> needed, String... defines) throws Exception {
        Path file = folder(into).resolve(soname);
        List<String> command = new ArrayList<>(List.of("cc", "-shared", "-fPIC", "-Wl,-soname," + soname,
                "-Wl,--no-as-needed", "-o", file.toString(), source.toString()));
        if (versioned) {
            Path map = Files.writeString(folder.resolve(soname + ".map"), soname + " { global: *; };\n");
            command.add("-Wl,--version-script=" + map);
        }
        needed.forEach(n -> command.add(n.toString()));
        command.addAll(List.of(defines));
        assertThat(run(command)).startsWith("0");
        return file;
    }

    /** Exit code and output of a command that ends soon. */
    static String run(List<String> command, String... environment) throws IOException, InterruptedException {
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        for (String e : environment) {
            builder.environment().put(e.substring(0, e.indexOf('=')), e.substring(e.indexOf('=') + 1));
        }
        Process p = builder.start();
        String out = new String(p.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (!p.waitFor(60, TimeUnit.SECONDS)) {
            p.destroyForcibly();
            throw new IOException(command + " does not end");
        }
        return p.exitValue() + " " + out;
    }
}
