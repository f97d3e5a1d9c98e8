package dev.graft.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.tensor.Context;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import java.util.List;
import org.junit.jupiter.api.Test;

class SequentialTest {
    private final Sequential net = new Sequential(
            Samples.randomize(new Conv2d(3, 4, 3, ConvSpec.DEFAULT.padding(1).bias(false)), 1),
            Samples.randomize(new BatchNorm2d(4), 2), Activation.relu6(),
            Samples.randomize(new Conv2d(4, 2, 1, ConvSpec.DEFAULT), 3), Activation.relu(),
            new MaxPool2d(2), new Flatten(), Samples.randomize(new Linear(8, 5), 4), Activation.gelu(),
            Samples.randomize(new Linear(5, 3), 5), Activation.relu());
    private final Tensor x = Samples.floats(6, 2, 4, 4, 3);

    private Tensor oneByOne(int from, int to) {
        Tensor y = x;
        for (int i = from; i < to; i++) {
            y = net.get(i).call(y);
        }
        return y;
    }

    @Test
    void neighboursThatRunTogetherGiveWhatTheyGiveApart() {
        ConvLayersTest.assertClose(net.call(x), oneByOne(0, 11).toDoubles());
        for (int end : new int[] {1, 2, 3, 4, 5, 8, 9}) {
            ConvLayersTest.assertClose(net.call(x, 0, end), oneByOne(0, end).toDoubles());
        }
        ConvLayersTest.assertClose(Samples.training(() -> net.call(x)),
                Samples.training(() -> oneByOne(0, 11)).toDoubles());
        Tensor y = net.call(x, 0, 2);
        ConvLayersTest.assertClose(new Sequential(net.get(0), net.get(1)).callAdd(x, y), y.add(y).toDoubles());
        ConvLayersTest.assertClose(new Sequential(net.get(0), net.get(1), net.get(2)).callAdd(x, y),
                oneByOne(0, 3).add(y).toDoubles());
    }

    @Test
    void gradientsOfAWholeNetwork() {
        Samples.gradients(net, true, Samples.doubles(7, 2, 4, 4, 3)).elements(5).check();
        Samples.gradients(net, false, Samples.doubles(7, 2, 4, 4, 3)).elements(5).check();
    }

    @Test
    void layersHaveNamesAndCanBeReplaced() {
        assertThat(net.parameters().keySet()).startsWith("0.weight", "1.weight", "1.bias", "3.weight");
        net.replace("9", new Linear(5, 7));
        assertThat(net.call(x).shape().dims()).containsExactly(2, 7);
        net.replace("1", new Identity());
        ConvLayersTest.assertClose(net.call(x), oneByOne(0, 11).toDoubles());
        Sequential named = new Sequential().add("conv", new Conv2d(1, 1, 1, ConvSpec.DEFAULT)).add(new Flatten());
        assertThat(named.children().keySet()).containsExactly("conv", "1");
        assertThat(named).hasToString("Sequential\n  conv: Conv2d(1 to 1, 1x1)\n  1: Flatten");
        assertThatThrownBy(() -> named.add("conv", new Identity())).hasMessageContaining("conv");
    }

    @Test
    void aLayerAtTwoPlacesIsRefused() {
        Linear shared = new Linear(3, 3);
        Sequential twice = new Sequential(new Sequential(shared), new Sequential(shared));
        assertThatThrownBy(twice::parameters).isInstanceOf(GraftException.class).hasMessage("module: 0.0.weight and"
                + " 1.0.weight are one parameter, at two places: build a second layer for one of them, or have one layer and"
                + " call it twice");
        assertThat(new Sequential(shared).parameters()).hasSize(2);     // it may go into another network
        twice.close();
        assertThatThrownBy(() -> shared.weight().value().toFloats()).hasMessageContaining("closed");
    }

    @Test
    void intermediatesAreFreedOnTheWayAndTheInputIsNot() {
        Tensor[] seen = new Tensor[3];
        final class Probe extends Module {
            private final int at;

            Probe(int at) {
                this.at = at;
            }

            @Override
            protected Tensor forward(Tensor t) {
                if (at > 0) {
                    assertThat(seen[at - 1].isClosed()).isEqualTo(at > 1);
                }
                seen[at] = t;
                return t.add(1);
            }
        }

        try (Scope scope = Scope.open()) {
            Tensor y = new Sequential(new Probe(0), new Probe(1), new Identity(), new Probe(2)).call(x);
            assertThat(y.get(0, 0, 0, 0)).isCloseTo(x.get(0, 0, 0, 0) + 3, org.assertj.core.data.Offset.offset(1e-5));
            assertThat(List.of(seen).stream().map(Tensor::isClosed)).containsExactly(false, true, true);
        }
    }

    @Test
    void aLayerThatGivesBackWhatItOwnsKeepsIt() {
        Tensor own = Scope.persistent(() -> Tensor.ones(2, 3));
        final class Constant extends Module {
            @Override
            protected Tensor forward(Tensor t) {
                return own;
            }
        }

        assertThat(new Sequential(new Constant(), Activation.tanh()).call(x).shape().dims()).containsExactly(2, 3);
        assertThat(own.isClosed()).isFalse();
    }

    @Test
    void aClosedNetworkSaysSoInsteadOfRunningOnNewWeights() {
        net.close();
        assertThatThrownBy(() -> net.call(x)).isInstanceOf(GraftException.class).hasMessageContaining("closed");
    }

    @Test
    void errorsNameTheLayer() {
        assertThatThrownBy(() -> new Sequential(new Identity(), net).call(Tensor.zeros(1, 4, 4, 5)))
                .hasMessageContaining("1.0").hasMessageContaining("5 channels");
        assertThat(Context.current().path()).isEmpty();
    }
}
