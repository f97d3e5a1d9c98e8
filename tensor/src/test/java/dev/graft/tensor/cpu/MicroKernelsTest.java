package dev.graft.tensor.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.tensor.Memory;
import java.io.IOException;
import java.lang.ref.WeakReference;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The choice of the inner loops, and the working memory they share. */
class MicroKernelsTest {
    @Test
    void theChoiceNamesItsReason() throws Exception {
        assertThat(describe(List.of("--add-modules", "jdk.incubator.vector", "-Dgraft.simd=false", "-Dgraft.threads=3")))
                .contains("plain loops", "3 threads", "switched off by -Dgraft.simd=false");
        assertThat(describe(List.of())).contains("plain loops", "--add-modules jdk.incubator.vector");
        assertThat(describe(List.of("--add-modules", "jdk.incubator.vector", "-Xint"))).contains("without its compiler");
        assertThat(CpuFeatures.describe()).contains(CpuFeatures.simd() ? "Vector API" : "plain loops");
    }

    /** What a fresh process says: the choice is made once per process. */
    private static String describe(List<String> options) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(options);
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), MicroKernelsTest.class.getName()));
        Process p = new ProcessBuilder(command).redirectErrorStream(true).start();
        String text = new String(p.getInputStream().readAllBytes());
        assertThat(p.waitFor(60, TimeUnit.SECONDS)).isTrue();
        return text;
    }

    public static void main(String[] args) {
        float[] c = new float[1];
        Gemm.multiply(false, false, 1, 1, 2, new float[] {2, 3}, 0, 2, new float[] {5, 7}, 0, 1, c, 0, 1, false);
        System.out.println(CpuFeatures.describe() + (c[0] == 31 ? "" : " WRONG " + c[0]));
        System.out.println("Winograd: " + Winograd.pays(ConvGeometry.of(3, 14, 14, 256, 256, 3, 3, 1, 1), false));
    }

    @Test
    void thePropertyForExactSumsReachesTheChoiceOfTheAlgorithm() throws Exception {
        List<String> vectors = List.of("--add-modules", "jdk.incubator.vector");
        assertThat(describe(vectors)).contains("Winograd: true");
        assertThat(describe(Stream.concat(vectors.stream(), Stream.of("-Dgraft.precise=true")).toList()))
                .contains("Winograd: false");
    }

    @Test
    void everyTileOfEveryProviderAgreesWithTheSum() {
        float[] a = KernelChecks.random(1, 40 * 40);
        float[] b = KernelChecks.random(2, 40 * 80);
        for (MicroKernels mk : KernelChecks.providers()) {
            for (int vectors = 1; vectors <= mk.tileVectors(); vectors++) {
                int n = vectors * mk.lanes();
                for (int m = 0; m < 34; m++) {
                    double[] expected = new double[40 * 140];
                    for (int i = 0; i < m; i++) {
                        for (int j = 0; j < n; j++) {
                            double s = 1; // C before
                            for (int k = 0; k < 7; k++) {
                                s += (double) a[3 + i + k * 40] * b[5 + k * 140 + j];
                            }
                            expected[2 + i * 140 + j] = s - 1;
                        }
                    }
                    float[] c = new float[40 * 140];
                    Arrays.fill(c, 1);
                    mk.tiles(m, vectors, 7, a, 3, 1, 40, b, 5, 140, c, 2, 140, true);
                    for (int i = 0; i < c.length; i++) {
                        c[i] -= 1;
                    }
                    assertThat(KernelChecks.relativeError(c, expected)).as(mk.name() + " " + m + "x" + n).isLessThan(2e-6);
                }
            }
        }
    }

    @Test
    void scratchIsReusedByItsThreadAndNotShared() {
        float[] first;
        try (Scratch s = Scratch.take(70_001); Scratch other = Scratch.take(70_001)) {
            first = s.data;
            assertThat(s.data.length).isGreaterThanOrEqualTo(70_001);
            assertThat(other.data).isNotSameAs(s.data);
        }
        boolean reused = false;
        try (Scratch s = Scratch.take(70_000); Scratch other = Scratch.take(70_000)) {
            reused = s.data == first || other.data == first;
        }
        assertThat(reused).isTrue();
    }

    @Test
    void trimmingTakesTheScratchOfAllThreads() throws InterruptedException {
        List<WeakReference<float[]>> kept = new ArrayList<>();
        CountDownLatch returned = new CountDownLatch(1);
        CountDownLatch trimmed = new CountDownLatch(1);
        List<float[]> after = new ArrayList<>();
        Thread other = new Thread(() -> {
            kept.add(takeAndReturn());
            returned.countDown();
            try {
                trimmed.await();
            } catch (InterruptedException e) {
                return;
            }
            try (Scratch s = Scratch.take(80_000)) {
                after.add(s.data);
            }
        });
        other.start();
        kept.add(takeAndReturn());
        returned.await();
        assertThat(kept).noneMatch(k -> k.refersTo(null));
        Memory.trim();
        for (int i = 0; i < 50 && !kept.stream().allMatch(k -> k.refersTo(null)); i++) {
            System.gc();
            Thread.sleep(10);
        }
        assertThat(kept).allMatch(k -> k.refersTo(null));
        trimmed.countDown();
        other.join();
        assertThat(after).hasSize(1);
    }

    private static WeakReference<float[]> takeAndReturn() {
        try (Scratch s = Scratch.take(80_000)) {
            return new WeakReference<>(s.data);
        }
    }
}
