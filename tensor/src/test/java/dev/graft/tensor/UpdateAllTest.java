package dev.graft.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Offset.offset;

import dev.graft.tensor.backend.Backend;
import dev.graft.tensor.cpu.CpuBackend;
import dev.graft.tensor.op.Change;
import dev.graft.tensor.op.Update;
import dev.graft.tensor.reference.ReferenceBackend;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A step's updates at once do what single updates do, with the gradients multiplied before. */
class UpdateAllTest {
    static Stream<Backend> backends() {
        return Stream.of(new CpuBackend(), CpuBackend.plain(), new ReferenceBackend());
    }

    /** Fresh tensors for every update of the catalogue in both types: target, gradient, states. */
    private static List<Tensor[]> tensors() {
        List<Tensor[]> all = new ArrayList<>();
        for (DType type : List.of(DType.F32, DType.F64)) {
            OpCatalog.updates().stream().filter(c -> c.shape().size() < 1000)
                    .forEach(c -> all.add(OpCatalog.inputs(c, type, 11)));
        }
        return all;
    }

    private static List<Change> changes(List<Tensor[]> tensors) {
        List<Update> updates = OpCatalog.updates().stream().filter(c -> c.shape().size() < 1000)
                .map(OpCatalog.UpdateCase::update).toList();
        List<Change> all = new ArrayList<>();
        for (int i = 0; i < tensors.size(); i++) {
            Tensor[] t = tensors.get(i);
            all.add(new Change(updates.get(i % updates.size()), t[0], Arrays.copyOfRange(t, 1, t.length)));
        }
        return all;
    }

    private static List<Object> values(List<Tensor[]> tensors) {
        return tensors.stream().flatMap(Stream::of).map(Tensor::toArray).toList();
    }

    private static void assertSame(List<Tensor[]> got, List<Tensor[]> want) {
        List<Object> a = values(got);
        List<Object> b = values(want);
        for (int i = 0; i < a.size(); i++) {
            assertThat(a.get(i)).as("tensor " + i).isEqualTo(b.get(i));
        }
    }

    @ParameterizedTest
    @MethodSource("backends")
    void aScaleMultipliesTheGradientsAndLeavesThemAsTheyAre(Backend backend) {
        Context.inference().withCpu(backend).run(() -> {
            for (Double scale : Arrays.asList(null, 1.0, 0.5, -3.7)) {
                List<Tensor[]> want = tensors();
                List<Tensor> gradients = want.stream().map(t -> t[1].copy()).toList();
                for (Change c : changes(want)) {
                    Tensor[] in = c.in().clone();
                    in[0] = scale == null ? in[0] : in[0].mul((float) (double) scale);
                    Dispatcher.update(c.update(), c.target(), in);
                }
                List<Tensor[]> got = tensors();
                Dispatcher.updateAll(changes(got), scale == null ? null : Tensor.scalar((float) (double) scale));
                assertSame(got, want);
                for (int i = 0; i < got.size(); i++) {
                    assertThat(got.get(i)[1].toArray()).isEqualTo(gradients.get(i).toArray());
                }
            }
        });
    }

    @ParameterizedTest
    @MethodSource("backends")
    void aLimitClipsScaledGradientsAndLeavesThemAsTheyAre(Backend backend) {
        Context.inference().withCpu(backend).run(() -> {
            for (Float scale : Arrays.asList(null, 1f, -3.7f)) {
                for (double limit : new double[] {0.2, 1e30}) {
                    List<Tensor[]> want = tensors();
                    List<Tensor> gradients = want.stream().map(t -> t[1].copy()).toList();
                    for (Change c : changes(want)) {
                        Tensor[] in = c.in().clone();
                        in[0] = (scale == null ? in[0] : in[0].mul(scale)).clamp(-limit, limit);
                        Dispatcher.update(c.update(), c.target(), in);
                    }
                    List<Tensor[]> got = tensors();
                    Dispatcher.updateAll(changes(got), scale == null ? null : Tensor.scalar(scale), limit);
                    assertSame(got, want);
                    for (int i = 0; i < got.size(); i++) {
                        assertThat(got.get(i)[1].toArray()).isEqualTo(gradients.get(i).toArray());
                    }
                }
            }
            List<Tensor[]> unclipped = tensors();
            Dispatcher.updateAll(changes(unclipped), null);
            List<Tensor[]> clipped = tensors();
            Dispatcher.updateAll(changes(clipped), null, 0.2);
            for (int i = 0; i < clipped.size(); i++) {
                if (clipped.get(i)[0].size() > 10) {
                    assertThat(clipped.get(i)[0].toArray()).as("target " + i).isNotEqualTo(unclipped.get(i)[0].toArray());
                }
            }
        });
    }

