package dev.graft.kernels.ops;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.kernels.emulator.EmulatedCuda;
import dev.graft.kernels.emulator.EmulatedCuda.Order;
import dev.graft.tensor.Context;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.Op;
import java.util.Arrays;
import java.util.SplittableRandom;

/** Runs one op on the emulated device and compares it with the naive loops in float64. */
final class AgainstReference {
    private AgainstReference() {}

    /** Every output within what its type allows. */
    static void check(Op op, Tensor... in) {
        check(op, 1, in);
    }

    /** @param slack times what is usual is allowed: for sums of many, or differences of large numbers */
    static void check(Op op, double slack, Tensor... in) {
        Tensor[] want = OnDevice.reference(() -> Dispatcher.run(op, exact(in)));
        Tensor[] got = onDevice(op, in);
        assertThat(got).hasSameSizeAs(want);
        for (int i = 0; i < got.length; i++) {
            assertThat(got[i].shape()).isEqualTo(want[i].shape());
            double allowed = got[i].dtype().isFloat() ? slack * OnDevice.tolerance(got[i].dtype()) : 0;
            assertThat(OnDevice.difference(got[i], want[i])).as(op + " of " + Arrays.toString(specs(in)) + ", output " + i)
                    .isLessThanOrEqualTo(allowed);
        }
    }

    /** The same bits whatever order threads and blocks run in, on one or two host threads. */
    static void sameBitsInEveryOrder(Op op, Tensor... in) {
        Object[] first = null;
        for (Order order : Order.values()) {
            EmulatedCuda.order(order, 3);
            EmulatedCuda.hostThreads(order == Order.RANDOM ? 2 : 1);
            Object[] now = Arrays.stream(onDevice(op, in)).map(t -> t.to(Device.CPU).toArray()).toArray();
            first = first == null ? now : first;
            assertThat(Arrays.deepEquals(now, first)).as(op + " in order " + order).isTrue();
        }
        EmulatedCuda.reset();
    }

    static Tensor[] onDevice(Op op, Tensor... in) {
        Tensor[] x = Arrays.stream(in).map(t -> t.to(Device.cuda())).toArray(Tensor[]::new);
        return Context.inference().call(() -> Dispatcher.run(op, x));
    }

    private static Tensor[] exact(Tensor[] in) {
        return Arrays.stream(in).map(t -> t.dtype().isFloat() ? t.cast(DType.F64) : t).toArray(Tensor[]::new);
    }

    private static Object[] specs(Tensor[] in) {
        return Arrays.stream(in).map(Tensor::spec).toArray();
    }

    /** Whole numbers from 0 to below {@code end}. */
    static Tensor whole(SplittableRandom r, DType type, int end, int... dims) {
        int n = Math.toIntExact(Arrays.stream(dims).asLongStream().reduce(1, (a, b) -> a * b));
        return Tensor.of(r.longs(n, 0, end).toArray(), dims).cast(type);
    }
}
