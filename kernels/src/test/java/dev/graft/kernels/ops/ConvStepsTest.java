package dev.graft.kernels.ops;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.kernels.emulator.EmulatedCuda;
import dev.graft.tensor.Context;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.backend.Backend;
import dev.graft.tensor.backend.Backends;
import dev.graft.tensor.backend.StepGraph;
import dev.graft.tensor.op.ConvOp;
import dev.graft.tensor.op.ConvParams;
import dev.graft.tensor.op.FusedOp;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Convolutions and products as they come in training: again and again, and recorded into a graph. */
class ConvStepsTest {
    private static final Device CUDA = Device.cuda();
    private static final ConvParams HALF = ConvParams.of(2, 1);
    private static final ConvParams TO_THE_RIGHT = new ConvParams(1, 1, 0, 2, 0, 2, 1, 1, 1);
    private static final FusedOp FUSED = new FusedOp.ConvBiasActivation(TO_THE_RIGHT, FusedOp.Activation.RELU);

    @BeforeAll
    static void open() {
        OnDevice.open();
    }

    @BeforeEach
    void reset() {
        EmulatedCuda.reset();
    }

    /** A small network: two convolutions, a linear layer, and gradients of the first convolution. */
    private static Tensor[] step(Tensor x, Tensor w, Tensor v, Tensor b, Tensor l) {
        Tensor y = x.conv2d(w, HALF);
        Tensor z = Dispatcher.one(FUSED, y, v, b);
        Tensor logits = z.flatten(1).matmulTransposed(l);
        Tensor dx = Dispatcher.one(new ConvOp.Conv2dBackwardInput(HALF, x.dim(1), x.dim(2)), y, w);
        Tensor dw = Dispatcher.one(new ConvOp.Conv2dBackwardWeight(HALF, 3, 3), x, y);
        return new Tensor[] {logits, dx, dw};
    }

    private static Tensor[] parameters(SplittableRandom r) {
        return new Tensor[] {OnDevice.random(r, DType.F32, 8, 3, 3, 4), OnDevice.random(r, DType.F32, 5, 3, 3, 8),
            OnDevice.random(r, DType.F32, 5), OnDevice.random(r, DType.F32, 6, 80)};
    }

    @Test
    void aRecordedStepIsReplayedOnNewInputs() {
        SplittableRandom r = new SplittableRandom(1);
        Backend backend = Backends.of(CUDA);
        Tensor[] p = parameters(r);
        Tensor[] q = new Tensor[p.length];
        for (int i = 0; i < p.length; i++) {
            q[i] = p[i].to(CUDA);
        }
        Tensor input = OnDevice.random(r, DType.F32, 2, 8, 7, 4).to(CUDA);
        try (Scope first = Scope.open("first")) {
            step(input, q[0], q[1], q[2], q[3]);
        }
        Tensor[][] made = new Tensor[1][];
        try (StepGraph g = backend.capture(() -> made[0] = Scope.persistent(() -> step(input, q[0], q[1], q[2], q[3])))) {
            assertThat(g.launches()).isGreaterThanOrEqualTo(5);
            for (int k = 0; k < 3; k++) {
                try (Scope s = Scope.open("replay")) {
                    Tensor x = OnDevice.random(r, DType.F32, 2, 8, 7, 4);
                    input.write(x.toFloats());
                    g.replay(Context.current().random(), () -> { });
                    Tensor[] want = OnDevice.reference(() -> step(x, p[0], p[1], p[2], p[3]));
                    for (int i = 0; i < want.length; i++) {
                        assertThat(OnDevice.difference(made[0][i], want[i])).as("output " + i).isLessThan(1e-5);
                    }
                }
            }
            for (Tensor t : made[0]) {
                t.close();
            }
        }
        assertThat(EmulatedCuda.report()).isEmpty();
    }

    @Test
    void aSteadyStepAllocatesNothing() {
        SplittableRandom r = new SplittableRandom(2);
        Tensor[] q = parameters(r);
        for (int i = 0; i < q.length; i++) {
            q[i] = q[i].to(CUDA);
        }
        Tensor input = OnDevice.random(r, DType.F32, 2, 8, 7, 4).to(CUDA);
        long allocations = 0;
        long launches = 0;
        long steady = 0;
        for (int k = 0; k < 6; k++) {
            try (Scope s = Scope.open("step")) {
                step(input, q[0], q[1], q[2], q[3]);
            }
            if (k == 2) {
                allocations = EmulatedCuda.count("allocations");
            }
            long now = EmulatedCuda.count("launches");
            steady = now - launches;
            launches = now;
        }
        assertThat(EmulatedCuda.count("allocations")).isEqualTo(allocations);
        // two convolutions, two gradients, a product, each one call; a copy of the padded image, an epilogue or partial sums
        assertThat(steady).isBetween(5L, 9L);
    }
}
