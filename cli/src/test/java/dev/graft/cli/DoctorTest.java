package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code graft doctor}, and what {@code --device cuda} says where a driver is broken: always sentences, never a trace. */
class DoctorTest {
    @TempDir
    private Path folder;

    @Test
    void tellsOfTheProcessorAndThatThereIsNoGpu() {
        Graft run = Graft.run("doctor");
        assertThat(run.code()).isZero();
        assertThat(run.err()).isEmpty();
        assertThat(run.out().lines()).anyMatch(l -> l.startsWith("Processor") && l.contains(" cores "))
                .anyMatch(l -> l.startsWith("Backend") && l.contains("CPU kernels: "))
                .anyMatch(l -> l.startsWith("Heap limit"));
        assertThat(run.out().lines().filter(l -> l.contains("CUDA"))).singleElement().asString()
                .matches("No CUDA device can be used: libcuda\\.so\\.1 was not found, .*\\.");
    }

    @Test
    void aDriverWhoseInitialisationFails() throws Exception {
        compileDriver("int cuInit(unsigned flags) { return 999; }\n"
                + "int cuDriverGetVersion(int *version) { *version = 13000; return 0; }\n");
        Graft doctor = start("doctor");
        assertThat(doctor.code()).isZero();
        assertThat(doctor.out()).contains("No CUDA device can be used:", "cuInit says CUDA_ERROR_UNKNOWN (999)",
                "driver   for CUDA 13.0 and older, " + folder.resolve("libcuda.so.1"));
        Graft run = start("finetune", "--model", "graft_cifar", "--data", folder.toString(), "--out",
                folder.resolve("run").toString(), "--device", "cuda");
        assertThat(run.code()).isEqualTo(3);
        assertThat(run.err().lines().filter(l -> !l.startsWith("WARNING: "))).singleElement().asString()
                .startsWith("graft: no CUDA device can be used: the driver is there but cuInit says"
                        + " CUDA_ERROR_UNKNOWN (999): ")
                .contains("'graft doctor'");
        assertThat(folder.resolve("run")).doesNotExist();
    }

    @Test
    void aTextFileInPlaceOfTheDriver() throws Exception {
        Files.writeString(folder.resolve("libcuda.so.1"), "hello");
        Graft run = start("finetune", "--model", "graft_cifar", "--data", folder.toString(), "--out",
                folder.resolve("run").toString(), "--device", "cuda");
        assertThat(run.code()).isEqualTo(3);
        assertThat(run.err().lines().filter(l -> !l.startsWith("WARNING: "))).singleElement().asString()
                .contains("libcuda.so.1 is not a usable shared library: it is not an ELF file");
    }

    private void compileDriver(String source) throws IOException, InterruptedException {
        Path file = Files.writeString(folder.resolve("driver.c"), source);
        try {
            Process cc = new ProcessBuilder("cc", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o",
                    folder.resolve("libcuda.so.1").toString(), file.toString()).inheritIO().start();
            assertThat(cc.waitFor()).isZero();
        } catch (IOException e) {
            abort("there is no C compiler, cc, to make a broken driver with");
        }
    }

    /** One command line in a JVM of its own, which finds a driver in {@link #folder} or nowhere. */
    private Graft start(String... words) throws IOException, InterruptedException {
        assumeTrue(System.getProperty("os.name").equals("Linux") && System.getProperty("os.arch").equals("amd64"),
                "CUDA is for Linux on x86-64");
        List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules=jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED", "-Xmx512m",
                "-Dgraft.cuda.path.only=true", "-Dgraft.cuda.path=" + folder, "-cp",
                System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                Main.class.getName()));
        command.addAll(List.of(words));
        Path out = Files.createTempFile(folder, "out", ".txt");
        Path err = Files.createTempFile(folder, "err", ".txt");
        Process p = new ProcessBuilder(command).redirectOutput(out.toFile()).redirectError(err.toFile()).start();
        assertThat(p.waitFor(120, TimeUnit.SECONDS)).isTrue();
        return new Graft(p.exitValue(), Files.readString(out, StandardCharsets.UTF_8),
                Files.readString(err, StandardCharsets.UTF_8));
    }
}
