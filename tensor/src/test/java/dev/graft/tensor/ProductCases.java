package dev.graft.tensor;

import static dev.graft.tensor.OpCatalog.floats;
import static dev.graft.tensor.OpCatalog.uniform;

import dev.graft.tensor.OpCatalog.Case;
import dev.graft.tensor.OpCatalog.Input;
import dev.graft.tensor.OpCatalog.Values;
import dev.graft.tensor.op.ConvOp;
import dev.graft.tensor.op.ConvParams;
import dev.graft.tensor.op.FusedOp;
import dev.graft.tensor.op.MatMul;
import dev.graft.tensor.op.StoredLinearOp;
import java.util.ArrayList;
import java.util.List;

/** Matrix products and convolutions, also with what is fused behind them. */
final class ProductCases {
    private static final Values X = uniform(-1, 1);
    private static final Values W = uniform(-0.5, 0.5);

    private ProductCases() {}

    static void addTo(List<Case> all) {
        matmul(all);
        stored(all);
        conv(all);
    }

    /** Sizes are [rows of x, in, out]: few and many rows, ends inside a tile and a vector, more than is packed at a time. */
    private static void stored(List<Case> all) {
        int[][] sizes = {{1, 5, 7}, {2, 16, 4}, {3, 37, 9}, {0, 5, 7}, {3, 0, 5}, {20, 9, 35}, {17, 40, 3}};
        int[][] large = {{1, 768, 301}, {2, 131, 130}, {5, 1024, 61}, {16, 300, 257}, {40, 257, 131}, {33, 5000, 300},
            {130, 700, 1601}, {65, 5000, 37}};
        for (int[] s : sizes) {
            stored(all, false, s);
        }
        for (int[] s : large) {
            stored(all, true, s);
        }
        for (DType type : new DType[] {DType.BF16, DType.I8}) {
            all.add(Case.of(new StoredLinearOp.StoredLinear(true), 1e-5,
                    weight(type, new Input[] {floats(X, 2, 3, 6)}, 5, 6, 5)));
            all.add(Case.of(new StoredLinearOp.StoredLinear(false), 1e-5,
                    weight(type, new Input[] {floats(X, 6)}, 5, 6, 0)));
            all.add(Case.of(new StoredLinearOp.StoredLinearBackward(), 1e-5,
                    weight(type, new Input[] {floats(X, 2, 3, 5)}, 5, 6, 0)));
        }
    }

    private static void stored(List<Case> all, boolean large, int... s) {
        for (DType type : new DType[] {DType.BF16, DType.I8}) {
            Case[] cases = {
                Case.of(new StoredLinearOp.StoredLinear(true), 1e-5,
                        weight(type, new Input[] {floats(X, s[0], s[1])}, s[2], s[1], s[2])),
                Case.of(new StoredLinearOp.StoredLinear(false), 1e-5,
                        weight(type, new Input[] {floats(X, s[0], s[1])}, s[2], s[1], 0)),
                Case.of(new StoredLinearOp.StoredLinearBackward(), 1e-5,
                        weight(type, new Input[] {floats(X, s[0], s[2])}, s[2], s[1], 0))};
            for (Case c : cases) {
                all.add(large ? c.isLarge() : c.smooth());
            }
        }
    }

    private static Input[] weight(DType type, Input[] first, int o, int i, int bias) {
        List<Input> in = new ArrayList<>(List.of(first));
        in.add(OpCatalog.of(type, type == DType.I8 ? OpCatalog.whole(-128, 127) : W, o, i));
        if (type == DType.I8) {
            in.add(OpCatalog.of(DType.F32, uniform(0.001, 0.01), o));
        }
        if (bias > 0) {
            in.add(OpCatalog.wide(X, bias));
        }
        return in.toArray(Input[]::new);
    }

