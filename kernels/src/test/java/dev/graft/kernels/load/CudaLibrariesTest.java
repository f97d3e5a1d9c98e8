package dev.graft.kernels.load;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Finding and choosing: files that carry the right headers are enough, as nothing is loaded. */
class CudaLibrariesTest {
    @TempDir
    private Path temp;

    private Path library(String path, String... needed) throws IOException {
        Path file = temp.resolve(path);
        Files.createDirectories(file.getParent());
        return Files.write(file, ElfFile.needing(needed));
    }

    private void toolkit(String folder, int major) throws IOException {
        library(folder + "/libcublas.so." + major, "libcublasLt.so." + major);
        library(folder + "/libnvrtc.so." + major);
    }

    private CudaLibraries.Choice choose(int driverVersion, String major, String... folders) {
        return new CudaLibraries(search(folders)).choose(driverVersion, major);
    }

    private SearchPath search(String... folders) {
        return new SearchPath(Stream.of(folders).map(f -> temp.resolve(f).toString()).collect(Collectors.joining(":")), true,
                Map.of());
    }

    @Test
    void theNewestCudaThatTheDriverRuns() throws IOException {
        toolkit("a", 12);
        toolkit("a", 13);
        assertThat(choose(13_010, null, "a").cudaMajor()).isEqualTo(13);
        assertThat(choose(12_090, null, "a").cudaMajor()).isEqualTo(12);
        assertThat(choose(0, null, "a").cudaMajor()).isEqualTo(13);
        assertThat(choose(13_010, "12", "a").found().get(Component.NVRTC).path())
                .isEqualTo(temp.resolve("a/libnvrtc.so.12"));
    }

    @Test
    void aWholeSetIsBetterThanANewerHalf() throws IOException {
        toolkit("a", 13);
        toolkit("b", 12);
        library("b/libcudnn.so.9");
        library("b/libcudnn_ops.so.9", "libcublasLt.so.12");
        CudaLibraries.Choice choice = choose(13_000, null, "a", "b");
        assertThat(choice.cudaMajor()).isEqualTo(12);
        assertThat(choice.missing()).isEmpty();
    }

    @Test
    void foldersThatTheUserNamedDecide() throws IOException {
        toolkit("named", 12);
        toolkit("system", 13);
        library("system/libcudnn.so.9");
        SearchPath path = new SearchPath(temp.resolve("named").toString(), false,
                Map.of("LD_LIBRARY_PATH", temp.resolve("system").toString(), "HOME", "/nowhere"));
        CudaLibraries.Choice choice = new CudaLibraries(path).choose(13_000, null);
        assertThat(choice.cudaMajor()).isEqualTo(12);
        assertThat(choice.found().get(Component.CUBLAS).path()).startsWith(temp.resolve("named"));
    }

    @Test
    void aNamedFolderWithOneLibraryDoesNotBreakTheSet() throws IOException {
        library("named/libnvrtc.so.12");
        toolkit("system", 13);
        SearchPath path = new SearchPath(temp.resolve("named").toString(), false,
                Map.of("LD_LIBRARY_PATH", temp.resolve("system").toString(), "HOME", "/nowhere"));
        assertThat(new CudaLibraries(path).choose(13_000, null).cudaMajor()).isEqualTo(13);
    }

    @Test
    void cudnnOfTheRightCudaIsTakenThoughAnotherComesFirst() throws IOException {
        toolkit("cuda", 13);
        library("first/libcudnn.so.9");
        library("first/libcudnn_ops.so.9", "libcublasLt.so.12");
        library("second/libcudnn.so.9");
        library("second/libcudnn_ops.so.9", "libcublasLt.so.13");
        assertThat(choose(13_000, null, "cuda", "first", "second").found().get(Component.CUDNN).path())
                .isEqualTo(temp.resolve("second/libcudnn.so.9"));
    }

    @Test
    void cudnn8IsNeverMixedWithCuda13() throws IOException {
        toolkit("cuda", 13);
        library("cuda/libcudnn.so.8");
        assertThat(choose(13_000, "13", "cuda").missing().get(Component.CUDNN))
                .startsWith("cuDNN in " + temp.resolve("cuda/libcudnn.so.8") + " is for CUDA 12 and the other libraries are"
                        + " for CUDA 13, and the two do not work together: install cuDNN 9 for CUDA 13");
    }

    @Test
    void cudnnForAnOlderCudaIsNamed() throws IOException {
        toolkit("cuda", 12);
        library("cuda/libcudnn.so.8");
        library("cuda/libcudnn_ops_infer.so.8", "libcublas.so.11");
        assertThat(choose(12_000, null, "cuda").missing().get(Component.CUDNN)).contains("is for CUDA 11");
    }

    @Test
    void aBrokenFileIsPassedOverForASoundOne() throws IOException {
        Files.createDirectories(temp.resolve("broken"));
        Files.writeString(temp.resolve("broken/libcublas.so.13"), "not a library");
        toolkit("sound", 13);
        assertThat(choose(13_000, null, "broken", "sound").found().get(Component.CUBLAS).path())
                .isEqualTo(temp.resolve("sound/libcublas.so.13"));
    }

    @Test
    void anUnknownMajorIsRefused() {
        assertThat(choose(13_000, "11", "a").missing()).containsEntry(Component.CUBLAS,
                "property graft.cuda.major is '11': use 12 or 13");
    }

    @Test
    void theUsualPlacesAreSearched() throws IOException {
        String packages = "/lib/python3.12/site-packages/nvidia/";
        library("venv" + packages + "cublas/lib/libcublas.so.12");
        library("conda/lib/libnvrtc.so.12");
        library("python" + packages + "cudnn/lib/libcudnn.so.9");
        library("toolkit/lib64/libcublas.so.13");
        library("home/.local" + packages + "cu13/lib/libnvrtc.so.13");
        Path python = library("python/bin/python3");
        assertThat(python.toFile().setExecutable(true)).isTrue();
        SearchPath path = new SearchPath(null, false, Map.of("VIRTUAL_ENV", temp.resolve("venv").toString(),
                "CONDA_PREFIX", temp.resolve("conda").toString(), "PATH", ":relative:" + temp.resolve("python/bin"),
                "CUDA_HOME", temp.resolve("toolkit").toString(), "HOME", temp.resolve("home").toString(),
                "LD_LIBRARY_PATH", "::\0bad"));
        assertThat(path.named()).isEmpty();
        assertThat(path.folders()).containsSubsequence(temp.resolve("toolkit/lib64"),
                temp.resolve("venv" + packages + "cublas/lib"), temp.resolve("conda/lib"),
                temp.resolve("python" + packages + "cudnn/lib"), temp.resolve("home/.local" + packages + "cu13/lib"));
    }

    /** An empty entry means the current folder to the dynamic linker; a library from there would be a trap. */
    @Test
    void theCurrentFolderIsNotSearched() {
        Map<String, String> environment = Map.of("LD_LIBRARY_PATH", ":", "PATH", "::", "CUDA_HOME", " ", "HOME", "/nowhere");
        assertThat(new SearchPath("", false, environment).folders()).doesNotContain(Path.of("").toAbsolutePath());
    }
}
