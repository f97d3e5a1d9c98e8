package dev.graft.autograd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.backend.Backends;
import dev.graft.tensor.op.ConvParams;
import dev.graft.tensor.op.FusedOp;
import dev.graft.tensor.op.FusedOp.Activation;
import dev.graft.tensor.op.FusedOp.ConvBiasActivation;
import dev.graft.tensor.op.FusedOp.LinearBiasActivation;
import dev.graft.tensor.op.Update;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Gradients of fused ops in float32, which a tape may record whole, against those in float64, which it takes apart. */
class FusedGradientsTest {
    record Case(FusedOp op, List<int[]> shapes) {
        /** Wide enough that ReLU6 is met from all sides. */
        Tensor[] inputs(DType type) {
            Random r = new Random(5);
            Tensor[] in = new Tensor[shapes.size()];
            for (int i = 0; i < in.length; i++) {
                int[] dims = shapes.get(i);
                float[] v = new float[Arrays.stream(dims).reduce(1, (a, b) -> a * b)];
                for (int j = 0; j < v.length; j++) {
                    v[j] = (float) (2 * r.nextGaussian());
                }
                in[i] = Tensor.of(v, dims).cast(type);
            }
            return in;
        }
    }

    static Stream<Case> cases() {
        List<Case> all = new ArrayList<>();
        for (Activation a : new Activation[] {Activation.NONE, Activation.RELU, Activation.RELU6}) {
            for (boolean residual : new boolean[] {false, true}) {
                ConvParams p = ConvParams.of(1, 1);
                all.add(of(new ConvBiasActivation(p, a), residual, new int[] {2, 5, 6, 3}, new int[] {4, 3, 3, 3},
                        new int[] {2, 5, 6, 4}));
                all.add(of(new ConvBiasActivation(p.withGroups(17), a), residual, new int[] {2, 5, 4, 17},
                        new int[] {17, 3, 3, 1}, new int[] {2, 5, 4, 17}));
                all.add(of(new LinearBiasActivation(a), residual, new int[] {2, 3, 5}, new int[] {4, 5},
                        new int[] {2, 3, 4}));
            }
        }
        return all.stream();
    }

    private static Case of(FusedOp op, boolean residual, int[] x, int[] w, int[] y) {
        int[] bias = {w[0]};
        return new Case(op, residual ? List.of(x, w, bias, y) : List.of(x, w, bias));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void gradientsByAnyOfTheInputs(Case c) {
        for (int wanted = 1; wanted < 1 << c.shapes.size(); wanted++) {
            try (Scope s = Scope.open()) {
                Tensor[] found = gradients(c, DType.F32, wanted);
                Tensor[] want = gradients(c, DType.F64, wanted);
                for (int i = 0; i < found.length; i++) {
                    if ((wanted >> i & 1) == 0) {
                        assertThat(found[i]).isNull();
                    } else {
                        close(found[i], want[i]);
                    }
                }
            }
        }
    }

    private static Tensor[] gradients(Case c, DType type, int wanted) {
        Tensor[] in = c.inputs(type);
        try (Tape tape = new Tape()) {
            for (int i = 0; i < in.length; i++) {
                if ((wanted >> i & 1) != 0) {
                    tape.watch(in[i]);
                }
            }
            Tensor y = tape.record(() -> Dispatcher.one(c.op, in));
            if (Backends.of(Device.CPU).runsWhole(c.op, in)) {
                assertThat(tape.size()).as("recorded whole").isEqualTo(1);
            }
            Gradients g = tape.backward(y, y.mul(0.5).add(1));
            return Arrays.stream(in).map(g::find).toArray(Tensor[]::new);
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void gradientsOfGradients(Case c) {
        try (Scope s = Scope.open()) {
            Tensor[] found = second(c, DType.F32);
            Tensor[] want = second(c, DType.F64);
            for (int i = 0; i < found.length; i++) {
                assertThat(found[i] == null).as("input %d", i).isEqualTo(want[i] == null);
                if (found[i] != null) {
                    close(found[i], want[i]);
                }
            }
        }
    }

    /** Of the sum of the gradients' squares. */
    private static Tensor[] second(Case c, DType type) {
        return Tape.vjp(in -> {
            Tensor y = Tape.noGrad(() -> Dispatcher.one(c.op, in));
            Tensor sum = null;
            for (Tensor g : Tape.vjp(x -> Dispatcher.run(c.op, x), in, new Tensor[] {y.onesLike()})) {
                Tensor squares = g.square().sum();
                sum = sum == null ? squares : sum.add(squares);
            }
            return new Tensor[] {sum};
        }, c.inputs(type), new Tensor[] {Tensor.of(new double[] {1}, 1).reshape().cast(type)});
    }

    @ParameterizedTest
    @MethodSource("cases")
    void aResultChangedInPlaceIsNoticed(Case c) {
        boolean reads = c.op instanceof ConvBiasActivation v && v.activation() != Activation.NONE
                || c.op instanceof LinearBiasActivation l && l.activation() != Activation.NONE;
        try (Scope s = Scope.open(); Tape tape = new Tape()) {
            Tensor[] in = c.inputs(DType.F32);
            tape.watch(in[2]);
            Tensor y = tape.record(() -> Dispatcher.one(c.op, in));
            Dispatcher.update(new Update.Axpby(2, 0), y, y.onesLike());
            if (reads) {
                assertThatThrownBy(() -> tape.backward(y, y.onesLike())).isInstanceOf(GraftException.class)
                        .hasMessageContaining("changed in place between forward and backward");
            } else {
                assertThat(tape.backward(y, y.onesLike()).of(in[2]).size()).isPositive();
            }
        }
    }

    private static void close(Tensor found, Tensor want) {
        double error = found.cast(DType.F64).sub(want).square().sum().item();
        assertThat(Math.sqrt(error)).isLessThanOrEqualTo(1e-5 * Math.sqrt(want.square().sum().item()) + 1e-9);
    }
}
