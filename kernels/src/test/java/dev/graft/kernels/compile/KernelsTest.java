package dev.graft.kernels.compile;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.graft.kernels.CudaBackend;
import dev.graft.kernels.CudaDevice;
import dev.graft.kernels.emulator.EmulatedCuda;
import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.backend.Backends;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is asked of the compiler, what is kept of its work. */
class KernelsTest {
    @BeforeAll
    static void device() {
        assumeTrue(EmulatedCuda.start(), EmulatedCuda::reason);
        Backends.of(Device.cuda());
    }

    @Test
    void aChipGetsItsOwnCodeAndANewerOnePtx() {
        int[] known = {75, 80, 90};
        assertThat(Kernels.Target.of(90, known)).isEqualTo(new Kernels.Target("sm_90", false));
        assertThat(Kernels.Target.of(86, known)).isEqualTo(new Kernels.Target("compute_80", true));
        assertThat(Kernels.Target.of(121, known)).isEqualTo(new Kernels.Target("compute_90", true));
        assertThatThrownBy(() -> Kernels.Target.of(61, known)).hasMessageContaining("6.1").hasMessageContaining("CUDA 12");
    }

    @Test
    void aKernelThatDoesNotCompileIsNamedWithTheCompilersWords() {
        CudaDevice d = ((CudaBackend) Backends.of(Device.cuda())).cuda();
        KernelSource wrong = KernelSource.generated("wrong.cu",
                "extern \"C\" __global__ void f(float *x) { x[0] = nonsense; }");
        assertThatThrownBy(() -> d.kernel(wrong, "f")).isInstanceOf(GraftException.class).hasMessageContaining("wrong.cu")
                .hasMessageContaining("nonsense");
        KernelSource right = KernelSource.generated("right.cu", "extern \"C\" __global__ void f(float *x) { x[0] = 1.0f; }");
        assertThatThrownBy(() -> d.kernel(right, "g")).hasMessageContaining("cuModuleGetFunction of g");
    }

    @Test
    void aMissingFileIsNamed() {
        assertThatThrownBy(() -> KernelSource.of("nothing.cu").text()).hasMessageContaining("nothing.cu");
    }

    @Test
    void definesStandBehindTheCommonPartAndBeforeTheFile() {
        String text = KernelSource.of("update.cu").define("T", "float").define("OP", 2).text();
        assertThat(text.indexOf("#define T float")).isGreaterThan(text.indexOf("struct bf16"))
                .isLessThan(text.indexOf("struct Entry"));
    }

    @Test
    void aDamagedFileOfTheCacheIsNotUsed(@TempDir Path folder) throws IOException {
        String before = System.getProperty("graft.cuda.cache");
        System.setProperty("graft.cuda.cache", folder.toString());
        try {
            byte[] code = {1, 2, 3, 4, 5};
            String key = CodeCache.key("text", "options");
            assertThat(CodeCache.find(key)).isNull();
            CodeCache.keep(key, code);
            assertThat(CodeCache.find(key)).isEqualTo(code);
            assertThat(CodeCache.key("text", "option")).isNotEqualTo(key);
            Path file = folder.resolve(key + ".bin");
            byte[] all = Files.readAllBytes(file);
            all[all.length - 1]++;
            Files.write(file, all);
            assertThat(CodeCache.find(key)).isNull();
            Files.write(file, Arrays.copyOf(all, 10));
            assertThat(CodeCache.find(key)).isNull();
            try (var files = Files.list(folder)) {
                assertThat(files).hasSize(1);          // no part files are left
            }
        } finally {
            if (before == null) {
                System.clearProperty("graft.cuda.cache");
            } else {
                System.setProperty("graft.cuda.cache", before);
            }
        }
    }
}
