package dev.graft.kernels.ops;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.ReduceFn;
import dev.graft.tensor.op.ReduceOp.ArgReduce;
import dev.graft.tensor.op.ReduceOp.Reduce;
import dev.graft.tensor.op.ReduceOp.Softmax;
import dev.graft.tensor.op.ReduceOp.SoftmaxBackward;
import java.util.SplittableRandom;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the catalogue does not say of reductions: work split over blocks, every length of rows, the order of sums. */
class CudaReduceTest extends EmulatedDeviceTest {
    private final SplittableRandom random = new SplittableRandom(11);

    // ------------------------------------------------------------------ how work is dealt

    @Test
    void everyRowAndColumnBelongsToOneTileAndSplit() {
        for (int i = 0; i < 2000; i++) {
            long outer = 1 + random.nextInt(i % 3 == 0 ? 1 : 40);
            long rows = 1 + random.nextInt(i % 2 == 0 ? 7 : 9000);
            long inner = 1 + random.nextInt(i % 5 == 0 ? 3 : 700);
            int each = 1 + random.nextInt(8);
            for (Tiles t : new Tiles[] {Tiles.reducing(outer, rows, inner, 1 + random.nextInt(140)),
                Tiles.walking(outer, rows, inner, each), Tiles.whole(outer, rows, inner)}) {
                assertThat(t.lanes()).as(t.toString()).isBetween(1, Tiles.THREADS);
                assertThat(Integer.bitCount(t.lanes())).as(t.toString()).isEqualTo(1);
                assertThat(t.tiles() * t.lanes()).as(t.toString()).isGreaterThanOrEqualTo(outer * inner)
                        .isLessThan(outer * inner + t.lanes());
                assertThat((t.splits() - 1) * t.chunk()).as(t.toString()).isLessThan(rows);      // none without rows
                assertThat(t.splits() * t.chunk()).as(t.toString()).isGreaterThanOrEqualTo(rows);
            }
        }
    }

    @Test
    void aTeamHoldsItsRow() {
        for (int width : new int[] {1, 2, 4, 8}) {
            for (long vectors : LongStream.concat(LongStream.rangeClosed(1, 1100), LongStream.of(4096, 16384, 16385,
                    1 << 24)).toArray()) {
                RowTeams r = RowTeams.keeping(vectors, width, 32, 512);
                assertThat(r.threads() % 32).isZero();
                assertThat(r.team() <= 32 ? r.threads() % r.team() : r.team() - r.threads()).isZero();
                if (r.each() > 0) {
                    assertThat((long) r.each() * r.team()).as(r.toString()).isGreaterThanOrEqualTo(vectors);
                    assertThat(r.each() * width).isLessThanOrEqualTo(32);
                } else {
                    assertThat(vectors * width).isGreaterThan(512 * 32 - 32);
                }
            }
        }
    }

    // ------------------------------------------------------------------ reductions

    @ParameterizedTest
    @EnumSource(value = DType.class, names = {"F32", "F64", "BF16"})
    void columnsWhoseRowsAreSplit(DType type) {
        assertThat(Tiles.reducing(1, 3001, 67, device.multiprocessors()).splits()).isGreaterThan(1);
        Tensor x = OnDevice.random(random, type, 3001, 67);
        Tensor wide = OnDevice.random(random, type, 1203, 48);
        for (ReduceFn fn : ReduceFn.values()) {
            AgainstReference.check(new Reduce(fn, new int[] {0}, false), x);
            AgainstReference.check(new Reduce(fn, new int[] {0}, true), wide);
        }
        AgainstReference.check(new ArgReduce(true, 0, false), x);
        AgainstReference.check(new ArgReduce(false, 0, false), wide);
        AgainstReference.sameBitsInEveryOrder(new Reduce(ReduceFn.SUM, new int[] {0}, false), x);
        AgainstReference.sameBitsInEveryOrder(new Reduce(ReduceFn.SUM, new int[] {0}, false), wide);
    }

    @ParameterizedTest
    @EnumSource(value = DType.class, names = {"F32", "F64", "F16"})
    void rowsThatAreSplit(DType type) {
        for (int columns : new int[] {70_001, 65_536}) {
            Tensor x = OnDevice.random(random, type, 3, columns).add(OnDevice.random(random, type, 3, 1));
            for (ReduceFn fn : ReduceFn.values()) {
                AgainstReference.check(new Reduce(fn, new int[] {1}, false), x);
            }
            AgainstReference.check(new ArgReduce(true, 1, false), x);
            AgainstReference.check(new Reduce(ReduceFn.MEAN, new int[] {0, 1}, false), x);
            AgainstReference.sameBitsInEveryOrder(new Reduce(ReduceFn.SUM, new int[] {1}, false), x);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 7, 8, 33, 64, 255, 256, 257, 1000, 2047, 4096})
    void rowsOfEveryLength(int columns) {
        Tensor x = OnDevice.random(random, DType.F32, 37, columns);
        AgainstReference.check(new Reduce(ReduceFn.SUM, new int[] {1}, false), x);
        AgainstReference.check(new ArgReduce(true, 1, true), x);
        AgainstReference.check(new Reduce(ReduceFn.MAX, new int[] {1}, false), x.cast(DType.BF16));
    }

