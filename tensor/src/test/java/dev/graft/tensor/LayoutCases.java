package dev.graft.tensor;

import static dev.graft.tensor.OpCatalog.floats;
import static dev.graft.tensor.OpCatalog.of;
import static dev.graft.tensor.OpCatalog.uniform;
import static dev.graft.tensor.OpCatalog.whole;

import dev.graft.tensor.OpCatalog.Case;
import dev.graft.tensor.OpCatalog.Input;
import dev.graft.tensor.OpCatalog.Values;
import dev.graft.tensor.op.IndexOp;
import dev.graft.tensor.op.LayoutOp;
import dev.graft.tensor.op.PrimitiveOp;
import java.util.List;

/** Moves and indexing: exact for every dtype. */
final class LayoutCases {
    private static final Values X = uniform(-1, 1);

    private LayoutCases() {}

    static void addTo(List<Case> all) {
        reshapeAndBroadcast(all);
        permute(all);
        slice(all);
        concat(all);
        pad(all);
        take(all);
        takeAlong(all);
    }

    /** For floats, with a gradient, and for the other carriers. */
    private static void move(List<Case> all, PrimitiveOp op, int... shape) {
        if (Shape.of(shape).size() > 10_000) {
            all.add(Case.of(op, 0, floats(X, shape)).isLarge());
            return;
        }
        all.add(Case.of(op, 0, floats(X, shape)).smooth());
        for (DType d : List.of(DType.I64, DType.I32, DType.I16, DType.U8)) {
            all.add(Case.of(op, 0, of(d, whole(0, 99), shape)));
        }
        all.add(Case.of(op, 0, of(DType.BOOL, whole(0, 1), shape)));
    }

    private static void reshapeAndBroadcast(List<Case> all) {
        move(all, new LayoutOp.Reshape(Shape.of(5, 3, 2)), 2, 15);
        move(all, new LayoutOp.Reshape(Shape.SCALAR), 1, 1);
        move(all, new LayoutOp.Reshape(Shape.of(4, 0)), 0);
        move(all, new LayoutOp.BroadcastTo(Shape.of(2, 3, 4)), 3, 1);
        move(all, new LayoutOp.BroadcastTo(Shape.of(2, 2)));
        move(all, new LayoutOp.BroadcastTo(Shape.of(5, 7)), 7);
        move(all, new LayoutOp.BroadcastTo(Shape.of(5, 0)), 5, 1);
        move(all, new LayoutOp.BroadcastTo(Shape.of(1, 4)), 4);
        move(all, new LayoutOp.BroadcastTo(Shape.of(3, 4, 5, 6)), 3, 1, 5, 1);
        all.add(Case.of(new LayoutOp.BroadcastTo(Shape.of(50, 40, 60)), 0, floats(X, 40, 1)).isLarge());
        all.add(Case.of(new LayoutOp.BroadcastTo(Shape.of(2000, 61)), 0, floats(X, 61)).isLarge());
    }

    private static void permute(List<Case> all) {
        move(all, new LayoutOp.Permute(new int[0]));
        move(all, new LayoutOp.Permute(new int[] {0}), 5);
        move(all, new LayoutOp.Permute(new int[] {1, 0}), 3, 5);
        move(all, new LayoutOp.Permute(new int[] {1, 0}), 0, 5);
        move(all, new LayoutOp.Permute(new int[] {0, 1, 2}), 2, 3, 4);
        move(all, new LayoutOp.Permute(new int[] {2, 0, 1}), 2, 3, 4);
        move(all, new LayoutOp.Permute(new int[] {0, 2, 3, 1}), 2, 3, 5, 7);
        move(all, new LayoutOp.Permute(new int[] {0, 3, 1, 2}), 2, 3, 5, 7);
        move(all, new LayoutOp.Permute(new int[] {0, 2, 1, 3}), 2, 3, 5, 4);
        move(all, new LayoutOp.Permute(new int[] {3, 2, 1, 0}), 2, 1, 5, 3);
        move(all, new LayoutOp.Permute(new int[] {1, 0}), 333, 401);
        move(all, new LayoutOp.Permute(new int[] {0, 2, 1}), 17, 65, 129);
        move(all, new LayoutOp.Permute(new int[] {2, 1, 0}), 37, 41, 67);
        move(all, new LayoutOp.Permute(new int[] {0, 2, 1, 3}), 4, 50, 12, 64);
    }

    private static void slice(List<Case> all) {
        move(all, slice(new int[] {1, 0, 2}, new int[] {3, 5, 6}, new int[] {1, 2, 3}), 3, 5, 7);
        move(all, slice(new int[] {0, 2}, new int[] {4, 5}, new int[] {1, 1}), 4, 7);
        move(all, slice(new int[] {1, 0}, new int[] {3, 7}, new int[] {1, 1}), 4, 7);          // a view
        move(all, slice(new int[] {1}, new int[] {6}, new int[] {4}), 7);
        move(all, slice(new int[] {2, 1}, new int[] {2, 3}, new int[] {1, 1}), 4, 7);          // empty
        move(all, slice(new int[0], new int[0], new int[0]));
        move(all, slice(new int[] {3, 100}, new int[] {330, 400}, new int[] {1, 1}), 333, 401);
        move(all, slice(new int[] {0, 1, 0}, new int[] {50, 40, 60}, new int[] {2, 3, 1}), 50, 40, 60);
    }

