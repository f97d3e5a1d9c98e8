package dev.graft.tensor.cpu;

import static dev.graft.tensor.cpu.Samples.assertClose;
import static dev.graft.tensor.cpu.Samples.at;
import static dev.graft.tensor.cpu.Samples.normal;
import static dev.graft.tensor.cpu.Samples.onOneAndTwoThreads;
import static dev.graft.tensor.cpu.Samples.uniform;
import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.tensor.Shape;
import dev.graft.tensor.op.ReduceFn;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ReductionTest {
    private static final int[][][] CASES = {
        {{5}, {0}}, {{1}, {0}}, {{}, {}}, {{40001}, {0}}, {{7, 9}, {1}}, {{7, 9}, {0}}, {{7, 9}, {0, 1}}, {{7, 9}, {}},
        {{3, 20000}, {1}}, {{9000, 3}, {0}}, {{3000, 24}, {0}}, {{20000, 64}, {0}}, {{2, 700, 17}, {1}},
        {{4, 5, 6, 7}, {1, 2}}, {{4, 5, 6, 7}, {0, 2}}, {{4, 5, 6, 7}, {0, 1, 3}}, {{3, 1, 5, 1}, {1, 3}},
        {{2, 3, 9000}, {0, 2}},
        {{40, 5000}, {0}}, {{2, 2, 33}, {2}}, {{3, 49, 300}, {1}}, {{2, 7, 7, 515}, {1, 2}}, {{5000, 1, 16}, {0, 1}},
        {{2, 5, 0}, {0}}, {{0, 3}, {0}}};

    static Stream<RowLoops> loops() {
        return Samples.rowLoops();
    }

    @ParameterizedTest
    @MethodSource("loops")
    void reducesAnyAxes(RowLoops loops) {
        for (int[][] c : CASES) {
            Shape s = Shape.of(c[0]);
            float[] x = normal(5, (int) s.size());
            for (ReduceFn f : ReduceFn.values()) {
                if (s.size() == 0 && f != ReduceFn.SUM) {
                    continue;
                }
                double[] want = naive(f, x, s, c[1]);
                float[] input = at(3, x);
                float[] y = onOneAndTwoThreads(() -> {
                    float[] out = new float[want.length + 2];
                    new Reduction(loops).reduce(f, input, 3, s, c[1], out, 2);
                    return out;
                });
                double scale = f == ReduceFn.SUM ? Math.sqrt(x.length + 1.0) : 1;
                String what = f + " " + s + Arrays.toString(c[1]);
                assertClose(what, Arrays.copyOfRange(y, 2, y.length), want, 1e-6, scale);
            }
        }
    }

    private static double[] naive(ReduceFn f, float[] x, Shape s, int[] axes) {
        boolean[] gone = new boolean[s.rank()];
        int n = 1;
        int count = 1;
        for (int a : axes) {
            gone[a] = true;
        }
        for (int i = 0; i < gone.length; i++) {
            n *= gone[i] ? 1 : s.dim(i);
            count *= gone[i] ? s.dim(i) : 1;
        }
        double[] y = new double[n];
        Arrays.fill(y, f == ReduceFn.MAX ? Double.NEGATIVE_INFINITY : f == ReduceFn.MIN ? Double.POSITIVE_INFINITY : 0);
        for (int i = 0; i < x.length; i++) {
            int rest = i;
            int to = 0;
            int step = 1;
            for (int a = s.rank() - 1; a >= 0; a--) {
                if (!gone[a]) {
                    to += rest % s.dim(a) * step;
                    step *= s.dim(a);
                }
                rest /= s.dim(a);
            }
            y[to] = switch (f) {
                case SUM -> y[to] + x[i];
                case MEAN -> y[to] + (double) x[i] / count;
                case MAX -> Math.max(y[to], x[i]);
                case MIN -> Math.min(y[to], x[i]);
            };
        }
        return y;
    }

    @ParameterizedTest
    @MethodSource("loops")
    void aLongSumStaysExact(RowLoops loops) {
        int n = 3_000_000;
        float[] x = uniform(6, n, 0, 1);
        double want = 0;
        for (float v : x) {
            want += v;
        }
        float[] y = new float[1];
        new Reduction(loops).reduce(ReduceFn.SUM, x, 0, Shape.of(n), new int[] {0}, y, 0);
        assertThat(Math.abs(y[0] - want) / want).isLessThan(2e-7);
        float[] columns = new float[3];
        new Reduction(loops).reduce(ReduceFn.SUM, x, 0, Shape.of(n / 3, 3), new int[] {0}, columns, 0);
        assertThat(Math.abs(columns[0] + columns[1] + columns[2] - want) / want).isLessThan(4e-7);
    }

    @ParameterizedTest
    @MethodSource("loops")
    void nanWinsMaximaAndArgmaxTakesTheFirst(RowLoops loops) {
        Reduction r = new Reduction(loops);
        float[] x = normal(1, 100);
        x[37] = Float.NaN;
        float[] y = new float[1];
        r.reduce(ReduceFn.MAX, x, 0, Shape.of(100), new int[] {0}, y, 0);
        assertThat(y[0]).isNaN();
        r.reduce(ReduceFn.MIN, x, 0, Shape.of(100), new int[] {0}, y, 0);
        assertThat(y[0]).isNaN();
        long[] at = new long[1];
        r.argReduce(true, x, 0, 1, 100, 1, at, 0);
        assertThat(at[0]).isEqualTo(37);
        long[] two = new long[2];
        r.argReduce(true, new float[] {1, 5, 5, 5, 2, 5}, 0, 1, 3, 2, two, 0);
        assertThat(two).containsExactly(1, 0);
        r.argReduce(false, new float[] {1, 5, 5, 5, 1, 5}, 0, 2, 3, 1, two, 0);
        assertThat(two).containsExactly(0, 1);
    }
}
