package dev.graft.tensor.cpu;

import dev.graft.tensor.Shape;
import dev.graft.tensor.op.BinaryFn;
import dev.graft.tensor.op.CreateOp;
import dev.graft.tensor.op.UnaryFn;

/** Elementwise kernels on float32 arrays: {@link ElementLoops} with shapes and threads. Offsets are in elements. */
final class Elementwise {
    /** Shorter rows than this are repeated into longer ones before they meet the rows of the other operand. */
    private static final int TILE = 512;
    private static final int RANDOM_CHUNK = 4096;

    private final ElementLoops loops;

    Elementwise(ElementLoops loops) {
        this.loops = loops;
    }

    /** y = f(x), {@code a} being the parameter of functions that have one; y may be x. */
    void unary(UnaryFn f, double a, float[] x, int xo, float[] y, int yo, int n) {
        float p = (float) a;
        WorkerPool.shared().stream(n, Broadcast.CHUNK / 2, (i, j) -> loops.unary(f, p, x, xo + i, y, yo + i, j - i));
    }

    /** dx = dy * f'(x); {@code saved} is f's output where {@link UnaryFn#savesOutput()}, else its input. */
    void unaryGrad(UnaryFn f, double a, float[] saved, int so, float[] dy, int dyo, float[] dx, int dxo, int n) {
        float p = (float) a;
        WorkerPool.shared().stream(n, Broadcast.CHUNK / 2,
                (i, j) -> loops.unaryGrad(f, p, saved, so + i, dy, dyo + i, dx, dxo + i, j - i));
    }

    /** z = f(x, y), broadcast to {@code zs}; not for predicates. */
    void binary(BinaryFn f, float[] x, int xo, Shape xs, float[] y, int yo, Shape ys, float[] z, int zo, Shape zs) {
        Broadcast plan = Broadcast.of(zs, xs, ys);
        if (rowVector(f, plan, x, xo, y, yo, z, zo) || vectorRow(f, plan, x, xo, y, yo, z, zo)) {
            return;
        }
        boolean repeatX = plan.step(0) == 0;
        boolean repeatY = plan.step(1) == 0;
        plan.run((out, a, b, c, n) -> {
            if (n == 1 || repeatX == repeatY) {
                loops.binary(f, x, xo + a, y, yo + b, z, zo + out, n);
            } else if (repeatY) {
                loops.binaryScalar(f, x, xo + a, y[yo + b], z, zo + out, n);
            } else {
                loops.scalarBinary(f, x[xo + a], y, yo + b, z, zo + out, n);
            }
        });
    }

    /** [R, C] op [C] with few columns: several rows at a time meet as many copies of y. False when it is not that. */
    private boolean rowVector(BinaryFn f, Broadcast plan, float[] x, int xo, float[] y, int yo, float[] z, int zo) {
        int c = plan.rowVector(0, 1);
        if (c == 0 || c > TILE / 2) {
            return false;
        }
        int k = TILE / c;
        float[] t = ChannelTile.of(y, yo, c, k);
        WorkerPool.shared().stream(plan.rows(), k * tilesPerTask(k * c), (r0, r1) -> {
            for (int r = r0; r < r1; r += k) {
                loops.binary(f, x, xo + r * c, t, 0, z, zo + r * c, Math.min(k, r1 - r) * c);
            }
        });
        return true;
    }

    /** As {@link #rowVector} for [C] op [R, C]. */
    private boolean vectorRow(BinaryFn f, Broadcast plan, float[] x, int xo, float[] y, int yo, float[] z, int zo) {
        int c = plan.rowVector(1, 0);
        if (c == 0 || c > TILE / 2) {
            return false;
        }
        int k = TILE / c;
        float[] t = ChannelTile.of(x, xo, c, k);
        WorkerPool.shared().stream(plan.rows(), k * tilesPerTask(k * c), (r0, r1) -> {
            for (int r = r0; r < r1; r += k) {
                loops.binary(f, t, 0, y, yo + r * c, z, zo + r * c, Math.min(k, r1 - r) * c);
            }
        });
        return true;
    }

    private static int tilesPerTask(int tile) {
        return Math.max(1, Broadcast.CHUNK / tile);
    }

