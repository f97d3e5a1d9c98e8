package dev.graft.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.graft.autograd.GradCheck;
import dev.graft.autograd.Gradients;
import dev.graft.autograd.Tape;
import dev.graft.tensor.Context;
import dev.graft.tensor.Device;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Interceptor;
import dev.graft.tensor.Memory;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.backend.Backends;
import dev.graft.tensor.op.Op;
import dev.graft.tensor.op.Update;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FusedTest {
    private final Conv2d conv = Samples.randomize(new Conv2d(3, 4, 3, ConvSpec.DEFAULT.padding(1)), 1);
    private final BatchNorm2d bn = Samples.randomize(new BatchNorm2d(4), 2);
    private final Tensor x = Samples.floats(3, 2, 5, 5, 3);
    private final Tensor residual = Samples.floats(4, 2, 5, 5, 4);

    private Tensor apart(Activation a, Tensor r) {
        Tensor y = bn.call(conv.call(x));
        y = r == null ? y : y.add(r);
        return a == null ? y : a.call(y);
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void foldedEqualsApart(boolean bias) {
        Conv2d c = bias ? conv : Samples.randomize(new Conv2d(3, 4, 3, ConvSpec.DEFAULT.padding(1).bias(false)), 1);
        for (Activation a : new Activation[] {null, Activation.relu(), Activation.relu6(), Activation.silu()}) {
            for (Tensor r : new Tensor[] {null, residual}) {
                Tensor y = bn.call(c.call(x));
                y = r == null ? y : y.add(r);
                y = a == null ? y : a.call(y);
                ConvLayersTest.assertClose(Fused.convBn(c, bn, a, r, x), y.toDoubles());
            }
        }
    }

    /** Names of the ops of a call. */
    private static List<String> ops(Runnable body) {
        List<String> names = new ArrayList<>();
        Interceptor spy = new Interceptor() {
            @Override
            public Tensor[] intercept(Op op, Tensor[] in, Next next) {
                names.add(op.name());
                return next.run(op, in);
            }
        };
        Context.current().with(spy).run(body);
        return names;
    }

    @Test
    void theFoldIsMadeOnceAndAgainAfterAChange() {
        List<String> first = ops(() -> Fused.convBn(conv, bn, Activation.relu(), null, x));
        assertThat(first).contains("rsqrt", "conv2d_bias_activation").doesNotContain("batch_norm");
        assertThat(ops(() -> Fused.convBn(conv, bn, Activation.relu(), null, x)))
                .doesNotContain("rsqrt").startsWith("conv2d_bias_activation");

        Dispatcher.update(new Update.Axpby(1, 1), conv.weight().value(), Samples.floats(5, 4, 3, 3, 3));
        ConvLayersTest.assertClose(Fused.convBn(conv, bn, null, null, x), apart(null, null).toDoubles());
        Dispatcher.update(new Update.Axpby(2, 0), bn.runningVar().value(), bn.runningVar().value().copy());
        ConvLayersTest.assertClose(Fused.convBn(conv, bn, null, null, x), apart(null, null).toDoubles());
        bn.weight().assign(Samples.floats(6, 4));
        ConvLayersTest.assertClose(Fused.convBn(conv, bn, null, null, x), apart(null, null).toDoubles());
        BatchNorm2d other = Samples.randomize(new BatchNorm2d(4), 7);
        ConvLayersTest.assertClose(Fused.convBn(conv, other, null, null, x), other.call(conv.call(x)).toDoubles());
    }

    private static Sequential inverted(Activation a, Activation b, int stride) {
        ConvSpec bare = ConvSpec.DEFAULT.bias(false);
        return Samples.randomize(new Sequential(
                new Sequential(new Conv2d(4, 24, 1, bare), new BatchNorm2d(24), a),
                new Sequential(new Conv2d(24, 24, 3, bare.padding(1).stride(stride).groups(24)), new BatchNorm2d(24), b),
                new Conv2d(24, 4, 1, bare), new BatchNorm2d(4)), 8);
    }

    /** The block's layers called one by one. */
    private static Tensor layers(Sequential block, Tensor r, Tensor x) {
        Tensor y = x;
        for (int i = 0; i < 2; i++) {
            for (Module m : ((Sequential) block.get(i)).children().values()) {
                y = m.call(y);
            }
        }
        y = block.get(3).call(block.get(2).call(y));
        return r == null ? y : y.add(r);
    }

    @Test
    void anInvertedResidualBlockIsOneOpUnlessItLearns() {
        for (int stride = 1; stride <= 2; stride++) {
            Sequential block = inverted(Activation.relu6(), Activation.relu6(), stride);
            for (Tensor r : new Tensor[] {null, stride == 1 ? residual : Samples.floats(9, 2, 3, 3, 4)}) {
                Tensor expected = layers(block, r, residual);
                List<String> ops = ops(() -> ConvLayersTest.assertClose(
                        r == null ? block.call(residual) : block.callAdd(residual, r), expected.toDoubles()));
                String part = "conv2d_bias_activation";
                switch (Backends.of(Device.CPU).name()) {
                    case "cpu-simd" -> assertThat(ops).contains("inverted_residual").doesNotContain(part);
                    // that kernel needs vectors: the op is done by its parts
                    case "cpu-plain" -> assertThat(ops).contains("inverted_residual", part);
                    // the reference knows primitives only: each of the parts is taken apart once more
                    default -> assertThat(ops).contains(part, "conv2d").doesNotContain("inverted_residual");
                }
            }
        }
        Sequential block = inverted(Activation.relu6(), Activation.relu6(), 1);
        assertThat(ops(() -> inverted(Activation.relu(), Activation.relu6(), 1).call(residual)))
                .doesNotContain("inverted_residual");
        assertThat(ops(() -> Samples.training(() -> block.call(residual)))).doesNotContain("inverted_residual");
        try (Tape tape = new Tape()) {      // only the input wants a gradient
            tape.watch(residual);
            assertThat(ops(() -> tape.record(() -> block.call(residual).sum()))).doesNotContain("inverted_residual");
        }
    }

    @Test
    void trainingUsesTheBatch() {
        Tensor expected = Samples.training(() -> apart(Activation.relu(), residual));
        ConvLayersTest.assertClose(Samples.training(() -> Fused.convBn(conv, bn, Activation.relu(), residual, x)),
                expected.toDoubles());
        assertThat(bn.buffers().get("num_batches_tracked").value().toLongs()).containsExactly(2);
    }

    @Test
    void trainingRunsBatchNormWithAllThatFollowsAsOneOp() {
        assertThat(ops(() -> Samples.training(() -> Fused.convBn(conv, bn, Activation.relu(), residual, x))))
                .contains("batch_norm_activation").doesNotContain("batch_norm", "relu");
        assertThat(ops(() -> Samples.training(() -> new Sequential(bn, Activation.relu6()).call(residual))))
                .contains("batch_norm_activation").doesNotContain("batch_norm", "relu6");
        Activation[] activations = {null, Activation.relu(), Activation.relu6(), Activation.silu()};
        for (Activation a : activations) {
            for (Tensor r : new Tensor[] {null, residual}) {
                double[][][] gradients = new double[2][][];
                for (int i = 0; i < 2; i++) {
                    boolean fused = i == 0;
                    try (Tape tape = new Tape()) {
                        tape.watch(x);
                        tape.watch(residual);
                        Tensor loss = tape.record(() -> Samples.training(
                                () -> (fused ? Fused.convBn(conv, bn, a, r, x) : apart(a, r)).square().sum()));
                        Gradients g = tape.backward(loss);
                        gradients[i] = java.util.stream.Stream.of(x, r, conv.weight().value(), bn.weight().value(),
                                bn.bias().value()).filter(t -> t != null).map(t -> g.of(t).toDoubles())
                                .toArray(double[][]::new);
                    }
                }
                for (int k = 0; k < gradients[0].length; k++) {
                    assertThat(gradients[0][k]).as(a + " input " + k).usingComparatorWithPrecision(1e-3)
                            .containsExactly(gradients[1][k]);
                }
            }
        }
    }

    @Test
    void frozenLayersFoldUnderATapeAndPassGradientsOn() {
        Sequential net = new Sequential(Samples.randomize(new Conv2d(3, 3, 1, ConvSpec.DEFAULT), 8), conv, bn,
                Activation.relu());
        net.freeze(ParamSelector.of("1", "2"));
        Tensor first = net.parameters().get("0.weight").value();
        double[][] gradients = new double[2][];
        for (int i = 0; i < 2; i++) {
            boolean fused = i == 0;
            try (Tape tape = new Tape()) {
                List<String> ops = new ArrayList<>();
                Tensor[] loss = new Tensor[1];
                tape.record(() -> Samples.training(() -> {
                    ops.addAll(ops(() -> loss[0] = (fused ? net.call(x)
                            : net.get(3).call(net.get(2).call(net.get(1).call(net.get(0).call(x))))).square().sum()));
                    return null;
                }));
                assertThat(ops.contains("batch_norm")).isFalse();
                Gradients g = tape.backward(loss[0]);
                assertThat(g.find(conv.weight().value())).isNull();
                gradients[i] = g.of(first).toDoubles();
            }
        }
        for (int i = 0; i < gradients[0].length; i++) {
            assertThat(gradients[0][i]).isCloseTo(gradients[1][i], within(1e-4 * Math.max(1, Math.abs(gradients[1][i]))));
        }
    }

    @Test
    void trainableLayersGetTheirGradientsInEvaluationMode() {
        Sequential net = new Sequential(conv, bn);
        Samples.gradients(net, false, Samples.doubles(9, 2, 6, 6, 3)).elements(16).checkTwice();   // folded on the tape
        Samples.gradients(net, false, Samples.doubles(9, 1, 2, 2, 3)).elements(16).checkTwice();   // weights weigh more
        net.freeze(ParamSelector.of("1"));                 // the common case: batch norm fixed, convolutions trained
        conv.weight().assign(Samples.floats(10, 4, 3, 3, 3));
        conv.bias().assign(Samples.floats(11, 4));
        bn.weight().assign(Samples.floats(12, 4));
        bn.bias().assign(Samples.floats(13, 4));
        double[][] gradients = new double[2][];
        for (int i = 0; i < 2; i++) {
            boolean fused = i == 0;
            try (Tape tape = new Tape()) {
                Tensor loss = tape.record(() -> Samples.training(
                        () -> (fused ? net.call(x) : apart(null, null)).square().sum()));
                Gradients g = tape.backward(loss);
                gradients[i] = g.of(conv.weight().value()).toDoubles();
                assertThat(g.find(bn.weight().value())).isNull();
            }
        }
        for (int i = 0; i < gradients[0].length; i++) {
            assertThat(gradients[0][i]).isCloseTo(gradients[1][i], within(1e-4 * Math.max(1, Math.abs(gradients[1][i]))));
        }
    }

    @Test
    void foldedGradientsByInputAndResidual() {
        Sequential frozen = new Sequential(new Conv2d(2, 3, 3, ConvSpec.DEFAULT.padding(1)),
                Samples.randomize(new BatchNorm2d(3), 9));
        int[] seed = {10};
        frozen.parameters().forEach((path, p) -> p.assign(Samples.doubles(seed[0]++, p.shape().dims())));
        frozen.freeze(ParamSelector.ALL);
        GradCheck.of(in -> Fused.convBn((Conv2d) frozen.get(0), (BatchNorm2d) frozen.get(1), Activation.gelu(), in[1],
                in[0]), Samples.doubles(20, 1, 4, 4, 2), Samples.doubles(21, 1, 4, 4, 3)).check();
    }

    @Test
    void manyThreadsShareAModel() throws Exception {
        Sequential net = new Sequential(conv, bn, Activation.relu());
        float[] expected = net.call(x).toFloats();
        bn.weight().assign(bn.weight().value().copy());   // the next call folds again, on several threads at once
        try (ExecutorService threads = Executors.newFixedThreadPool(4)) {
            List<Future<float[]>> results = new ArrayList<>();
            for (int i = 0; i < 32; i++) {
                results.add(threads.submit(() -> net.call(x).toFloats()));
            }
            for (Future<float[]> r : results) {
                assertThat(r.get()).containsExactly(expected);
            }
        }
    }

    @Test
    void closingAModelFreesTheFold() {
        Sequential net = new Sequential(new Conv2d(3, 4, 3, ConvSpec.DEFAULT), new BatchNorm2d(4));
        net.call(x).close();
        long before = Memory.report().tensors();
        net.close();
        // weight and bias of both, two statistics, folded weight and bias; garbage of other tests may go as well
        assertThat(before - Memory.report().tensors()).isGreaterThanOrEqualTo(8);
    }
}