    private static LayoutOp.Slice slice(int[] begin, int[] end, int[] step) {
        return new LayoutOp.Slice(begin, end, step);
    }

    private static void concat(List<Case> all) {
        for (int axis = 0; axis < 3; axis++) {
            int[] a = {2, 3, 4};
            int[] b = {2, 3, 4};
            b[axis] = 5;
            int[] none = {2, 3, 4};
            none[axis] = 0;
            var op = new LayoutOp.Concat(axis);
            all.add(Case.of(op, 0, floats(X, a), floats(X, b)).smooth());
            all.add(Case.of(op, 0, floats(X, a), floats(X, none), floats(X, b), floats(X, a)).smooth());
            all.add(Case.of(op, 0, floats(X, a)).smooth());
            for (DType d : List.of(DType.I64, DType.U8, DType.BOOL)) {
                all.add(Case.of(op, 0, of(d, whole(0, 1), a), of(d, whole(0, 1), b)));
            }
        }
        all.add(Case.of(new LayoutOp.Concat(3), 0, floats(X, 4, 14, 14, 100), floats(X, 4, 14, 14, 32),
                floats(X, 4, 14, 14, 33)).isLarge());
        all.add(Case.of(new LayoutOp.Concat(0), 0, floats(X, 150, 401), floats(X, 1, 401)).isLarge());
    }

    private static void pad(List<Case> all) {
        move(all, new LayoutOp.Pad(new int[] {1, 0, 2}, new int[] {0, 3, 1}, new int[] {0, 1, 2}, 7), 2, 3, 4);
        move(all, new LayoutOp.Pad(new int[] {1, 1}, new int[] {1, 1}, new int[] {0, 0}, 0), 3, 5);
        move(all, new LayoutOp.Pad(new int[] {2}, new int[] {3}, new int[] {1}, 1), 0);
        move(all, new LayoutOp.Pad(new int[0], new int[0], new int[0], 1));
        move(all, new LayoutOp.Pad(new int[2], new int[2], new int[2], 1), 3, 4);
        move(all, new LayoutOp.Pad(new int[] {0, 1, 1, 0}, new int[] {0, 1, 1, 0}, new int[4], 0), 2, 40, 41, 16);
    }

    private static void take(List<Case> all) {
        int[][][] shapes = {{{5, 3}, {4}}, {{5, 3}, {}}, {{5, 3}, {2, 3}}, {{5, 3}, {0}}, {{6}, {9}}, {{4, 2, 3}, {5, 2}},
            {{3, 0}, {2}}, {{1000, 65}, {513}}, {{50, 33}, {2000}}};
        for (DType d : List.of(DType.I32, DType.I64)) {
            for (int[][] s : shapes) {
                Shape rows = Shape.of(s[0]).range(1, s[0].length);
                Input index = of(d, whole(0, s[0][0] - 1), s[1]);
                int[] y = Shape.of(s[1]).concat(rows).dims();
                Case read = Case.of(new IndexOp.Take(), 0, floats(X, s[0]), index);
                Case add = Case.of(new IndexOp.TakeBackward(s[0][0]), 1e-5, floats(X, y), index);
                boolean large = Shape.of(y).size() > 10_000;
                all.add(large ? read.isLarge() : read.smooth());
                all.add(large ? add.isLarge() : add.smooth());
                if (!large) {
                    all.add(Case.of(new IndexOp.Take(), 0, of(DType.U8, whole(0, 99), s[0]), index));
                    all.add(Case.of(new IndexOp.TakeBackward(s[0][0]), 0, of(DType.I64, whole(0, 99), y), index));
                }
            }
        }
    }

    private static void takeAlong(List<Case> all) {
        int[][] shapes = {{3, 5, 7}, {4, 0, 2}, {6, 4, 1}, {60, 50, 40}};
        for (DType d : List.of(DType.I32, DType.I64)) {
            for (int[] s : shapes) {
                boolean large = Shape.of(s).size() > 10_000;
                for (int axis = 0; axis < 3; axis++) {
                    for (int picks : new int[] {1, 4}) {
                        if (s[axis] == 0) {
                            continue;
                        }
                        Shape y = Shape.of(s).with(axis, picks);
                        Input index = of(d, whole(0, s[axis] - 1), y.dims());
                        Case read = Case.of(new IndexOp.TakeAlong(axis), 0, floats(X, s), index);
                        Case add = Case.of(new IndexOp.TakeAlongBackward(axis, s[axis]), 1e-6, floats(X, y.dims()), index);
                        all.add(large ? read.isLarge() : read.smooth());
                        all.add(large ? add.isLarge() : add.smooth());
                    }
                }
            }
        }
        all.add(Case.of(new IndexOp.TakeAlong(0), 0, floats(X, 4), of(DType.I64, whole(0, 3), 9)).smooth());
        all.add(Case.of(new IndexOp.TakeAlong(1), 0, of(DType.I64, whole(0, 9), 2, 4), of(DType.I64, whole(0, 3), 2, 3)));
    }
}
