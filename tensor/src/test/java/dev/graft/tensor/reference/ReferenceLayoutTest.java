package dev.graft.tensor.reference;

import static dev.graft.tensor.reference.Check.close;
import static dev.graft.tensor.reference.Check.counting;
import static dev.graft.tensor.reference.Check.run;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.tensor.DType;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.TensorSpec;
import dev.graft.tensor.op.CreateOp;
import dev.graft.tensor.op.IndexOp;
import dev.graft.tensor.op.LayoutOp;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Moves and indexing, element by element or by hand. */
@ExtendWith(OnReference.class)
class ReferenceLayoutTest {
    @Test
    void permuteSwapsIndices() {
        Tensor x = counting(2, 3, 4, 5);
        Tensor y = x.permute(2, 0, 3, 1);
        assertThat(y.shape()).isEqualTo(Shape.of(4, 2, 5, 3));
        for (int i = 0; i < 2; i++) {
            for (int j = 0; j < 3; j++) {
                for (int k = 0; k < 4; k++) {
                    for (int l = 0; l < 5; l++) {
                        assertThat(y.get(k, i, l, j)).isEqualTo(x.get(i, j, k, l));
                    }
                }
            }
        }
        close(counting(2, 3).transpose(), 0, 0, 3, 1, 4, 2, 5);
        assertThat(Tensor.of(new long[] {Long.MAX_VALUE, 1, 2, 3}, 2, 2).transpose().toLongs())
                .containsExactly(Long.MAX_VALUE, 2, 1, 3);
        assertThat(Tensor.zeros(0, 3).transpose().shape()).isEqualTo(Shape.of(3, 0));
    }

    @Test
    void sliceStepsThroughEveryAxis() {
        Tensor x = counting(4, 5);
        close(x.slice(new int[] {0, 1}, new int[] {4, 5}, new int[] {3, 2}), 0, 1, 3, 16, 18);
        close(x.slice(1, 4, 5), 0, 4, 9, 14, 19);
        close(x.slice(0, 1, 2), 0, 5, 6, 7, 8, 9);
        close(x.row(3), 0, 15, 16, 17, 18, 19);
        assertThat(x.slice(1, 2, 2).shape()).isEqualTo(Shape.of(4, 0));
        close(x.slice(0, 1, 3).slice(1, 0, 1), 0, 5, 10);               // a copy from inside a view
    }

    @Test
    void broadcastConcatAndPad() {
        close(counting(2, 1).broadcastTo(Shape.of(2, 2, 3)), 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1);
        Tensor none = Tensor.of(new double[0], 2, 0);
        close(Tensor.concat(1, counting(2, 2), counting(2, 1).add(10), none), 0, 0, 1, 10, 2, 3, 11);
        close(Tensor.concat(0, counting(1, 2), counting(2, 2)), 0, 0, 1, 0, 1, 2, 3);
        close(Tensor.stack(-1, counting(2), counting(2).add(5)), 0, 0, 5, 1, 6);
        close(run(new LayoutOp.Pad(new int[] {1, 0}, new int[] {0, 1}, new int[] {0, 2}, 9), counting(2, 2)), 0,
                9, 9, 9, 9, 9,
                0, 9, 9, 1, 9,
                2, 9, 9, 3, 9);
        close(counting(3).pad(new int[] {2}, new int[] {1}, -1), 0, -1, -1, 0, 1, 2, -1);
        Tensor mask = Tensor.of(new boolean[] {true}, 1);
        assertThat(mask.pad(new int[] {1}, new int[] {1}, 0).toInts()).containsExactly(0, 1, 0);
        assertThat(run(new LayoutOp.Pad(new int[] {1}, new int[] {2}, new int[] {5}, 7), Tensor.zeros(0)).toFloats())
                .containsExactly(7, 7, 7);
    }

    @Test
    void takeReadsRowsAndItsTransposeAddsThem() {
        Tensor table = counting(3, 2);
        Tensor index = Tensor.of(new int[] {2, 0, 2, 1}, 2, 2);
        Tensor y = table.take(index);
        assertThat(y.shape()).isEqualTo(Shape.of(2, 2, 2));
        close(y, 0, 4, 5, 0, 1, 4, 5, 2, 3);
        close(run(new IndexOp.TakeBackward(4), y, index), 0, 0, 1, 2, 3, 8, 10, 0, 0);
        close(table.take(Tensor.of(new long[] {1}, new int[0])), 0, 2, 3);
        assertThat(table.take(Tensor.of(new int[0], 0)).shape()).isEqualTo(Shape.of(0, 2));
        long big = (1L << 53) + 1;
        Tensor twice = Tensor.of(new int[] {0, 0}, 2);
        assertThat(run(new IndexOp.TakeBackward(1), Tensor.of(new long[] {big, 1}, 2), twice).toLongs())
                .containsExactly(big + 1);
    }

    @Test
    void takeAlongReadsAlongAnAxis() {
        Tensor x = counting(2, 3);
        close(x.takeAlong(1, Tensor.of(new int[] {2, 0, 1, 1}, 2, 2)), 0, 2, 0, 4, 4);
        close(x.takeAlong(0, Tensor.of(new int[] {1, 0, 1}, 1, 3)), 0, 3, 1, 5);
        close(run(new IndexOp.TakeAlongBackward(1, 3), Tensor.of(new double[] {1, 2, 3, 4}, 2, 2),
                Tensor.of(new int[] {2, 0, 1, 1}, 2, 2)), 0, 2, 0, 1, 0, 7, 0);
    }

    @Test
    void indicesOutsideAreNamed() {
        Tensor table = counting(3, 2);
        assertThatThrownBy(() -> table.take(Tensor.of(new int[] {0, 3}, 2))).isInstanceOf(GraftException.class)
                .hasMessage("take: index 3 is outside axis 0 of [3, 2], which has size 3");
        assertThatThrownBy(() -> table.take(Tensor.of(new long[] {-1}, 1))).isInstanceOf(GraftException.class)
                .hasMessageContaining("index -1 is outside axis 0");
        assertThatThrownBy(() -> table.takeAlong(1, Tensor.of(new int[] {0, 2, 0}, 3, 1))).isInstanceOf(GraftException.class)
                .hasMessage("take_along: index 2 is outside axis 1 of [3, 2], which has size 2");
        assertThatThrownBy(() -> run(new IndexOp.TakeBackward(2), table, Tensor.of(new int[] {0, 1, 2}, 3)))
                .isInstanceOf(GraftException.class).hasMessageContaining("index 2 is outside axis 0 of [2, 2]");
        assertThatThrownBy(() -> Tensor.zeros(0, 2).take(Tensor.of(new int[] {0}, 1))).isInstanceOf(GraftException.class)
                .hasMessageContaining("which has size 0");
    }

    @Test
    void fillAndArange() {
        close(Tensor.full(2.5, 3), 0, 2.5, 2.5, 2.5);
        assertThat(Tensor.arange(DType.I64, 4).toLongs()).containsExactly(0, 1, 2, 3);
        var spec = new TensorSpec(DType.F32, Shape.of(3));
        close(run(new CreateOp.Arange(spec, 1, -0.5, dev.graft.tensor.Device.CPU)), 0, 1, 0.5, 0);
        assertThat(Tensor.full(1).shape()).isEqualTo(Shape.SCALAR);
    }
}
