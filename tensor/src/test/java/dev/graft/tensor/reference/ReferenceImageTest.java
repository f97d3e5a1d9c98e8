package dev.graft.tensor.reference;

import static dev.graft.tensor.reference.Check.close;
import static dev.graft.tensor.reference.Check.counting;
import static dev.graft.tensor.reference.Check.random;
import static dev.graft.tensor.reference.Check.run;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.ConvParams;
import dev.graft.tensor.op.LayoutOp;
import dev.graft.tensor.op.MatMul;
import dev.graft.tensor.op.PoolOp;
import dev.graft.tensor.op.PoolParams;
import dev.graft.tensor.op.ResizeOp.Mode;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Products, convolutions, pooling and resampling: small cases with the numbers written out, and other formulations. */
@ExtendWith(OnReference.class)
class ReferenceImageTest {
    @Test
    void matmulByHandAndWithTransposes() {
        Tensor a = counting(2, 3);
        Tensor b = counting(3, 2);
        close(a.matmul(b), 0, 10, 13, 28, 40);
        close(run(new MatMul(true, false), a.transpose(), b), 0, 10, 13, 28, 40);
        close(run(new MatMul(false, true), a, b.transpose()), 0, 10, 13, 28, 40);
        close(run(new MatMul(true, true), a.transpose(), b.transpose()), 0, 10, 13, 28, 40);
        close(Tensor.zeros(2, 0).matmul(Tensor.zeros(0, 2)), 0, 0, 0, 0, 0);
        assertThat(Tensor.zeros(0, 3).matmul(Tensor.zeros(3, 2)).shape()).isEqualTo(Shape.of(0, 2));
    }

    @Test
    void matmulBroadcastsItsBatchAxes() {
        Tensor a = random(1, 2, 1, 3, 4);
        Tensor b = random(2, 5, 4, 2);
        Tensor c = a.matmul(b);
        assertThat(c.shape()).isEqualTo(Shape.of(2, 5, 3, 2));
        for (int i = 0; i < 2; i++) {
            for (int j = 0; j < 5; j++) {
                close(c.row(i).row(j), a.row(i).row(0).matmul(b.row(j)));
            }
        }
        Tensor w = random(3, 4, 6);
        close(random(4, 2, 3, 4).matmul(w).row(1), random(4, 2, 3, 4).row(1).matmul(w));
    }

    @Test
    void convolutionByHand() {
        Tensor x = counting(1, 3, 3, 1);                                    // 0 1 2 / 3 4 5 / 6 7 8
        Tensor w = Tensor.of(new double[] {1, 2, 3, 4}, 1, 2, 2, 1);
        close(x.conv2d(w, ConvParams.of(1, 0)), 0, 27, 37, 57, 67);         // 0+2+9+16 ...
        close(x.conv2d(w, ConvParams.of(2, 1)), 0, 0, 3 + 8, 6 + 24, 67);  // corners of the padded image
        close(x.conv2d(w, new ConvParams(1, 1, 0, 0, 1, 0, 1, 1, 1)), 0, 12, 27, 37, 6 + 24, 57, 67);
        close(x.conv2d(w, ConvParams.of(1, 0).withDilation(2)), 0, 4 + 18 + 32);
    }

    @Test
    void convolutionIsASumOfShiftedProducts() {
        var p = new ConvParams(2, 1, 1, 2, 0, 3, 1, 2, 1);
        Tensor x = random(5, 2, 7, 6, 3);
        Tensor w = random(6, 4, 3, 2, 3);
        Tensor padded = x.pad(new int[] {0, 1, 0, 0}, new int[] {0, 2, 3, 0}, 0);
        int ho = p.outH(7, 3);
        int wo = p.outW(6, 2);
        Tensor sum = Tensor.of(new double[2 * ho * wo * 4], 2, ho, wo, 4);
        for (int ky = 0; ky < 3; ky++) {
            for (int kx = 0; kx < 2; kx++) {
                Tensor window = padded.slice(new int[] {0, ky, 2 * kx, 0},
                        new int[] {2, ky + 2 * (ho - 1) + 1, 2 * kx + wo, 3}, new int[] {1, 2, 1, 1});
                Tensor tap = w.slice(1, ky, ky + 1).slice(2, kx, kx + 1).reshape(4, 3);
                sum = sum.add(window.matmulTransposed(tap));
            }
        }
        close(x.conv2d(w, p), sum);
    }

