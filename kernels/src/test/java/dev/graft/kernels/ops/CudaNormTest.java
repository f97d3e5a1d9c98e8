package dev.graft.kernels.ops;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.FusedOp.Activation;
import dev.graft.tensor.op.NormOp;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the catalogue does not say of norms: work that is split over blocks, every length of rows, sound variances. */
class CudaNormTest extends EmulatedDeviceTest {
    private static final double EPS = 1e-5;
    private final SplittableRandom random = new SplittableRandom(12);

    private Tensor random(DType type, int... dims) {
        return OnDevice.random(random, type, dims);
    }

    private Tensor scale(DType type, int channels) {
        return random(type, channels).mul(0.5).add(1);
    }

    private static Tensor[] saved(NormOp forward, Tensor... in) {
        return OnDevice.reference(() -> dev.graft.tensor.Dispatcher.run(forward, in));
    }

    /** A thread for a row, parts of a warp, a warp, a block, and rows that do not fit into registers. */
    @ParameterizedTest
    @CsvSource({"700, 1", "700, 3", "300, 8", "41, 33", "41, 64", "41, 200", "41, 512", "23, 768", "23, 1000", "9, 1024",
        "9, 2048", "5, 4100", "5, 9000", "3, 20000", "3, 8191"})
    void layerNormOfEveryLength(int rows, int channels) {
        for (DType type : channels % 8 == 0 ? new DType[] {DType.F32, DType.BF16} : new DType[] {DType.F32}) {
            Tensor x = random(type, rows, channels);
            Tensor gamma = scale(DType.F32, channels);
            NormOp forward = new NormOp.LayerNorm(1e-3);
            AgainstReference.check(forward, 2, x, gamma, random(DType.F32, channels));
            Tensor[] s = saved(forward, x, gamma, gamma);
            Tensor dy = random(type, rows, channels);
            AgainstReference.check(new NormOp.LayerNormBackward(1e-3), 4, dy, x, gamma, s[1], s[2]);
            AgainstReference.sameBitsInEveryOrder(new NormOp.LayerNormBackward(1e-3), dy, x, gamma, s[1], s[2]);
        }
    }

    @Test
    void layerNormInFloat64() {
        for (int channels : new int[] {6, 300, 520, 9001}) {
            Tensor x = random(DType.F64, 11, channels);
            Tensor gamma = scale(DType.F64, channels);
            Tensor[] s = saved(new NormOp.LayerNorm(EPS), x, gamma, gamma);
            AgainstReference.check(new NormOp.LayerNorm(EPS), x, gamma, gamma);
            AgainstReference.check(new NormOp.LayerNormBackward(EPS), 10, random(DType.F64, 11, channels), x, gamma, s[1],
                    s[2]);
        }
    }

    @ParameterizedTest
    @CsvSource({"4001, 3", "2000, 64", "1, 5", "2, 1000", "333, 40", "70, 3000"})
    void batchNormOfEveryShape(int rows, int channels) {
        for (DType type : new DType[] {DType.F32, DType.BF16}) {
            for (Activation activation : type != DType.F32 ? List.of(Activation.RELU6)
                    : List.of(Activation.NONE, Activation.RELU, Activation.RELU6)) {
                Tensor x = random(type, rows, channels);
                Tensor gamma = scale(DType.F32, channels);
                Tensor residual = random(type, rows, channels);
                NormOp forward = new NormOp.BatchNormActivation(0.1, activation);
                AgainstReference.check(forward, 2, x, gamma, gamma, residual);
                AgainstReference.check(forward, 2, x, gamma, gamma);
                Tensor[] s = saved(forward, x, gamma, gamma, residual);
                Tensor dy = random(type, rows, channels);
                AgainstReference.check(new NormOp.BatchNormActivationBackward(0.1, activation, true), 5,
                        dy, x, s[0], gamma, s[1], s[2]);
                AgainstReference.check(new NormOp.BatchNormActivationBackward(0.1, activation, false), 5,
                        dy, x, s[0], gamma, s[1], s[2]);
            }
        }
    }

