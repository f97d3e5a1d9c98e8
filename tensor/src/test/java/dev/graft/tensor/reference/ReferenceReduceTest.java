package dev.graft.tensor.reference;

import static dev.graft.tensor.reference.Check.close;
import static dev.graft.tensor.reference.Check.counting;
import static dev.graft.tensor.reference.Check.random;
import static dev.graft.tensor.reference.Check.run;
import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.NormOp;
import dev.graft.tensor.op.ReduceFn;
import dev.graft.tensor.op.ReduceOp;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Reductions by hand, softmax by its properties and its Jacobian, norms by their formulas. */
@ExtendWith(OnReference.class)
class ReferenceReduceTest {
    private static final double EPS = 1e-5;

    @Test
    void reducesOverEveryChoiceOfAxes() {
        Tensor x = counting(2, 3, 2);               // 0..11
        close(x.sum(), 0, 66);
        close(x.sum(0), 0, 6, 8, 10, 12, 14, 16);
        close(x.sum(1), 0, 6, 9, 24, 27);
        close(x.sum(2), 0, 1, 5, 9, 13, 17, 21);
        close(x.sum(0, 2), 0, 14, 22, 30);
        close(x.mean(0, 1), 0, 5, 6);
        close(x.mean(1, 2), 0, 2.5, 8.5);
        close(x.max(1), 0, 4, 5, 10, 11);
        close(x.min(0, 2), 0, 0, 2, 4);
        assertThat(x.reduce(ReduceFn.MAX, true, 1).shape()).isEqualTo(Shape.of(2, 1, 2));
        assertThat(x.sum(-1).shape()).isEqualTo(Shape.of(2, 3));
    }

    @Test
    void emptyAndScalarInputs() {
        close(Tensor.zeros(0, 3).sum(0), 0, 0, 0, 0);
        close(Tensor.zeros(0, 3).sum(), 0, 0);
        assertThat(Tensor.zeros(3, 0, 2).max(0).shape()).isEqualTo(Shape.of(0, 2));
        close(Tensor.scalar(5).sum(), 0, 5);
        close(Tensor.scalar(5).max(), 0, 5);
    }

    @Test
    void nanWinsAndTheFirstOfEqualsIsNamed() {
        Tensor x = Tensor.of(new double[] {1, Double.NaN, 3, 3, 1, 3}, 2, 3);
        close(x.max(1).slice(0, 1, 2), 0, 3);
        assertThat(x.max(1).get(0)).isNaN();
        assertThat(x.min(1).get(0)).isNaN();
        assertThat(x.argmax(1).toLongs()).containsExactly(1, 0);
        assertThat(x.argmin(1).toLongs()).containsExactly(1, 1);
        assertThat(x.argmax(0).toLongs()).containsExactly(1, 0, 0);
        long big = 1L << 60;
        assertThat(Tensor.of(new long[] {big, big + 1, big - 1}, 3).argmax(0).toLongs()).containsExactly(1);
        assertThat(run(new ReduceOp.ArgReduce(true, 1, true), x).shape()).isEqualTo(Shape.of(2, 1));
    }

    @Test
    void softmaxRowsSumToOneAndIgnoreShifts() {
        Tensor x = random(3, 4, 9).mul(5);
        Tensor y = x.softmax();
        close(y.sum(1), 1e-15, 1, 1, 1, 1);
        close(x.add(700).softmax(), 1e-12, y.toDoubles());
        close(x.logSoftmax().exp(), 1e-14, y.toDoubles());
        close(Tensor.of(new double[] {0, 2}, 1, 2).softmax(), 1e-15, 1 / (1 + Math.exp(2)), 1 / (1 + Math.exp(-2)));
        close(Tensor.of(new double[] {0, Double.NEGATIVE_INFINITY}, 2).softmax(), 0, 1, 0);
    }

    @Test
    void softmaxBackwardIsTheJacobian() {
        Tensor x = random(4, 5);
        Tensor dy = random(5, 5);
        double[] y = x.softmax().toDoubles();
        double[] g = dy.toDoubles();
        double[] plain = new double[5];
        double[] log = new double[5];
        for (int i = 0; i < 5; i++) {
            for (int j = 0; j < 5; j++) {
                plain[i] += g[j] * y[j] * ((i == j ? 1 : 0) - y[i]);
                log[i] += g[j] * ((i == j ? 1 : 0) - y[i]);
            }
        }
        close(run(new ReduceOp.SoftmaxBackward(false), dy, x.softmax()), 1e-15, plain);
        close(run(new ReduceOp.SoftmaxBackward(true), dy, x.logSoftmax()), 1e-15, log);
    }

    @Test
    void batchNormByItsFormula() {
        Tensor x = random(6, 3, 2, 2, 4);
        Tensor gamma = random(7, 4);
        Tensor beta = random(8, 4);
        Tensor mean = x.mean(0, 1, 2);
        Tensor invstd = x.sub(mean).square().mean(0, 1, 2).add(EPS).rsqrt();
        Tensor[] out = Dispatcher.run(new NormOp.BatchNorm(EPS), x, gamma, beta);
        close(out[0], x.sub(mean).mul(invstd).mul(gamma).add(beta));
        close(out[1], mean);
        close(out[2], invstd);
    }

    @Test
    void layerNormByItsFormula() {
        Tensor x = random(9, 3, 2, 5);
        Tensor gamma = random(10, 5);
        Tensor beta = random(11, 5);
        Tensor mean = x.reduce(ReduceFn.MEAN, true, 2);
        Tensor rstd = x.sub(mean).square().reduce(ReduceFn.MEAN, true, 2).add(EPS).rsqrt();
        Tensor[] out = Dispatcher.run(new NormOp.LayerNorm(EPS), x, gamma, beta);
        close(out[0], x.sub(mean).mul(rstd).mul(gamma).add(beta));
        close(out[1], mean.reshape(3, 2));
        close(out[2], rstd.reshape(3, 2));
    }

    @Test
    void normBackwardAgreesWithDifferences() {
        for (boolean batch : new boolean[] {true, false}) {
            Tensor[] in = {random(12, 4, 3, 5), random(13, 5), random(14, 5)};
            Tensor dy = random(15, 4, 3, 5);
            Tensor[] y = norm(batch, in);
            NormOp backward = batch ? new NormOp.BatchNormBackward(EPS) : new NormOp.LayerNormBackward(EPS);
            Tensor[] g = Dispatcher.run(backward, dy, in[0], in[1], y[1], y[2]);
            for (int i = 0; i < 3; i++) {
                Tensor direction = random(20 + i, in[i].shape().dims());
                double h = 1e-5;
                Tensor[] up = in.clone();
                Tensor[] down = in.clone();
                up[i] = in[i].add(direction.mul(h));
                down[i] = in[i].sub(direction.mul(h));
                double slope = (Check.dot(norm(batch, up)[0], dy) - Check.dot(norm(batch, down)[0], dy)) / (2 * h);
                assertThat(Check.dot(g[i], direction)).isCloseTo(slope, org.assertj.core.data.Offset.offset(1e-7));
            }
        }
    }

    private static Tensor[] norm(boolean batch, Tensor[] in) {
        return Dispatcher.run(batch ? new NormOp.BatchNorm(EPS) : new NormOp.LayerNorm(EPS), in);
    }
}