    /** Vectors and the rest behind them. */
    @ParameterizedTest
    @MethodSource("backends")
    void aLimitKeepsWhatIsNoNumberAndClipsInfinity(Backend backend) {
        Context.inference().withCpu(backend).run(() -> {
            for (Update u : List.of(new Update.Sgd(1, 0, 0, 0, false, false), new Update.Sgd(1, 0.5, 0, 0, false, false),
                    new Update.Adam(1, 0.9, 0.9, 0, 0, false, 1), new Update.RmsProp(1, 0, 0, 0, 0))) {
                float[] values = new float[37];
                Arrays.fill(values, Float.NEGATIVE_INFINITY);
                values[3] = values[36] = Float.NaN;
                Tensor w = Tensor.zeros(37);
                Tensor[] in = Stream.concat(Stream.of(Tensor.of(values, 37)),
                        Stream.generate(() -> Tensor.zeros(37)).limit(u.inputs() - 1)).toArray(Tensor[]::new);
                Dispatcher.updateAll(List.of(new Change(u, w, in)), null, 1);
                float[] got = w.toFloats();
                for (int i = 0; i < got.length; i++) {
                    float want = i == 3 || i == 36 ? Float.NaN : 1;    // −lr · −1, also where divided by the root of 1
                    assertThat(got[i]).as(u.name() + " " + i).isEqualTo(want, offset(1e-5f));
                }
            }
        });
    }

    @ParameterizedTest
    @MethodSource("backends")
    void aScaleThatIsNoNumberChangesNothing(Backend backend) {
        Context.inference().withCpu(backend).run(() -> {
            for (float scale : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
                List<Tensor[]> got = tensors();
                Dispatcher.updateAll(changes(got), Tensor.scalar(scale));
                assertSame(got, tensors());
            }
        });
    }

    @Test
    void aTapeSeesThatTargetsAndStatesWereWritten() {
        Tensor[] t = {Tensor.ones(3), Tensor.ones(3), Tensor.zeros(3), Tensor.zeros(3)};
        Update adam = new Update.Adam(0.1, 0.9, 0.999, 1e-8, 0, false, 1);
        Dispatcher.updateAll(List.of(new Change(adam, t[0], t[1], t[2], t[3])), null);
        assertThat(t[0].toFloats()[0]).isCloseTo(0.9f, offset(1e-5f));
        assertThat(Stream.of(t).map(x -> x.storage().version())).containsExactly(1, 0, 1, 1);
    }

    /** A tensor that says it lies on a device; its memory is never touched. */
    private static Tensor on(Device device) {
        return new Tensor(new TensorSpec(DType.F32, Shape.of(3)), new Storage(DType.F32, 3) {
            @Override
            public Device device() {
                return device;
            }

            @Override
            protected void free() {}
        }, 0);
    }

    @Test
    void aTensorCanBeAddedToItself() {
        Tensor t = Tensor.of(new float[] {2, -4, 6}, 3);
        Dispatcher.update(new Update.Axpby(0.5, 1), t, t);
        assertThat(t.toFloats()).containsExactly(3, -6, 9);
    }

    @Test
    void mistakesAreNamedAndNothingIsChanged() {
        Tensor p = Tensor.ones(3);
        Tensor g = Tensor.ones(3);
        Update sgd = new Update.Sgd(0.1, 0, 0, 0, false, false);
        Tensor far = on(Device.cuda(0));
        Change here = new Change(sgd, p, g);
        Change there = new Change(sgd, far, on(Device.cuda(0)));
        assertThatThrownBy(() -> Dispatcher.updateAll(List.of(here, there), null)).isInstanceOf(GraftException.class)
                .hasMessage("sgd: one call's targets lie on cpu and cuda:0: update each device by itself");
        assertThatThrownBy(() -> Dispatcher.updateAll(List.of(here, new Change(sgd, p, far)), null))
                .hasMessage("sgd: float32[3] on cuda:0 does not fit the target, float32[3] on cpu");
        assertThatThrownBy(() -> Dispatcher.updateAll(List.of(here, new Change(sgd, p, g, g)), null))
                .hasMessage("sgd: takes 1 inputs beside the target, got 2");
        for (Tensor scale : List.of(Tensor.ones(2), Tensor.of(new double[] {1}), far.view(Shape.of(3), 0))) {
            assertThatThrownBy(() -> Dispatcher.updateAll(List.of(here), scale))
                    .hasMessage("the gradients' scale is " + scale.spec() + " on " + scale.device()
                            + ": one float32 value on cpu is needed");
        }
        Tensor closed = Tensor.scalar(1);
        closed.close();
        assertThatThrownBy(() -> Dispatcher.updateAll(List.of(here), closed)).hasMessageContaining("was used after close()");
        assertThat(p.toFloats()).containsOnly(1);
        for (double limit : new double[] {0, -1, Double.NaN}) {
            assertThatThrownBy(() -> Dispatcher.updateAll(List.of(here), null, limit)).isInstanceOf(GraftException.class)
                    .hasMessage("the gradients' limit is " + limit + ": a number above 0 is needed");
        }
        assertThat(p.toFloats()).containsOnly(1);
        Dispatcher.updateAll(List.of(), null);
    }
}
