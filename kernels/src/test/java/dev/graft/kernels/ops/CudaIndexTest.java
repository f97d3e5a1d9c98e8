package dev.graft.kernels.ops;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.tensor.Context;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.IndexOp;
import dev.graft.tensor.op.LossOp;
import dev.graft.tensor.op.Op;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the catalogue does not say of indices: sums in a fixed order, many adds to one row, indices that are wrong. */
class CudaIndexTest extends EmulatedDeviceTest {
    private final SplittableRandom random = new SplittableRandom(13);

    private static void deterministic(Runnable body) {
        Context c = Context.current();
        c.withNumerics(Numerics.DEFAULT.withDeterministic(true)).run(body);
    }

    @ParameterizedTest
    @EnumSource(value = DType.class, names = {"F32", "F64", "BF16", "I32"})
    void rowsAreAddedInAFixedOrder(DType type) {
        for (int width : new int[] {1, 7, 48, 1030}) {
            int n = width > 100 ? 300 : 2500;
            Tensor dy = type.isFloat() ? OnDevice.random(random, type, n, width)
                    : AgainstReference.whole(random, type, 9, n, width);
            for (DType kind : new DType[] {DType.I32, DType.I64}) {
                Tensor index = AgainstReference.whole(random, kind, 37, n);
                Op op = new IndexOp.TakeBackward(37);
                AgainstReference.check(op, 4, dy, index);
                deterministic(() -> {
                    AgainstReference.check(op, 4, dy, index);
                    AgainstReference.sameBitsInEveryOrder(op, dy, index);
                });
            }
        }
    }

    @Test
    void oneRowMayGetThemAll() {
        Tensor dy = OnDevice.random(random, DType.F32, 3000, 12);
        Tensor index = Tensor.of(new int[3000], 3000);
        for (int rows : new int[] {1, 1000}) {
            AgainstReference.check(new IndexOp.TakeBackward(rows), 10, dy, index);
            deterministic(() -> AgainstReference.check(new IndexOp.TakeBackward(rows), 10, dy, index));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2})
    void elementsAreAddedInAFixedOrder(int axis) {
        int[] dims = {30, 20, 10};
        Op op = new IndexOp.TakeAlongBackward(axis, 5);
        for (DType type : new DType[] {DType.F32, DType.F16, DType.I64}) {
            Tensor dy = type.isFloat() ? OnDevice.random(random, type, dims) : AgainstReference.whole(random, type, 9, dims);
            Tensor index = AgainstReference.whole(random, DType.I64, 5, dims);
            AgainstReference.check(op, 4, dy, index);
            deterministic(() -> {
                AgainstReference.check(op, 4, dy, index);
                AgainstReference.sameBitsInEveryOrder(op, dy, index);
            });
        }
    }

    /** Nothing outside of the table is touched (the emulated device would say so), and the next read says what was wrong. */
    @ParameterizedTest
    @ValueSource(longs = {-1, 8, 1L << 40, Long.MIN_VALUE})
    void anIndexOutsideIsReportedOnce(long wrong) {
        Tensor table = OnDevice.random(random, DType.F32, 5, 8);
        Tensor rows = OnDevice.random(random, DType.F32, 3, 8);
        Tensor index = Tensor.of(new long[] {1, wrong, 4}, 3);
        Tensor along = Tensor.of(new long[] {0, wrong}, 2, 1);
        refuses(new IndexOp.Take(), table, index);
        refuses(new IndexOp.TakeBackward(5), rows, index);
        deterministic(() -> refuses(new IndexOp.TakeBackward(5), rows, index));
        refuses(new IndexOp.TakeAlong(1), table.slice(0, 0, 2), along);
        refuses(new IndexOp.TakeAlongBackward(1, 5), OnDevice.random(random, DType.F32, 2, 1), along);
        AgainstReference.check(new IndexOp.Take(), table, Tensor.of(new long[] {1, 0, 4}, 3));
    }

    private static void refuses(Op op, Tensor... in) {
        Tensor out = AgainstReference.onDevice(op, in)[0];
        assertThatThrownBy(() -> out.to(Device.CPU)).as(op.toString()).isInstanceOf(GraftException.class)
                .hasMessageContaining("outside of its axis");
        out.to(Device.CPU);                                   // said once
    }

    // ------------------------------------------------------------------ cross-entropy

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 10, 100, 1000, 1024, 5000, 50_257})
    void crossEntropyOfAnyNumberOfClasses(int classes) {
        int n = classes > 2000 ? 3 : 25;
        for (DType type : new DType[] {DType.F32, DType.BF16}) {
            Tensor x = OnDevice.random(random, DType.F32, n, classes).mul(9).cast(type);
            Tensor target = AgainstReference.whole(random, DType.I64, classes, n);
            long ignored = ((long[]) target.toArray())[1];
            for (LossOp op : new LossOp[] {new LossOp.CrossEntropy(0, -100), new LossOp.CrossEntropy(0.1, ignored)}) {
                AgainstReference.check(op, x, target);
                Tensor lse = AgainstReference.onDevice(op, x, target)[1].to(Device.CPU);
                LossOp backward = new LossOp.CrossEntropyBackward(op.labelSmoothing(), op.ignoreIndex());
                AgainstReference.check(backward, 5, OnDevice.random(random, DType.F32, n), x, target, lse);
            }
            AgainstReference.sameBitsInEveryOrder(new LossOp.CrossEntropy(0.1, -100), x, target);
        }
    }

    @Test
    void aTargetThatIsNoClassIsReported() {
        Tensor x = OnDevice.random(random, DType.F32, 3, 10);
        for (int wrong : new int[] {-1, 10, Integer.MIN_VALUE}) {
            Tensor target = Tensor.of(new int[] {2, wrong, 9}, 3);
            Tensor loss = AgainstReference.onDevice(new LossOp.CrossEntropy(0, -100), x, target)[0];
            assertThatThrownBy(() -> loss.to(Device.CPU)).isInstanceOf(GraftException.class)
                    .hasMessageContaining("no class of the logits");
            assertThat(loss.to(Device.CPU).toDoubles()[1]).isNaN();
            AgainstReference.check(new LossOp.CrossEntropy(0, wrong), x, target);   // the same number, ignored
        }
    }
}