    @Test
    void batchNormHasAFixedOrder() {
        assertThat(Tiles.reducing(1, 5000, 16, device.multiprocessors()).splits()).isGreaterThan(1);
        Tensor x = random(DType.F32, 5000, 64);
        Tensor gamma = scale(DType.F32, 64);
        Tensor[] s = saved(new NormOp.BatchNorm(EPS), x, gamma, gamma);
        AgainstReference.sameBitsInEveryOrder(new NormOp.BatchNorm(EPS), x, gamma, gamma);
        AgainstReference.sameBitsInEveryOrder(new NormOp.BatchNormBackward(EPS), random(DType.F32, 5000, 64), x, gamma, s[1],
                s[2]);
    }

    /** E[x²] − E[x]² would leave nothing of these variances in float32. */
    @ParameterizedTest
    @ValueSource(ints = {7, 501, 20_000})
    void aMeanFarFromZeroLeavesTheVarianceExact(int rows) {
        float[] v = new float[rows * 4];
        for (int i = 0; i < v.length; i++) {
            v[i] = 10_000 + (float) random.nextInt(-8, 9) / 64;      // exact in float32
        }
        Tensor x = Tensor.of(v, rows, 4);
        Tensor one = Tensor.ones(4);
        for (NormOp op : new NormOp[] {new NormOp.BatchNorm(EPS), new NormOp.GroupNorm(2, EPS)}) {
            Tensor shaped = op instanceof NormOp.GroupNorm ? x.reshape(1, rows, 4) : x;
            Tensor[] got = AgainstReference.onDevice(op, shaped, one, one);
            Tensor[] want = OnDevice.reference(() -> dev.graft.tensor.Dispatcher.run(op, shaped.cast(DType.F64),
                    one.cast(DType.F64), one.cast(DType.F64)));
            assertThat(OnDevice.difference(got[2], want[2])).isLessThan(1e-3);
            assertThat(OnDevice.difference(got[1], want[1])).isLessThan(1e-6);
        }
    }

    /** Constant channels have variance 0 exactly. */
    @Test
    void constantsHaveNoVariance() {
        double[] invstd = AgainstReference.onDevice(new NormOp.BatchNorm(1e-6), Tensor.full(0.1, 3000, 8), Tensor.ones(8),
                Tensor.ones(8))[2].to(Device.CPU).toDoubles();
        assertThat(Arrays.stream(invstd).map(i -> i / 1000).toArray()).containsOnly(invstd[0] / 1000);
        assertThat(invstd[0]).isBetween(999.9, 1000.1);
    }

    @ParameterizedTest
    @EnumSource(value = DType.class, names = {"F32", "F16"})
    void groupNormWhosePixelsAreSplit(DType type) {
        int[][] shapes = {{1, 900, 64}, {3, 31, 30, 12}, {2, 1, 40}, {50, 4, 8}};
        int[] groups = {8, 3, 5, 1};
        for (int i = 0; i < shapes.length; i++) {
            int channels = shapes[i][shapes[i].length - 1];
            Tensor x = random(type, shapes[i]);
            Tensor gamma = scale(DType.F32, channels);
            NormOp forward = new NormOp.GroupNorm(groups[i], 1e-2);
            AgainstReference.check(forward, 2, x, gamma, random(DType.F32, channels));
            Tensor[] s = saved(forward, x, gamma, gamma);
            NormOp backward = new NormOp.GroupNormBackward(groups[i], 1e-2);
            Tensor dy = random(type, shapes[i]);
            AgainstReference.check(backward, 5, dy, x, gamma, s[1], s[2]);
            AgainstReference.sameBitsInEveryOrder(backward, dy, x, gamma, s[1], s[2]);
            AgainstReference.sameBitsInEveryOrder(forward, x, gamma, gamma);
        }
    }
}
