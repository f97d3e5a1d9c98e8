package dev.graft.kernels.load;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The loader against stand-ins of NVIDIA's libraries, in every state in which a machine may be. */
class NativeLoaderTest {
    private static final String UNUSABLE = "no CUDA device can be used: ";

    @TempDir
    private Path temp;
    private StubLibraries stubs;

    /** What a process said: the last value of each name, and all lines of the doctor. */
    private record Outcome(Map<String, String> said, List<String> doctor) {
        String get(String name) {
            assertThat(said).containsKey(name);
            return said.get(name);
        }

        boolean has(Component c) {
            return get("has " + c).equals("true");
        }

        String problem() {
            return get("problem");
        }

        String missing(Component c) {
            return get("missing " + c);
        }
    }

    @BeforeEach
    void compiler() throws IOException {
        String obstacle = StubLibraries.obstacle();
        assumeTrue(obstacle == null, () -> "no stand-ins of CUDA's libraries: " + obstacle);
        stubs = new StubLibraries(temp);
    }

    private Outcome load(List<String> flags, String... folders) throws Exception {
        return loadWith("GRAFT_CUDA_PATH=", flags, folders);
    }

    private Outcome loadWith(String environment, List<String> flags, String... folders) throws Exception {
        Path own = Files.createDirectories(temp.resolve("tmp"));
        List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.io.tmpdir=" + own,
                "-D" + SearchPath.ONLY + "=true", "-D" + SearchPath.PROPERTY + "="
                + String.join(":", List.of(folders).stream().map(f -> temp.resolve(f).toString()).toList())));
        command.addAll(flags.isEmpty() ? List.of("--enable-native-access=ALL-UNNAMED") : flags);
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), LoadedInItsOwnProcess.class.getName()));
        String output = StubLibraries.run(command, environment);
        assertThat(output).startsWith("0 ").doesNotContain("\tat ", "Exception");
        Map<String, String> said = new LinkedHashMap<>();
        List<String> doctor = new ArrayList<>();
        output.substring(2).lines().filter(l -> l.contains(": ")).forEach(l -> {
            String name = l.substring(0, l.indexOf(": "));
            String value = l.substring(l.indexOf(": ") + 2);
            said.put(name, value);
            if (name.equals("doctor")) {
                doctor.add(value);
            }
        });
        Outcome outcome = new Outcome(said, doctor);
        assertThat(outcome.get("calls give one report")).isEqualTo("true");
        assertThat(outcome.get("java.io.tmpdir is as before")).isEqualTo("true");
        try (var left = Files.list(own)) {
            assertThat(left).as("the private folder is removed").isEmpty();
        }
        return outcome;
    }

    private Outcome load(String... folders) throws Exception {
        return load(List.of(), folders);
    }

    @Test
    void everythingOfCuda13IsLoadedAndCalled() throws Exception {
        stubs.driver("all", 13_000);
        stubs.toolkit("all", 13);
        Outcome o = load("all");
        assertThat(o.problem()).isEqualTo("null");
        assertThat(o.get("cuda")).isEqualTo("13");
        assertThat(o.get("cublas")).isEqualTo("13010");
        assertThat(o.get("nvrtc")).isEqualTo("13.2");
        assertThat(o.get("cudnn")).isEqualTo("91900");
        assertThat(o.doctor()).containsExactly(
                "driver   for CUDA 13.0 and older, " + temp.resolve("all/libcuda.so.1"),
                "cuda:0   Stub Accelerator, compute capability 9.0, memory 80.0 GiB, free 60.0 GiB",
                "cuBLAS   13.1.5, " + temp.resolve("all/libcublas.so.13"),
                "NVRTC    13.2, " + temp.resolve("all/libnvrtc.so.13"),
                "cuDNN    9.19.0 for CUDA 13, " + temp.resolve("all/libcudnn.so.9"),
                "A CUDA device can be used.");
    }

    @Test
    void everythingOfCuda12AndCudnn8IsLoadedAndCalled() throws Exception {
        stubs.driver("all", 12_040);
        stubs.toolkit("all", 12);
        Outcome o = load("all");
        assertThat(o.problem()).isEqualTo("null");
        assertThat(o.get("cublas")).isEqualTo("12010");
        assertThat(o.get("nvrtc")).isEqualTo("12.2");
        assertThat(o.get("cudnn")).isEqualTo("8907");
        assertThat(o.doctor()).anyMatch(l -> l.startsWith("cuDNN    8.9.7 for CUDA 12"));
    }

    @Test
    void librariesWithoutSymbolVersionsAreLoadedToo() throws Exception {
        stubs.driver("all", 13_000);
        stubs.compile("all", "libcublas.so.13", false, List.of(), "-DCUBLAS", "-DVERSION=13000");
        stubs.compile("all", "libnvrtc.so.13", false, List.of(), "-DNVRTC", "-DVERSION=13000");
        stubs.compile("all", "libcudnn.so.9", false, List.of(), "-DCUDNN", "-DVERSION=90100");
        Outcome o = load("all");
        assertThat(o.get("cublas")).isEqualTo("13000");
        assertThat(o.get("cudnn")).isEqualTo("90100");
    }

    @Test
    void withoutADriverOneSentenceSaysSo() throws Exception {
        stubs.toolkit("libraries", 13);
        Outcome o = load("libraries");
        assertThat(o.problem()).isEqualTo(UNUSABLE + "libcuda.so.1 was not found, so there is no NVIDIA driver:"
                + " install it (580 or newer for CUDA 13), or start a container with --gpus all");
        assertThat(o.doctor()).hasSize(1);
        assertThat(o.has(Component.CUBLAS)).isFalse();
    }

    @Test
    void aDriverWithoutADevice() throws Exception {
        stubs.driver("all", 13_000, 100, 0, 90);
        stubs.toolkit("all", 13);
        Outcome o = load("all");
        assertThat(o.problem()).startsWith(UNUSABLE + "the driver is there but cuInit says CUDA_ERROR_NO_DEVICE"
                + " (100): see whether nvidia-smi lists a GPU");
        assertThat(o.has(Component.CUBLAS)).isFalse();
        assertThat(o.doctor()).contains("No CUDA device can be used:")
                .anyMatch(l -> l.startsWith("cuBLAS   13, not loaded"));
    }

    @Test
    void aDriverThatCountsNoDevice() throws Exception {
        stubs.driver("all", 13_000, 0, 0, 90);
        assertThat(load("all").problem()).contains("the driver is there but has no device: ");
    }

    @Test
    void aDriverTooOldForTheLibraries() throws Exception {
        stubs.driver("all", 12_040);
        stubs.toolkit("all", 13);
        Outcome o = load("all");
        assertThat(o.problem()).isEqualTo(UNUSABLE + "cuBLAS was found for CUDA 13 only ("
                + temp.resolve("all/libcublas.so.13") + "), and the driver supports CUDA 12.4 at most: update NVIDIA's"
                + " driver to 580 or newer, or install the CUDA 12 toolkit or the Python package nvidia-cublas-cu12, or name"
                + " its folder by GRAFT_CUDA_PATH");
        assertThat(o.has(Component.DRIVER)).isTrue();
        assertThat(o.missing(Component.CUDNN)).contains("cuDNN was found for CUDA 13 only");
    }

    @Test
    void aDriverTooOldForAnything() throws Exception {
        stubs.driver("all", 11_080);
        stubs.toolkit("all", 12);
        Outcome o = load("all");
        assertThat(o.problem()).isEqualTo(UNUSABLE + "the driver supports CUDA 11.8 at most, and CUDA 12 is the"
                + " oldest that can be used: update NVIDIA's driver to 525 or newer");
    }

    @Test
    void withoutCudnnTheRestIsLoaded() throws Exception {
        stubs.driver("all", 13_000);
        stubs.cublas("all", 13);
        stubs.nvrtc("all", 13);
        Outcome o = load("all");
        assertThat(o.problem()).isEqualTo("null");
        assertThat(o.get("cublas")).isEqualTo("13010");
        assertThat(o.has(Component.CUDNN)).isFalse();
        assertThat(o.missing(Component.CUDNN)).matches("cuDNN for CUDA 13 \\(libcudnn\\.so\\.9\\) is in none of the \\d+"
                + " folders searched: install cuDNN 9 for CUDA 13, for example the Python package nvidia-cudnn-cu13, or"
                + " name its folder by GRAFT_CUDA_PATH");
        assertThat(o.doctor()).contains("A CUDA device can be used, but:", "- " + o.missing(Component.CUDNN));
    }

    @Test
    void withoutNvrtcTheRestIsLoadedAndTheProblemNamesIt() throws Exception {
        stubs.driver("all", 13_000);
        stubs.cublas("all", 13);
        stubs.cudnn("all", 91_900, 13);
        Outcome o = load("all");
        assertThat(o.get("cudnn")).isEqualTo("91900");
        assertThat(o.problem()).contains("NVRTC for CUDA 13 (libnvrtc.so.13) is in none of").contains("nvidia-cuda-nvrtc");
    }

    @Test
    void cudnnOfAnotherCudaIsNotMixedIn() throws Exception {
        stubs.driver("all", 13_000);
        stubs.cublas("toolkit", 12);
        stubs.nvrtc("toolkit", 12);
        stubs.cudnn("python", 91_900, 13);
        Outcome o = load("all", "toolkit", "python");
        assertThat(o.get("cuda")).isEqualTo("12");
        assertThat(o.get("cublas")).isEqualTo("12010");
        assertThat(o.has(Component.CUDNN)).isFalse();
        assertThat(o.missing(Component.CUDNN)).isEqualTo("cuDNN in " + temp.resolve("python/libcudnn.so.9") + " is for"
                + " CUDA 13 and the other libraries are for CUDA 12, and the two do not work together: install cuDNN 9 for"
                + " CUDA 12, for example the Python package nvidia-cudnn-cu12, or name its folder by GRAFT_CUDA_PATH");
    }

    @Test
    void thePropertyOverrulesTheChoice() throws Exception {
        stubs.driver("all", 13_000);
        stubs.toolkit("all", 13);
        stubs.toolkit("all", 12);
        assertThat(load("all").get("cuda")).isEqualTo("13");
        Outcome o = load(List.of("--enable-native-access=ALL-UNNAMED", "-D" + CudaLibraries.MAJOR + "=12"), "all");
        assertThat(o.get("cuda")).isEqualTo("12");
        assertThat(o.get("cudnn")).isEqualTo("8907");
    }

    @Test
    void aTextFileInPlaceOfALibrary() throws Exception {
        stubs.driver("all", 13_000);
        stubs.nvrtc("all", 13);
        Path file = Files.writeString(stubs.folder("all").resolve("libcublas.so.13"), "version https://git-lfs");
        Outcome o = load("all");
        assertThat(o.problem()).isEqualTo(UNUSABLE + "" + file + " is not a usable shared library: it is not an"
                + " ELF file: install the CUDA 13 toolkit or the Python package nvidia-cublas, or name its folder"
                + " by GRAFT_CUDA_PATH");
    }

    @Test
    void aTextFileInPlaceOfTheDriver() throws Exception {
        Path file = Files.writeString(stubs.folder("all").resolve("libcuda.so.1"), "");
        assertThat(load("all").problem()).isEqualTo(UNUSABLE + "" + file + " is not a usable shared library: it"
                + " is not an ELF file but empty: install NVIDIA's driver");
    }

    @Test
    void aLibraryThatTheDynamicLinkerRefuses() throws Exception {
        stubs.driver("all", 13_000);
        stubs.toolkit("all", 13);
        Path gone = stubs.compile("gone", "libgraftgone.so.1", false, List.of());
        stubs.compile("all", "libnvrtc.so.13", true, List.of(gone), "-DNVRTC", "-DVERSION=13000");
        Outcome o = load("all");
        assertThat(o.problem()).contains(temp.resolve("all/libnvrtc.so.13") + " cannot be loaded (libgraftgone.so.1: ");
        assertThat(o.has(Component.CUBLAS)).isTrue();
        assertThat(o.has(Component.CUDNN)).isTrue();
    }

    /** cuDNN 9 ends the process when one of its parts does not load: that has to be found before its first call. */
    @Test
    void aCudnnWhosePartDoesNotLoad() throws Exception {
        stubs.driver("all", 13_000);
        stubs.toolkit("all", 13);
        Path gone = stubs.compile("gone", "libgraftgone.so.1", false, List.of());
        stubs.compile("all", "libcudnn_graph.so.9", true, List.of(gone));
        Outcome o = load("all");
        assertThat(o.problem()).isEqualTo("null");
        assertThat(o.missing(Component.CUDNN)).contains("libcudnn.so.9 cannot be loaded (libgraftgone.so.1: cannot open");
    }

    @Test
    void aDeviceThatTheCompilerDoesNotKnow() throws Exception {
        stubs.driver("new", 13_000, 0, 1, 121);
        stubs.driver("old", 13_000, 0, 1, 61);
        stubs.toolkit("all", 13);
        assertThat(load("new", "all").doctor()).contains("- cuda:0 has compute capability 12.1 and this NVRTC compiles for"
                + " 10.0 and older: install a newer NVRTC");
        assertThat(load("old", "all").doctor()).anyMatch(l -> l.startsWith("- cuda:0 has compute capability 6.1 and CUDA 13"
                + " supports 7.5 and newer: install the libraries of CUDA 12"));
    }

    /** JCuda's libraries ask for many functions that a newer CUDA lacks and nobody calls. */
    @Test
    void aLinkerThatWantsEveryFunctionAtOnce() throws Exception {
        stubs.driver("all", 13_000);
        stubs.toolkit("all", 13);
        Outcome o = loadWith("LD_BIND_NOW=1", List.of(), "all");
        assertThat(o.problem()).startsWith(UNUSABLE + temp.resolve("all/libcuda.so.1") + " cannot be loaded (")
                .contains("undefined symbol: cu").endsWith("): unset LD_BIND_NOW, with which the dynamic linker wants"
                        + " functions that are never called");
    }

    @Test
    void aJavaThatMayNotCallNativeCode() throws Exception {
        stubs.driver("all", 13_000);
        assertThat(load(List.of("--illegal-native-access=deny"), "all").problem()).isEqualTo(UNUSABLE + "this"
                + " Java may not call native code: start it with --enable-native-access=ALL-UNNAMED");
    }
}
