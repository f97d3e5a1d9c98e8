package dev.graft.tensor;

import static dev.graft.tensor.OpCatalog.cycle;
import static dev.graft.tensor.OpCatalog.distinct;
import static dev.graft.tensor.OpCatalog.floats;
import static dev.graft.tensor.OpCatalog.of;
import static dev.graft.tensor.OpCatalog.uniform;
import static dev.graft.tensor.OpCatalog.whole;

import dev.graft.tensor.OpCatalog.Case;
import dev.graft.tensor.OpCatalog.Input;
import dev.graft.tensor.OpCatalog.Values;
import dev.graft.tensor.op.PoolOp;
import dev.graft.tensor.op.PoolParams;
import dev.graft.tensor.op.ResizeOp;
import java.util.List;

/** Pooling and resampling of [N, H, W, C] images. */
final class ImageCases {
    private static final Values X = uniform(-1, 1);

    private ImageCases() {}

    static void addTo(List<Case> all) {
        PoolParams two = PoolParams.of(2, 2, 0);
        PoolParams three = PoolParams.of(3, 2, 1);
        pool(all, two, 2, 4, 6, 3);
        pool(all, two, 1, 5, 7, 2);
        pool(all, two.withCeilMode(true), 1, 5, 7, 2);
        pool(all, three, 2, 7, 6, 3);
        pool(all, three.withCeilMode(true), 1, 6, 7, 5);
        pool(all, PoolParams.of(3, 1, 1), 1, 4, 5, 2);
        pool(all, PoolParams.of(1, 1, 0), 1, 3, 3, 1);
        pool(all, PoolParams.of(2, 3, 0), 1, 7, 8, 2);
        pool(all, new PoolParams(2, 3, 1, 2, 0, 1, 2, 0, false), 2, 5, 6, 3);
        pool(all, new PoolParams(3, 2, 2, 3, 2, 0, 1, 1, true), 1, 6, 8, 2);
        pool(all, two, 0, 4, 4, 3);
        pool(all, two, 1, 4, 4, 0);
        pool(all, two, 1, 2, 2, 1);
        pool(all, three, 2, 57, 56, 33);
        pool(all, two, 4, 28, 28, 64);
        for (double odd : new double[] {Double.NaN, Double.NEGATIVE_INFINITY}) {
            all.add(Case.of(new PoolOp.MaxPool2d(three), 0, floats(cycle(odd, odd, 1, odd, 2, -3, odd), 1, 5, 5, 2))
                    .isSpecial());
        }
        all.add(Case.of(new PoolOp.MaxPool2d(three), 0, floats(whole(0, 2), 1, 8, 8, 3)));      // ties
        int[][] adaptive = {{1, 1, 7, 7}, {3, 2, 7, 5}, {5, 6, 3, 4}, {4, 4, 4, 4}, {6, 6, 13, 11}, {1, 1, 1, 1}};
        for (int[] a : adaptive) {
            adaptive(all, a, 2, 3);
        }
        adaptive(all, adaptive[0], 0, 3);
        adaptive(all, adaptive[0], 8, 300);
        adaptive(all, new int[] {6, 6, 31, 29}, 3, 33);
        for (ResizeOp.Mode mode : ResizeOp.Mode.values()) {
            for (boolean corners : new boolean[] {false, true}) {
                if (mode == ResizeOp.Mode.NEAREST && corners) {
                    continue;
                }
                for (int[] a : new int[][] {{6, 10, 3, 5}, {3, 5, 6, 10}, {7, 4, 5, 9}, {4, 4, 4, 4}, {1, 1, 5, 4},
                    {5, 3, 1, 1}, {1, 6, 1, 2}}) {
                    resize(all, mode, corners, a, 2, 3);
                }
                resize(all, mode, corners, new int[] {2, 2, 3, 3}, 0, 3);
                resize(all, mode, corners, new int[] {64, 60, 31, 33}, 2, 17);
            }
        }
    }

    private static void pool(List<Case> all, PoolParams p, int n, int h, int w, int c) {
        int[] x = {n, h, w, c};
        int[] y = {n, p.outH(h), p.outW(w), c};
        boolean large = Shape.of(x).size() > 10_000;
        Input index = of(DType.I32, whole(0, h * w - 1), y);
        add(all, large, Case.of(new PoolOp.MaxPool2d(p), 0, floats(distinct(), x)));
        add(all, large, Case.of(new PoolOp.MaxPool2dBackward(h, w), 1e-6, floats(X, y), index));
        add(all, large, Case.of(new PoolOp.MaxPool2dBackward(h, w, p), 1e-6, floats(X, y),
                of(DType.I32, winners(p, h, w, y), y)));
        add(all, large, Case.of(new PoolOp.MaxPool2dGather(), 0, floats(X, x), index));
        for (boolean padding : new boolean[] {false, true}) {
            add(all, large, Case.of(new PoolOp.AvgPool2d(p, padding), 2e-6, floats(X, x)));
            add(all, large, Case.of(new PoolOp.AvgPool2dBackward(p, padding, h, w), 2e-6, floats(X, y)));
        }
    }

    /** Places row·w + column of one element of each window. */
    private static Values winners(PoolParams p, int h, int w, int[] y) {
        return (r, n, earlier) -> {
            double[] v = new double[n];
            for (int i = 0; i < n; i++) {
                int top = i / y[3] / y[2] % y[1] * p.strideH() - p.padTop();
                int left = i / y[3] % y[2] * p.strideW() - p.padLeft();
                int row = r.nextInt(Math.max(0, top), Math.min(h, top + p.kernelH()));
                v[i] = row * w + r.nextInt(Math.max(0, left), Math.min(w, left + p.kernelW()));
            }
            return v;
        };
    }

    private static void adaptive(List<Case> all, int[] outAndIn, int n, int c) {
        int[] y = {n, outAndIn[0], outAndIn[1], c};
        int[] x = {n, outAndIn[2], outAndIn[3], c};
        boolean large = Shape.of(x).size() > 10_000;
        add(all, large, Case.of(new PoolOp.AdaptiveAvgPool2d(y[1], y[2]), 2e-6, floats(X, x)));
        add(all, large, Case.of(new PoolOp.AdaptiveAvgPool2dBackward(x[1], x[2]), 2e-6, floats(X, y)));
    }

    private static void resize(List<Case> all, ResizeOp.Mode mode, boolean corners, int[] outAndIn, int n, int c) {
        int[] y = {n, outAndIn[0], outAndIn[1], c};
        int[] x = {n, outAndIn[2], outAndIn[3], c};
        boolean large = Shape.of(y).size() > 10_000;
        double tolerance = mode == ResizeOp.Mode.NEAREST ? 2e-6 : 1e-5;
        add(all, large, Case.of(new ResizeOp.Resize2d(mode, y[1], y[2], corners), tolerance, floats(X, x)));
        add(all, large, Case.of(new ResizeOp.Resize2dBackward(mode, x[1], x[2], corners), tolerance, floats(X, y)));
    }

    private static void add(List<Case> all, boolean large, Case c) {
        all.add(large ? c.isLarge() : c.smooth());
    }
}