    private static void matmul(List<Case> all) {
        int[][] sizes = {{3, 4, 5}, {1, 1, 1}, {0, 4, 5}, {3, 0, 5}, {3, 4, 0}, {7, 13, 1}, {1, 17, 9}, {33, 7, 31}};
        int[][] large = {{129, 257, 131}, {1, 1024, 1001}, {511, 33, 70}, {96, 1500, 8}, {1000, 3, 64}};
        int[][][] batches = {{{2}, {2}}, {{2}, {1}}, {{}, {3}}, {{2, 1}, {3}}, {{0}, {1}}};
        for (boolean ta : new boolean[] {false, true}) {
            for (boolean tb : new boolean[] {false, true}) {
                for (int[] s : sizes) {
                    product(all, ta, tb, new int[0], new int[0], s);
                }
                for (int[] s : large) {
                    product(all, ta, tb, new int[0], new int[0], s);
                }
                for (int[][] b : batches) {
                    product(all, ta, tb, b[0], b[1], 4, 6, 5);
                }
                product(all, ta, tb, new int[] {2, 12}, new int[] {2, 12}, 49, 64, 49);
            }
        }
        for (FusedOp.Activation a : FusedOp.Activation.values()) {
            var op = new FusedOp.LinearBiasActivation(a);
            for (int[] s : new int[][] {{3, 5}, {5}, {2, 3, 5}, {0, 5}, {64, 300}}) {
                int k = s[s.length - 1];
                int[] y = s.clone();
                y[s.length - 1] = 7;
                all.add(Case.of(op, 1e-5, floats(X, s), floats(uniform(-3, 3), 7, k), floats(X, 7)));
                all.add(Case.of(op, 1e-5, floats(X, s), floats(uniform(-3, 3), 7, k), floats(X, 7), floats(X, y)));
            }
            all.add(Case.of(op, 1e-5, floats(X, 129, 257), floats(X, 131, 257), floats(X, 131)).isLarge());
            // k in several blocks: only the last may add and activate
            all.add(Case.of(op, 1e-5, floats(X, 97, 1300), floats(X, 131, 1300), floats(X, 131), floats(X, 97, 131))
                    .isLarge());
        }
        for (int[] s : new int[][] {{3, 5}, {5}, {2, 3, 5}, {0, 5}, {64, 300}}) {
            int k = s[s.length - 1];
            all.add(Case.of(new FusedOp.Projections(3), 1e-5, floats(X, s), floats(X, 12, k), floats(X, 12)));
            int[] y = s.clone();
            y[s.length - 1] = 4;
            all.add(Case.of(new FusedOp.ProjectionsBackward(3, true, false), 1e-5, floats(X, y), floats(X, y), floats(X, y),
                    floats(X, 12, k)));
            all.add(Case.of(new FusedOp.ProjectionsBackward(3, false, true), 1e-5, floats(X, y), floats(X, y), floats(X, y),
                    floats(X, s)));
            all.add(Case.of(new FusedOp.ProjectionsBackward(3, true, true), 1e-5, floats(X, y), floats(X, y), floats(X, y),
                    floats(X, 12, k), floats(X, s)));
        }
    }

    private static void product(List<Case> all, boolean ta, boolean tb, int[] batchA, int[] batchB, int... s) {
        Shape a = Shape.of(batchA).concat(ta ? Shape.of(s[1], s[0]) : Shape.of(s[0], s[1]));
        Shape b = Shape.of(batchB).concat(tb ? Shape.of(s[2], s[1]) : Shape.of(s[1], s[2]));
        Case c = Case.of(new MatMul(ta, tb), 1e-5, floats(X, a.dims()), floats(X, b.dims()));
        all.add(a.size() + b.size() > 10_000 ? c.isLarge() : c.smooth());
    }

    private static void conv(List<Case> all) {
        ConvParams one = ConvParams.of(1, 0);
        ConvParams same = ConvParams.of(1, 1);
        ConvParams half = ConvParams.of(2, 1);
        // image, channels out, kernel
        conv(all, one, new int[] {2, 4, 5, 3}, 4, 1, 1);
        conv(all, same, new int[] {1, 1, 1, 1}, 1, 3, 3);
        conv(all, same, new int[] {2, 5, 6, 3}, 4, 3, 3);
        conv(all, same, new int[] {0, 5, 6, 3}, 4, 3, 3);
        conv(all, one, new int[] {1, 5, 7, 2}, 3, 3, 3);
        conv(all, half, new int[] {1, 6, 7, 2}, 3, 3, 3);
        conv(all, half, new int[] {1, 7, 6, 2}, 3, 2, 4);
        conv(all, ConvParams.of(2, 0), new int[] {1, 7, 8, 3}, 4, 1, 1);
        conv(all, ConvParams.of(2, 3), new int[] {1, 11, 12, 3}, 4, 7, 7);
        conv(all, new ConvParams(1, 2, 0, 1, 2, 3, 1, 1, 1), new int[] {2, 6, 5, 2}, 3, 2, 3);
        conv(all, new ConvParams(2, 1, 1, 0, 0, 2, 2, 1, 1), new int[] {1, 9, 6, 3}, 2, 3, 2);
        conv(all, same.withDilation(2), new int[] {1, 8, 9, 2}, 3, 3, 3);
        conv(all, ConvParams.of(1, 2).withDilation(2), new int[] {1, 6, 6, 2}, 2, 3, 3);
        conv(all, same.withGroups(2), new int[] {1, 5, 5, 4}, 6, 3, 3);
        conv(all, one.withGroups(3), new int[] {1, 4, 4, 6}, 3, 1, 1);
        conv(all, same.withGroups(4), new int[] {2, 6, 5, 4}, 4, 3, 3);
        conv(all, half.withGroups(5), new int[] {1, 7, 7, 5}, 5, 3, 3);
        conv(all, ConvParams.of(1, 2).withGroups(3), new int[] {1, 6, 7, 3}, 6, 5, 5);
        conv(all, new ConvParams(1, 1, 0, 0, 3, 3, 1, 1, 1), new int[] {1, 3, 9, 2}, 3, 1, 7);
        conv(all, new ConvParams(1, 1, 2, 2, 2, 2, 1, 1, 1), new int[] {1, 2, 2, 3}, 2, 3, 3);   // much padding
        // large
        conv(all, same, new int[] {2, 28, 28, 32}, 48, 3, 3);
        conv(all, same, new int[] {1, 15, 17, 70}, 33, 3, 3);
        conv(all, one, new int[] {3, 14, 14, 96}, 65, 1, 1);
        conv(all, half, new int[] {2, 29, 30, 16}, 40, 3, 3);
        conv(all, ConvParams.of(2, 3), new int[] {1, 64, 64, 3}, 32, 7, 7);
        conv(all, same.withGroups(65), new int[] {2, 27, 28, 65}, 65, 3, 3);
        conv(all, half.withGroups(32), new int[] {2, 28, 27, 32}, 32, 3, 3);
        conv(all, same.withGroups(4), new int[] {2, 20, 20, 32}, 32, 3, 3);
        for (FusedOp.Activation a : FusedOp.Activation.values()) {
            fused(all, a, same, new int[] {2, 5, 6, 3}, 4, 3);
            fused(all, a, one, new int[] {2, 5, 6, 3}, 7, 1);
            fused(all, a, half.withGroups(6), new int[] {1, 7, 6, 6}, 6, 3);
            fused(all, a, same, new int[] {2, 28, 28, 32}, 48, 3);
            fused(all, a, half, new int[] {2, 29, 30, 16}, 40, 3);
            fused(all, a, same.withGroups(65), new int[] {2, 27, 28, 65}, 65, 3);
            if (!a.clamps()) {
                continue;
            }
            inverted(all, a, same, new int[] {2, 5, 6, 3}, 7, 4, 3);
            inverted(all, a, half, new int[] {1, 7, 6, 4}, 20, 5, 3);
            inverted(all, a, ConvParams.of(1, 2), new int[] {1, 6, 7, 3}, 18, 4, 5);
            inverted(all, a, same, new int[] {3, 60, 31, 8}, 130, 9, 3);
            inverted(all, a, same, new int[] {2, 33, 41, 8}, 130, 9, 3);    // squares of pixels in bands
            inverted(all, a, half, new int[] {2, 61, 60, 6}, 96, 24, 3);
            inverted(all, a, new ConvParams(2, 2, 0, 1, 0, 1, 1, 1, 1), new int[] {17, 8, 8, 12}, 32, 40, 3);
        }
    }

