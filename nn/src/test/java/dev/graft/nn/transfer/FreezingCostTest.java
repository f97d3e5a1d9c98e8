package dev.graft.nn.transfer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.autograd.Tape;
import dev.graft.nn.Conv2d;
import dev.graft.nn.ConvSpec;
import dev.graft.nn.Flatten;
import dev.graft.nn.Module;
import dev.graft.nn.ParamSelector;
import dev.graft.nn.Sequential;
import dev.graft.nn.loss.CrossEntropy;
import dev.graft.nn.optim.Sgd;
import dev.graft.nn.train.Batches;
import dev.graft.nn.train.TrainEvent;
import dev.graft.nn.train.TrainOptions;
import dev.graft.nn.train.Trainer;
import dev.graft.tensor.Context;
import dev.graft.tensor.Device;
import dev.graft.tensor.Interceptor;
import dev.graft.tensor.LiveBytes;
import dev.graft.tensor.Memory;
import dev.graft.tensor.RandomStream;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.backend.Backends;
import dev.graft.tensor.cpu.PackedCache;
import dev.graft.tensor.op.Op;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a training step does, keeps and leaves out when parts of the network are frozen. */
class FreezingCostTest {
    /** It has neither fused ops nor packed weights. */
    private static final boolean REFERENCE = Backends.of(Device.CPU).name().equals("cpu-reference");
    private static final Context TRAINING = Context.current().withTraining(true).withRandom(RandomStream.of(1, 1));

    /** The names of the ops of a step, forward and backward, and how many ops its tape recorded. */
    private record Step(List<String> forward, List<String> backward, int recorded) {
        int count(String name) {
            return Collections.frequency(backward, name);
        }
    }

    private static final class Spy implements Interceptor {
        private List<String> names = new ArrayList<>();

        @Override
        public Tensor[] intercept(Op op, Tensor[] in, Next next) {
            names.add(op.name());
            return next.run(op, in);
        }

        List<String> taken() {
            List<String> before = names;
            names = new ArrayList<>();
            return before;
        }
    }

    private static Step step(StagedNetwork net, Tensor x, int from) {
        Spy spy = new Spy();
        return TRAINING.with(spy).call(() -> {
            try (Scope s = Scope.open("step"); Tape tape = new Tape()) {
                Tensor loss = tape.record(() -> net.callStages(x, from, net.stages().size()).square().sum());
                List<String> forward = spy.taken();
                int recorded = tape.size();
                tape.backward(loss);
                return new Step(forward, spy.taken(), recorded);
            }
        });
    }

    private static TinyNetwork frozen(String... patterns) {
        TinyNetwork net = (TinyNetwork) new TinyNetwork(3).initialize(3);
        net.freeze(ParamSelector.of(patterns));
        return net;
    }

    private static Tensor images() {
        return Tensor.uniform(-1, 1, 2, 8, 8, 3);
    }

    @Test
    void aFrozenPrefixIsAForwardPassOfFoldedConvolutions() {
        TinyNetwork net = frozen("first", "second");
        step(net, images(), 0);         // folds
        Step all = step(net, images(), 0);
        assertThat(all.forward()).filteredOn(n -> n.startsWith("conv2d_"))
                .containsExactly("conv2d_bias_activation", "conv2d_bias_activation");
        assertThat(all.forward()).filteredOn(n -> n.equals("conv2d")).as("their parts").hasSize(REFERENCE ? 2 : 0);
        assertThat(all.forward()).noneMatch(n -> n.startsWith("batch_norm") || n.equals("dropout") || n.equals("rsqrt"));
        Step head = step(net, Tensor.uniform(-1, 1, 2, 8), 3);
        assertThat(all.recorded()).as("ops on the tape").isEqualTo(head.recorded()).isPositive();
        assertThat(all.backward()).as("ops of the backward pass").isEqualTo(head.backward());
    }

    @Test
    void aFrozenMiddleGivesGradientsOfItsInputAlone() {
        Step open = step(frozen("none"), images(), 0);
        assertThat(open.count("conv2d_backward_weight")).isEqualTo(2);
        Step middle = step(frozen("second"), images(), 0);
        assertThat(middle.count("conv2d_backward_weight")).as("of the first convolution").isEqualTo(1);
        assertThat(middle.count("conv2d_backward_input")).as("of the second one").isEqualTo(1);
        assertThat(middle.forward()).doesNotContain("dropout");
    }

    /** Bytes that a forward pass leaves alive: its output, and what the tape keeps for the backward pass. */
    private static long kept(Module net, Tensor x) {
        return LiveBytes.of(Device.CPU, () -> TRAINING.call(() -> {
            try (Scope s = Scope.open("forward"); Tape tape = new Tape()) {
                long before = Memory.report().live();
                tape.record(() -> net.call(x));
                return Memory.report().live() - before;
            }
        }));
    }

    @Test
    void frozenConvolutionsDoNotKeepTheirInputs() {
        Sequential chain = new Sequential();
        for (int i = 0; i < 4; i++) {
            chain.add(new Conv2d(8, 8, 3, ConvSpec.DEFAULT.padding(1)));
        }
        chain.initialize(1);
        Tensor x = Tensor.uniform(-1, 1, 8, 64, 64, 8);
        long map = 4 * x.size();
        kept(chain, x);
        long trainable = kept(chain, x);
        chain.freeze(ParamSelector.of("1", "2", "3"));
        long middle = kept(chain, x);
        chain.freeze(ParamSelector.of("0", "1", "2", "3"));
        long prefix = kept(chain, x);
        assertThat(trainable).as("three inputs and the output").isGreaterThanOrEqualTo(4 * map);
        assertThat(middle).as("the output").isLessThan(2 * map);
        assertThat(prefix).as("the output").isLessThan(2 * map);
    }

    @Test
    void packedFormsOfFrozenWeightsStayFromStepToStep() {
        Sequential net = new Sequential().add("frozen", new Conv2d(16, 32, 3, ConvSpec.DEFAULT.padding(1)))
                .add("more", new Conv2d(32, 32, 3, ConvSpec.DEFAULT.padding(1)))
                .add("head", new Conv2d(32, 2, 16, ConvSpec.DEFAULT))
                .add("flat", new Flatten());
        net.initialize(1);
        net.freeze(ParamSelector.of("frozen", "more"));
        PackedCache.clear();
        List<Long> bytes = new ArrayList<>();
        Batches data = Batches.of(Tensor.uniform(-1, 1, 8, 16, 16, 16), Tensor.of(new int[8], 8), 2);
        new Trainer(net, new Sgd(0.01).optimizer(net), new CrossEntropy(), new TrainOptions(2, 1).withProgress(false))
                .on(e -> {
                    if (e instanceof TrainEvent.Step) {
                        bytes.add(PackedCache.bytes());
                    }
                }).fit(data, null);
        assertThat(bytes).hasSize(8);
        assertThat(bytes.subList(3, 8)).allMatch(b -> b > 0 != REFERENCE && b.equals(bytes.get(3)));
    }
}