    /** z = f(x, s); not for predicates. */
    void binaryScalar(BinaryFn f, float[] x, int xo, double s, float[] z, int zo, int n) {
        float v = (float) s;
        if (f == BinaryFn.POW && (v == 2f || v == 1f || v == -1f)) {
            UnaryFn same = v == 2f ? UnaryFn.SQUARE : UnaryFn.RECIPROCAL;
            if (v == 1f) {
                System.arraycopy(x, xo, z, zo, n);
            } else {
                unary(same, 0, x, xo, z, zo, n);
            }
            return;
        }
        WorkerPool.shared().stream(n, Broadcast.CHUNK, (i, j) -> loops.binaryScalar(f, x, xo + i, v, z, zo + i, j - i));
    }

    /** z = f(x, y) as 0 or 1, broadcast to {@code zs}; predicates only. */
    void compare(BinaryFn f, float[] x, int xo, Shape xs, float[] y, int yo, Shape ys, byte[] z, int zo, Shape zs) {
        Broadcast plan = Broadcast.of(zs, xs, ys);
        int sx = plan.step(0);
        int sy = plan.step(1);
        plan.run((out, a, b, c, n) -> compare(f, x, xo + a, sx, y, yo + b, sy, z, zo + out, n));
    }

    /** z = f(x, s) as 0 or 1; predicates only. */
    void compareScalar(BinaryFn f, float[] x, int xo, double s, byte[] z, int zo, int n) {
        float[] y = {(float) s};
        WorkerPool.shared().stream(n, Broadcast.CHUNK, (i, j) -> compare(f, x, xo + i, 1, y, 0, 0, z, zo + i, j - i));
    }

    private static void compare(BinaryFn f, float[] x, int xo, int sx, float[] y, int yo, int sy, byte[] z, int zo, int n) {
        switch (f) {
            case LT -> {
                for (int i = 0; i < n; i++) {
                    z[zo + i] = (byte) (x[xo + i * sx] < y[yo + i * sy] ? 1 : 0);
                }
            }
            case LE -> {
                for (int i = 0; i < n; i++) {
                    z[zo + i] = (byte) (x[xo + i * sx] <= y[yo + i * sy] ? 1 : 0);
                }
            }
            case GT -> compare(BinaryFn.LT, y, yo, sy, x, xo, sx, z, zo, n);
            case GE -> compare(BinaryFn.LE, y, yo, sy, x, xo, sx, z, zo, n);
            case EQ -> {
                for (int i = 0; i < n; i++) {
                    z[zo + i] = (byte) (x[xo + i * sx] == y[yo + i * sy] ? 1 : 0);
                }
            }
            default -> {
                for (int i = 0; i < n; i++) {
                    z[zo + i] = (byte) f.apply(x[xo + i * sx], y[yo + i * sy]);
                }
            }
        }
    }

    /** z = condition ? x : y, all broadcast to {@code zs}. */
    void where(byte[] cond, int co, Shape cs, float[] x, int xo, Shape xs, float[] y, int yo, Shape ys,
            float[] z, int zo, Shape zs) {
        Broadcast plan = Broadcast.of(zs, cs, xs, ys);
        int sc = plan.step(0);
        int sx = plan.step(1);
        int sy = plan.step(2);
        plan.run((out, c, a, b, n) -> select(cond, co + c, sc, x, xo + a, sx, y, yo + b, sy, z, zo + out, n));
    }

    /** Without branches, since a random mask would mispredict every second one. */
    private static void select(byte[] c, int co, int sc, float[] x, int xo, int sx, float[] y, int yo, int sy,
            float[] z, int zo, int n) {
        for (int i = 0; i < n; i++) {
            int k = c[co + i * sc];
            int all = (k | -k) >> 31; // -1 for any k but 0
            int a = Float.floatToRawIntBits(x[xo + i * sx]);
            int b = Float.floatToRawIntBits(y[yo + i * sy]);
            z[zo + i] = Float.intBitsToFloat(a & all | b & ~all);
        }
    }

    /** y = x times random factors; y must not be x. */
    void dropout(CreateOp.Random factors, float[] x, int xo, float[] y, int yo, int n) {
        WorkerPool.shared().ranges(n, RANDOM_CHUNK,
                (i, j) -> loops.randomProduct(factors, i, x, xo + i, y, yo + i, j - i));
    }
}
