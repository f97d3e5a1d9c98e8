package dev.graft.tensor.reference;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.tensor.DType;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.Op;
import java.util.SplittableRandom;

/** What the tests of the reference share. */
final class Check {
    private Check() {}

    static Tensor random(long seed, int... dims) {
        return Tensor.of(new SplittableRandom(seed).doubles(Shape.of(dims).size(), -1, 1).toArray(), dims);
    }

    static Tensor run(Op op, Tensor... in) {
        return Dispatcher.one(op, in);
    }

    static void close(Tensor t, double tolerance, double... want) {
        double[] got = t.toDoubles();
        assertThat(got).as(t.toString()).hasSize(want.length);
        for (int i = 0; i < got.length; i++) {
            assertThat(got[i]).as("element " + i).isCloseTo(want[i], org.assertj.core.data.Offset.offset(tolerance));
        }
    }

    static void close(Tensor t, Tensor want) {
        assertThat(t.shape()).isEqualTo(want.shape());
        close(t, 1e-12, want.toDoubles());
    }

    static double dot(Tensor a, Tensor b) {
        assertThat(a.shape()).isEqualTo(b.shape());
        double[] x = a.toDoubles();
        double[] y = b.toDoubles();
        double sum = 0;
        for (int i = 0; i < x.length; i++) {
            sum += x[i] * y[i];
        }
        return sum;
    }

    /** 0, 1, 2, ... in float64. */
    static Tensor counting(int... dims) {
        return Tensor.arange(DType.F64, Math.toIntExact(Shape.of(dims).size())).reshape(Shape.of(dims));
    }
}
