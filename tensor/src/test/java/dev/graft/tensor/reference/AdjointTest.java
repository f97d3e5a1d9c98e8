package dev.graft.tensor.reference;

import static dev.graft.tensor.reference.Check.dot;
import static dev.graft.tensor.reference.Check.random;
import static dev.graft.tensor.reference.Check.run;
import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.ConvOp;
import dev.graft.tensor.op.ConvParams;
import dev.graft.tensor.op.IndexOp;
import dev.graft.tensor.op.LayoutOp;
import dev.graft.tensor.op.PoolOp;
import dev.graft.tensor.op.PoolParams;
import dev.graft.tensor.op.ResizeOp;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Every pair of transposed ops A, B satisfies {@code <A x, y> = <x, B y>} for all x and y. */
@ExtendWith(OnReference.class)
class AdjointTest {
    private static void adjoint(Shape x, UnaryOperator<Tensor> a, UnaryOperator<Tensor> b) {
        Tensor u = random(31, x.dims());
        Tensor image = a.apply(u);
        Tensor v = random(37, image.shape().dims());
        Tensor back = b.apply(v);
        assertThat(back.shape()).isEqualTo(x);
        double left = dot(image, v);
        assertThat(left).as("the products must not both be zero").isNotZero();
        assertThat(dot(u, back)).isCloseTo(left, org.assertj.core.data.Offset.offset(1e-10));
    }

    @Test
    void convolutionAndItsTwoGradients() {
        List<ConvParams> params = List.of(ConvParams.of(1, 1), ConvParams.of(2, 0), ConvParams.of(2, 1).withGroups(2),
                ConvParams.of(1, 2).withDilation(2), new ConvParams(3, 2, 0, 2, 1, 0, 1, 2, 4));
        for (ConvParams p : params) {
            for (int h = 7; h <= 9; h++) {                  // also sizes whose last rows no window reaches
                int height = h;
                Shape image = Shape.of(2, h, 8, 4);
                Shape weight = Shape.of(8, 3, 2, 4 / p.groups());
                Tensor x = random(1, image.dims());
                Tensor w = random(2, weight.dims());
                adjoint(image, t -> t.conv2d(w, p), t -> run(new ConvOp.Conv2dBackwardInput(p, height, 8), t, w));
                adjoint(weight, t -> x.conv2d(t, p), t -> run(new ConvOp.Conv2dBackwardWeight(p, 3, 2), x, t));
            }
        }
    }

    @Test
    void poolingAndItsGradients() {
        List<PoolParams> params = List.of(PoolParams.of(2, 2, 0), PoolParams.of(3, 2, 1),
                PoolParams.of(3, 2, 1).withCeilMode(true), new PoolParams(2, 3, 1, 2, 1, 0, 0, 2, false),
                PoolParams.of(2, 3, 0));
        Shape image = Shape.of(2, 7, 8, 3);
        for (PoolParams p : params) {
            for (boolean padding : new boolean[] {false, true}) {
                adjoint(image, t -> t.avgPool2d(p, padding), t -> run(new PoolOp.AvgPool2dBackward(p, padding, 7, 8), t));
            }
            Tensor winners = Dispatcher.run(new PoolOp.MaxPool2d(p), random(3, image.dims()))[1];
            adjoint(image, t -> run(new PoolOp.MaxPool2dGather(), t, winners),
                    t -> run(new PoolOp.MaxPool2dBackward(7, 8), t, winners));
        }
        for (int[] o : new int[][] {{1, 1}, {3, 5}, {7, 8}, {9, 10}}) {
            adjoint(image, t -> t.adaptiveAvgPool2d(o[0], o[1]), t -> run(new PoolOp.AdaptiveAvgPool2dBackward(7, 8), t));
        }
    }

    @Test
    void maxPoolReadsItsWinners() {
        Tensor x = random(5, 2, 7, 8, 3);
        Tensor[] y = Dispatcher.run(new PoolOp.MaxPool2d(PoolParams.of(3, 2, 1)), x);
        assertThat(run(new PoolOp.MaxPool2dGather(), x, y[1]).toDoubles()).isEqualTo(y[0].toDoubles());
    }

    @Test
    void resizing() {
        Shape image = Shape.of(2, 5, 4, 3);
        for (ResizeOp.Mode mode : ResizeOp.Mode.values()) {
            for (boolean corners : new boolean[] {false, true}) {
                for (int[] o : new int[][] {{1, 1}, {3, 2}, {5, 4}, {11, 9}}) {
                    adjoint(image, t -> t.resize2d(mode, o[0], o[1], corners),
                            t -> run(new ResizeOp.Resize2dBackward(mode, 5, 4, corners), t));
                }
            }
        }
    }

    @Test
    void indexing() {
        int[] picks = new SplittableRandom(7).ints(12, 0, 5).toArray();
        Tensor index = Tensor.of(picks, 3, 4);
        adjoint(Shape.of(5, 2), t -> t.take(index), t -> run(new IndexOp.TakeBackward(5), t, index));
        adjoint(Shape.of(3, 5), t -> t.takeAlong(1, index), t -> run(new IndexOp.TakeAlongBackward(1, 5), t, index));
        adjoint(Shape.of(5, 4), t -> t.takeAlong(0, index), t -> run(new IndexOp.TakeAlongBackward(0, 5), t, index));
    }

    @Test
    void layout() {
        var slice = new LayoutOp.Slice(new int[] {1, 0, 1}, new int[] {3, 5, 6}, new int[] {1, 2, 3});
        var pad = new LayoutOp.Pad(new int[] {1, 0, 1}, new int[] {0, 0, 2}, new int[] {0, 1, 2}, 0);
        adjoint(Shape.of(3, 5, 7), t -> run(slice, t), t -> run(pad, t));
        adjoint(Shape.of(2, 3, 4), t -> t.permute(2, 0, 1), t -> t.permute(1, 2, 0));
        adjoint(Shape.of(3, 1), t -> t.broadcastTo(Shape.of(2, 3, 4)), t -> t.sum(0, 2).reshape(3, 1));
        adjoint(Shape.of(2, 3), t -> Tensor.concat(1, t, t.mul(2)), t -> t.slice(1, 0, 3).add(t.slice(1, 3, 6).mul(2)));
    }
}
