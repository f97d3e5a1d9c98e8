package dev.graft.kernels.ops;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.tensor.Context;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.PoolOp;
import dev.graft.tensor.op.PoolParams;
import dev.graft.tensor.op.ResizeOp;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What the catalogue does not say of pooling and resizing: windows and sizes of any kind, drawn at random. */
class CudaPoolTest extends EmulatedDeviceTest {
    private final SplittableRandom random = new SplittableRandom(14);

    private PoolParams window() {
        int kh = 1 + random.nextInt(4);
        int kw = 1 + random.nextInt(4);
        return new PoolParams(kh, kw, 1 + random.nextInt(4), 1 + random.nextInt(4), random.nextInt(kh), random.nextInt(kh),
                random.nextInt(kw), random.nextInt(kw), random.nextBoolean());
    }

    @Test
    void windowsOfAnyKind() {
        for (int i = 0; i < 150; i++) {
            try (Scope s = Scope.open("window")) {
                PoolParams p = window();
                int h = 4 + random.nextInt(9);
                int w = 4 + random.nextInt(9);
                int c = i % 2 == 0 ? 8 : 3;
                DType type = i % 3 == 0 ? DType.BF16 : DType.F32;
                Tensor x = OnDevice.random(random, type, 2, h, w, c).mul(4).cast(DType.I32).cast(type);   // ties
                AgainstReference.check(new PoolOp.MaxPool2d(p), x);
                Tensor[] y = OnDevice.reference(() -> dev.graft.tensor.Dispatcher.run(new PoolOp.MaxPool2d(p), x));
                Tensor dy = OnDevice.random(random, type, y[0].shape().dims());
                AgainstReference.check(new PoolOp.MaxPool2dBackward(h, w, p), dy, y[1]);
                for (boolean counts : new boolean[] {false, true}) {
                    AgainstReference.check(new PoolOp.AvgPool2d(p, counts), x);
                    AgainstReference.check(new PoolOp.AvgPool2dBackward(p, counts, h, w), dy);
                }
            }
        }
    }

    /** Where the windows are not known, and where they are, the gradient is the same. */
    @ParameterizedTest
    @EnumSource(value = DType.class, names = {"F32", "F16"})
    void winnersAnywhere(DType type) {
        PoolParams p = PoolParams.of(3, 2, 1);
        Tensor x = OnDevice.random(random, type, 2, 15, 17, 16);
        Tensor[] y = AgainstReference.onDevice(new PoolOp.MaxPool2d(p), x);
        Tensor dy = OnDevice.random(random, type, 2, 8, 9, 16);
        Tensor places = y[1].to(Device.CPU);
        PoolOp known = new PoolOp.MaxPool2dBackward(15, 17, p);
        PoolOp unknown = new PoolOp.MaxPool2dBackward(15, 17);
        AgainstReference.check(unknown, dy, places);
        double[] a = AgainstReference.onDevice(known, dy, places)[0].to(Device.CPU).toDoubles();
        Context.current().withNumerics(Numerics.DEFAULT.withDeterministic(true)).run(() -> {
            assertThat(AgainstReference.onDevice(unknown, dy, places)[0].to(Device.CPU).toDoubles()).isEqualTo(a);
            AgainstReference.sameBitsInEveryOrder(unknown, dy, places);
        });
        AgainstReference.check(new PoolOp.MaxPool2dGather(), x, places);
    }

    @Test
    void adaptiveSizesOfAnyKind() {
        for (int i = 0; i < 80; i++) {
            try (Scope s = Scope.open("size")) {
                int h = 1 + random.nextInt(20);
                int w = 1 + random.nextInt(20);
                int oh = 1 + random.nextInt(i % 4 == 0 ? 1 : 12);
                int ow = 1 + random.nextInt(i % 4 == 0 ? 1 : 12);
                int c = i % 2 == 0 ? 4 : 5;
                AgainstReference.check(new PoolOp.AdaptiveAvgPool2d(oh, ow), OnDevice.random(random, DType.F32, 2, h, w, c));
                AgainstReference.check(new PoolOp.AdaptiveAvgPool2dBackward(h, w),
                        OnDevice.random(random, DType.F32, 2, oh, ow, c));
            }
        }
        AgainstReference.check(new PoolOp.AdaptiveAvgPool2d(1, 1), OnDevice.random(random, DType.BF16, 3, 40, 40, 64));
    }

    @Test
    void imagesOfAnySize() {
        for (int i = 0; i < 120; i++) {
            try (Scope s = Scope.open("size")) {
                int big = i % 10 == 0 ? 900 : 24;
                int h = 1 + random.nextInt(24);
                int w = 1 + random.nextInt(big);
                int oh = 1 + random.nextInt(24);
                int ow = 1 + random.nextInt(big);
                int c = i % 2 == 0 ? 4 : 1;
                boolean corners = random.nextBoolean();
                ResizeOp.Mode mode = i % 3 == 0 ? ResizeOp.Mode.NEAREST : ResizeOp.Mode.BILINEAR;
                AgainstReference.check(new ResizeOp.Resize2d(mode, oh, ow, corners),
                        OnDevice.random(random, DType.F32, 2, h, w, c));
                AgainstReference.check(new ResizeOp.Resize2dBackward(mode, h, w, corners),
                        OnDevice.random(random, DType.F32, 2, oh, ow, c));
            }
        }
    }
}