    @Test
    void groupsAreIndependentConvolutionsAndDilationIsAKernelWithHoles() {
        Tensor x = random(7, 1, 5, 6, 6);
        Tensor w = random(8, 4, 3, 3, 3);
        var p = ConvParams.of(1, 1);
        close(x.conv2d(w, p.withGroups(2)), Tensor.concat(3,
                x.slice(3, 0, 3).conv2d(w.slice(0, 0, 2), p), x.slice(3, 3, 6).conv2d(w.slice(0, 2, 4), p)));
        Tensor full = random(9, 2, 3, 3, 6);
        Tensor holes = run(new LayoutOp.Pad(new int[4], new int[4], new int[] {0, 1, 1, 0}, 0), full);
        close(x.conv2d(full, ConvParams.of(1, 2).withDilation(2)), x.conv2d(holes, ConvParams.of(1, 2)));
    }

    @Test
    void maxPoolByHand() {
        Tensor x = Tensor.of(new double[] {1, 5, 2, 0, 3, 5, 9, 9, 4}, 1, 3, 3, 1);
        Tensor[] y = Dispatcher.run(new PoolOp.MaxPool2d(PoolParams.of(2, 1, 0)), x);
        close(y[0], 0, 5, 5, 9, 9);
        assertThat(y[1].toInts()).containsExactly(1, 1, 6, 7);               // the first of equals
        y = Dispatcher.run(new PoolOp.MaxPool2d(PoolParams.of(2, 2, 1)), x.neg());
        close(y[0], 0, -1, -2, 0, -3);                                       // padding never wins
        assertThat(y[1].toInts()).containsExactly(0, 2, 3, 4);
        y = Dispatcher.run(new PoolOp.MaxPool2d(PoolParams.of(2, 2, 0).withCeilMode(true)), x);
        close(y[0], 0, 5, 5, 9, 4);
        Tensor dx = run(new PoolOp.MaxPool2dBackward(3, 3), Tensor.of(new double[] {1, 2, 3, 4}, 1, 2, 2, 1),
                Tensor.of(new int[] {1, 1, 6, 7}, 1, 2, 2, 1));
        close(dx, 0, 0, 3, 0, 0, 0, 0, 3, 4, 0);
        assertThatThrownBy(() -> run(new PoolOp.MaxPool2dGather(), x, Tensor.of(new int[] {9}, 1, 1, 1, 1)))
                .isInstanceOf(GraftException.class)
                .hasMessage("max_pool2d_gather: index 9 is outside the 9 pixels of image [1, 3, 3, 1]");
    }

    @Test
    void averagePoolByHand() {
        Tensor x = counting(1, 3, 3, 1);
        close(x.avgPool2d(PoolParams.of(2, 1, 0), false), 0, 2, 3, 5, 6);
        close(x.avgPool2d(PoolParams.of(2, 2, 1), false), 1e-15, 0, 1.5, 4.5, 6);
        close(x.avgPool2d(PoolParams.of(2, 2, 1), true), 1e-15, 0, 0.75, 2.25, 6);
        // In ceil mode the part of a window beyond the padding does not count, as in PyTorch.
        close(x.avgPool2d(PoolParams.of(2, 2, 0).withCeilMode(true), true), 1e-15, 2, 3.5, 6.5, 8);
        close(counting(1, 4, 5, 1).adaptiveAvgPool2d(1, 1), 1e-14, 9.5);
        close(counting(1, 1, 5, 1).adaptiveAvgPool2d(1, 3), 1e-15, 0.5, 2, 3.5);   // 0..2, 1..4, 3..5
        close(counting(1, 1, 2, 1).adaptiveAvgPool2d(1, 4), 0, 0, 0, 1, 1);
    }

    /** The examples of PyTorch's documentation of Upsample. */
    @Test
    void resizeAsPyTorchDocumentsIt() {
        Tensor x = Tensor.of(new double[] {1, 2, 3, 4}, 1, 2, 2, 1);
        close(x.resize2d(Mode.NEAREST, 4, 4, false), 0, 1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4);
        close(x.resize2d(Mode.BILINEAR, 4, 4, false), 1e-12, 1, 1.25, 1.75, 2, 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25, 3.5,
                3, 3.25, 3.75, 4);
        close(x.resize2d(Mode.BILINEAR, 4, 4, true), 1e-4, 1, 1.3333, 1.6667, 2, 1.6667, 2, 2.3333, 2.6667,
                2.3333, 2.6667, 3, 3.3333, 3, 3.3333, 3.6667, 4);
        close(counting(1, 1, 5, 1).resize2d(Mode.NEAREST, 1, 3, false), 0, 0, 1, 3);
        close(counting(1, 1, 5, 1).resize2d(Mode.BILINEAR, 1, 1, true), 0, 0);
        close(counting(1, 1, 5, 1).resize2d(Mode.BILINEAR, 1, 1, false), 0, 2);
    }
}