    @Test
    void axesInAnyPlaces() {
        Tensor x = OnDevice.random(random, DType.F32, 5, 3, 4, 1, 6, 7);
        for (int mask = 0; mask < 64; mask++) {
            int m = mask;
            int[] axes = java.util.stream.IntStream.range(0, 6).filter(a -> (m >> a & 1) == 1).toArray();
            AgainstReference.check(new Reduce(ReduceFn.SUM, axes, mask % 2 == 0), x);
            AgainstReference.check(new Reduce(ReduceFn.MEAN, axes, false), x);
            AgainstReference.check(new Reduce(ReduceFn.MIN, axes, false), x);
        }
    }

    @Test
    void integersAreExactAndWrap() {
        Tensor x = AgainstReference.whole(random, DType.I32, 1 << 30, 2000, 5);
        AgainstReference.check(new Reduce(ReduceFn.SUM, new int[] {1}, false), x.cast(DType.I64));
        AgainstReference.check(new Reduce(ReduceFn.SUM, new int[] {0}, false), x.cast(DType.I64));
        AgainstReference.check(new Reduce(ReduceFn.SUM, new int[] {0}, false), x);
        AgainstReference.check(new Reduce(ReduceFn.MAX, new int[] {0, 1}, false), x.cast(DType.I16));
        AgainstReference.check(new Reduce(ReduceFn.MIN, new int[] {1}, false), x.cast(DType.U8));
    }

    /** A NaN or an equal in a later split must neither be lost nor win. */
    @Test
    void theFirstOfEqualsAndTheFirstNaN() {
        float[] v = new float[200_000];
        assertThat(firstMaximum(v, 1, 200_000)).isZero();
        assertThat(firstMaximum(v, 100_000, 2)).isZero();
        v[150_001] = 1;
        v[190_001] = 1;
        assertThat(firstMaximum(v, 1, 200_000)).isEqualTo(150_001);
        assertThat(firstMaximum(v, 100_000, 2)).isEqualTo(75_000);
        v[170_001] = Float.NaN;
        v[180_001] = Float.NaN;
        assertThat(firstMaximum(v, 1, 200_000)).isEqualTo(170_001);
        assertThat(firstMaximum(v, 100_000, 2)).isEqualTo(85_000);
        Tensor x = Tensor.of(v, 1, 200_000).to(Device.cuda());
        assertThat(x.max(1).to(Device.CPU).toDoubles()[0]).isNaN();
    }

    /** In the row, or in the last of the columns. */
    private static long firstMaximum(float[] v, int rows, int columns) {
        Tensor x = Tensor.of(v, rows, columns);
        long[] places = (long[]) AgainstReference.onDevice(new ArgReduce(true, rows == 1 ? 1 : 0, false), x)[0]
                .to(Device.CPU).toArray();
        return places[places.length - 1];
    }

    // ------------------------------------------------------------------ softmax

    /** One thread for a row, parts of a warp, a warp, blocks, and rows that are read twice. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 4, 15, 31, 64, 96, 500, 512, 1000, 1024, 2048, 6000, 8193, 12_000, 16_400, 40_000})
    void softmaxOfEveryLength(int columns) {
        Tensor x = OnDevice.random(random, DType.F32, columns > 2000 ? 3 : 37, columns).mul(8);
        for (DType type : columns % 2 == 0 ? new DType[] {DType.F32, DType.BF16} : new DType[] {DType.F32}) {
            Tensor t = x.cast(type);
            Tensor g = OnDevice.random(random, type, x.shape().dims());
            for (boolean log : new boolean[] {false, true}) {
                AgainstReference.check(new Softmax(log), t);
                Tensor y = OnDevice.reference(() -> log ? t.logSoftmax() : t.softmax());
                AgainstReference.check(new SoftmaxBackward(log), 5, g, y);
            }
        }
        AgainstReference.check(new Softmax(false), x.cast(DType.F64));
    }

    @Test
    void infiniteLogits() {
        float inf = Float.POSITIVE_INFINITY;
        for (int columns : new int[] {5, 3000, 40_001}) {
            float[] v = new float[3 * columns];
            java.util.Arrays.fill(v, -inf);
            v[columns - 1] = 2;                            // all but one
            v[columns] = 1e30f;
            v[2 * columns - 1] = 1e30f;
            double[] y = AgainstReference.onDevice(new Softmax(false), Tensor.of(v, 3, columns))[0].to(Device.CPU)
                    .toDoubles();
            assertThat(y[columns - 1]).isEqualTo(1);
            assertThat(y[0]).isZero();
            assertThat(y[columns]).isEqualTo(0.5);
            assertThat(y[2 * columns - 1]).isEqualTo(0.5);
            assertThat(y[2 * columns]).isNaN();            // a row of nothing but -inf, as on the CPU
        }
    }
}
