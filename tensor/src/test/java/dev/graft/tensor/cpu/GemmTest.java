package dev.graft.tensor.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.tensor.GraftException;
import dev.graft.tensor.cpu.Epilogue.Activation;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class GemmTest {
    private static final double TOLERANCE = 2e-6;

    /** op(A) op(B) + C with random operands whose rows have gaps, in double precision and by the kernels. */
    private static void check(boolean ta, boolean tb, int m, int n, int k, boolean accumulate, boolean epilogue) {
        int gap = 3;
        int lda = (ta ? m : k) + gap, ldb = (tb ? k : n) + gap, ldc = n + (n == 1 ? 0 : gap);
        float[] a = KernelChecks.random(1, 7 + (ta ? k : m) * lda);
        for (int i = 0; i < a.length; i++) {
            a[i] *= (float) (2 / Math.sqrt(Math.max(1, k))); // sums of size 2, so that RELU6 cuts some and keeps most
        }
        float[] b = KernelChecks.random(2, 5 + (tb ? n : k) * ldb);
        float[] c0 = KernelChecks.random(3, 2 + m * ldc);
        float[] bias = KernelChecks.random(4, n + 1);
        float[] residual = KernelChecks.random(5, m * (n + 2) + 1);
        double[] expected = new double[c0.length];
        for (int i = 0; i < c0.length; i++) {
            expected[i] = c0[i]; // what lies between the rows must survive
        }
        for (int i = 0; i < m; i++) {
            for (int j = 0; j < n; j++) {
                double s = accumulate ? c0[2 + i * ldc + j] : 0;
                for (int q = 0; q < k; q++) {
                    s += (double) a[7 + (ta ? q * lda + i : i * lda + q)] * b[5 + (tb ? j * ldb + q : q * ldb + j)];
                }
                if (epilogue) {
                    s = Math.min(6, Math.max(0, s + bias[1 + j] + residual[1 + i * (n + 2) + j]));
                }
                expected[2 + i * ldc + j] = s;
            }
        }
        Epilogue e = epilogue
                ? Epilogue.bias(bias, 1).residual(residual, 1, n + 2).activation(Activation.RELU6) : Epilogue.NONE;
        for (float[] found : KernelChecks.onEveryProvider(() -> {
            float[] c = c0.clone();
            Gemm.multiply(ta, tb, m, n, k, a, 7, lda, b, 5, ldb, c, 2, ldc, accumulate, e);
            return c;
        })) {
            assertThat(KernelChecks.relativeError(found, expected)).isLessThan(TOLERANCE);
        }
    }

    @ParameterizedTest
    @CsvSource({"1, 1, 1", "1, 10, 64", "150, 97, 800", "29, 64, 513",
        "15, 161, 40", "4, 3, 1000", "5, 1, 33", "200, 1, 70", "7, 13, 5", "16, 2, 128", "97, 65, 31",
        "6, 64, 256", "12, 100, 700", "13, 130, 330", "100, 24, 16", "193, 200, 129", "192, 70, 300", "49, 130, 260",
        "48, 129, 260", "33, 10, 1280", "3, 5, 4500",
        "20, 37, 9000", "8, 37, 9000", "9, 37, 9000", "10, 37, 9000", "17, 80, 300", "26, 64, 300",
        "64, 80, 5000", "1, 300, 20", "0, 4, 3", "4, 0, 3", "4, 3, 0", "2, 1000, 65", "24, 48, 48"})
    void allTransposesAgreeWithDoubleLoops(int m, int n, int k) {
        for (int flags = 0; flags < 8; flags++) {
            check((flags & 1) != 0, (flags & 2) != 0, m, n, k, (flags & 4) != 0, flags % 3 == 1);
        }
    }

    @Test
    void aLargeProductUsesSeveralSlabsAndTasks() {
        check(false, false, 250, 1100, 700, true, true);
        check(false, false, 150, 1100, 700, true, true); // which few rows read in place, in bands and panels
        check(true, false, 190, 230, 600, true, true);
        check(false, true, 20, 9000, 1000, false, true); // packed in two slabs
    }

    @ParameterizedTest
    @CsvSource({"1, 5, 6, 7, 0, 0", "6, 5, 33, 17, 0, 0", "6, 5, 33, 17, 0, 1", "6, 5, 33, 17, 1, 0", "0, 2, 2, 2, 0, 0",
        "40, 3, 4, 5, 0, 0", "3, 70, 20, 30, 0, 1"})
    void batchedProducts(int batch, int m, int n, int k, int sharedA, int sharedB) {
        for (int flags = 0; flags < 4; flags++) {
            boolean ta = (flags & 1) != 0, tb = (flags & 2) != 0;
            int sa = sharedA == 1 ? 0 : m * k, sb = sharedB == 1 ? 0 : k * n;
            float[] a = KernelChecks.random(1, Math.max(1, batch) * m * k);
            float[] b = KernelChecks.random(2, Math.max(1, batch) * k * n);
            double[] expected = new double[batch * m * n];
            for (int i = 0; i < expected.length; i++) {
                int p = i / (m * n), r = i / n % m, c = i % n;
                for (int q = 0; q < k; q++) {
                    expected[i] += (double) a[p * sa + (ta ? q * m + r : r * k + q)]
                            * b[p * sb + (tb ? c * k + q : q * n + c)];
                }
            }
            for (float[] found : KernelChecks.onEveryProvider(() -> {
                float[] c = new float[batch * m * n];
                Gemm.batched(ta, tb, batch, m, n, k, a, 0, ta ? m : k, sa, b, 0, tb ? k : n, sb, c, 0, n, m * n, false);
                return c;
            })) {
                assertThat(KernelChecks.relativeError(found, expected)).isLessThan(TOLERANCE);
            }
        }
    }

    @Test
    void aZeroInnerSizeClearsOrKeepsC() {
        float[] c = {1, 2, 3, 4};
        Gemm.multiply(false, false, 2, 1, 0, new float[0], 0, 0, new float[0], 0, 1, c, 0, 2, true);
        assertThat(c).containsExactly(1, 2, 3, 4);
        Gemm.multiply(false, false, 2, 1, 0, new float[0], 0, 0, new float[0], 0, 1, c, 0, 2, false);
        assertThat(c).containsExactly(0, 2, 0, 4);
    }

    @Test
    void matricesOutsideTheirArraysAreRefused() {
        float[] x = new float[11];
        assertThatThrownBy(() -> Gemm.multiply(false, false, 3, 4, 2, x, 0, 2, x, 0, 4, x, 0, 4, false))
                .isInstanceOf(GraftException.class).hasMessageContaining("gemm: C [3, 4]").hasMessageContaining("11");
        assertThatThrownBy(() -> Gemm.multiply(false, false, 2, 2, 2, x, 0, 1, x, 0, 2, x, 0, 2, false))
                .isInstanceOf(GraftException.class).hasMessageContaining("leading dimension of at least 2");
        assertThatThrownBy(() -> Gemm.multiply(false, false, -1, 2, 2, x, 0, 2, x, 0, 2, x, 0, 2, false))
                .isInstanceOf(GraftException.class).hasMessageContaining("negative");
    }

    @Test
    void reluKeepsNaN() {
        float[] c = new float[1];
        Gemm.multiply(false, false, 1, 1, 1, new float[] {Float.NaN}, 0, 1, new float[] {1}, 0, 1, c, 0, 1, false,
                Epilogue.NONE.activation(Activation.RELU));
        assertThat(c[0]).isNaN();
    }

    @Test
    void generatedTilesAreUpToDate() throws Exception {
        String message = "run TileKernelsGenerator.main from the folder of the module";
        java.nio.file.Path folder = TileKernelsGenerator.FOLDER;
        assertThat(folder.resolve("NarrowTiles.java")).as(message).hasContent(TileKernelsGenerator.narrow());
        assertThat(folder.resolve("WideTiles.java")).as(message).hasContent(TileKernelsGenerator.wide());
        assertThat(folder.resolve("PackedTiles.java")).as(message).hasContent(TileKernelsGenerator.packed());
        assertThat(folder.resolve("StemTiles.java")).as(message).hasContent(TileKernelsGenerator.stem());
        assertThat(folder.resolve("FrameTiles.java")).as(message).hasContent(TileKernelsGenerator.frame());
    }
}