    private static void conv(List<Case> all, ConvParams p, int[] x, int o, int kh, int kw) {
        int[] w = {o, kh, kw, x[3] / p.groups()};
        int[] y = {x[0], p.outH(x[1], kh), p.outW(x[2], kw), o};
        List<Case> three = List.of(
                Case.of(new ConvOp.Conv2d(p), tolerance(kh), floats(X, x), floats(W, w)),
                Case.of(new ConvOp.Conv2dBackwardInput(p, x[1], x[2]), tolerance(kh), floats(X, y), floats(W, w)),
                Case.of(new ConvOp.Conv2dBackwardWeight(p, kh, kw), tolerance(kh), floats(X, x), floats(X, y)));
        boolean large = Shape.of(x).size() > 2_000;
        three.forEach(c -> all.add(large ? c.isLarge() : c.smooth()));
    }

    /** Winograd's transforms cost digits where the kernel is 3 x 3. */
    private static double tolerance(int kernel) {
        return kernel == 3 ? 5e-5 : 1e-5;
    }

    private static void fused(List<Case> all, FusedOp.Activation a, ConvParams p, int[] x, int o, int k) {
        int[] w = {o, k, k, x[3] / p.groups()};
        int[] y = {x[0], p.outH(x[1], k), p.outW(x[2], k), o};
        var op = new FusedOp.ConvBiasActivation(p, a);
        boolean large = Shape.of(x).size() > 2_000;
        Case plain = Case.of(op, tolerance(k), floats(X, x), floats(uniform(-2, 2), w), floats(X, o));
        Case residual = Case.of(op, tolerance(k), floats(X, x), floats(uniform(-2, 2), w), floats(X, o), floats(X, y));
        all.add(large ? plain.isLarge() : plain);
        all.add(large ? residual.isLarge() : residual);
    }

    /** Large last biases: 16-bit numbers are rounded three times on the way. */
    private static void inverted(List<Case> all, FusedOp.Activation a, ConvParams p, int[] x, int wide, int o, int k) {
        int[] y = {x[0], p.outH(x[1], k), p.outW(x[2], k), o};
        var op = new FusedOp.InvertedResidual(p.withGroups(wide), a);
        Case plain = Case.of(op, tolerance(k), floats(X, x), floats(W, wide, 1, 1, x[3]), floats(X, wide),
                floats(W, wide, k, k, 1), floats(X, wide), floats(W, o, 1, 1, wide), floats(uniform(-3, 3), o));
        Case residual = Case.of(op, tolerance(k), floats(X, x), floats(W, wide, 1, 1, x[3]), floats(X, wide),
                floats(W, wide, k, k, 1), floats(X, wide), floats(W, o, 1, 1, wide), floats(uniform(-3, 3), o),
                floats(X, y));
        boolean large = Shape.of(x).size() > 2_000;
        all.add(large ? plain.isLarge() : plain);
        all.add(large ? residual.isLarge() : residual);
    }
}
