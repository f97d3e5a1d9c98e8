package dev.graft.tensor.reference;

import dev.graft.tensor.DType;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Philox;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.TensorSpec;
import dev.graft.tensor.op.BinaryFn;
import dev.graft.tensor.op.CreateOp;
import dev.graft.tensor.op.ElementwiseOp;
import dev.graft.tensor.op.UnaryFn;

/** Elementwise ops; integers are computed in 64 bits and wrap. */
final class ReferenceElementwise {
    private ReferenceElementwise() {}

    static void run(ElementwiseOp op, Tensor[] in, Tensor out) {
        switch (op) {
            case ElementwiseOp.Unary u -> unary(u, in[0], out);
            case ElementwiseOp.UnaryBackward u -> unaryBackward(u, in[0], in[1], out);
            case ElementwiseOp.Binary b -> binary(b.fn(), in[0], in[1], out);
            case ElementwiseOp.BinaryScalar b -> binaryScalar(b.fn(), in[0], b.value(), out);
            case ElementwiseOp.Where w -> where(in[0], in[1], in[2], out);
            case ElementwiseOp.Cast c -> cast(in[0], out);
            case ElementwiseOp.Dropout d -> dropout(d, in[0], out);
        }
    }

    private static void unary(ElementwiseOp.Unary op, Tensor x, Tensor out) {
        if (Elements.integral(x)) {
            long[] v = Elements.longs(x);
            for (int i = 0; i < v.length; i++) {
                v[i] = integer(op.fn(), v[i]);
            }
            Elements.store(v, out);
        } else {
            double[] v = Elements.doubles(x);
            for (int i = 0; i < v.length; i++) {
                v[i] = op.fn().apply(v[i], op.a());
            }
            Elements.store(v, out);
        }
    }

    private static long integer(UnaryFn fn, long x) {
        return switch (fn) {
            case NEG -> -x;
            case ABS -> Math.abs(x);
            case SIGN -> Long.signum(x);
            case SQUARE -> x * x;
            default -> throw new GraftException("is not defined for integers: cast to float32 first");
        };
    }

    private static void unaryBackward(ElementwiseOp.UnaryBackward op, Tensor dy, Tensor saved, Tensor out) {
        double[] g = Elements.doubles(dy);
        double[] s = Elements.doubles(saved);
        for (int i = 0; i < g.length; i++) {
            g[i] *= op.fn().derivative(s[i], op.a());
        }
        Elements.store(g, out);
    }

    private static void binary(BinaryFn fn, Tensor x, Tensor y, Tensor out) {
        int[] p = Walk.broadcast(x.shape(), out.shape());
        int[] q = Walk.broadcast(y.shape(), out.shape());
        if (Elements.integral(x)) {
            long[] a = Elements.longs(x);
            long[] b = Elements.longs(y);
            long[] z = new long[p.length];
            for (int i = 0; i < z.length; i++) {
                z[i] = integer(fn, a[p[i]], b[q[i]]);
            }
            Elements.store(z, out);
        } else {
            double[] a = Elements.doubles(x);
            double[] b = Elements.doubles(y);
            double[] z = new double[p.length];
            for (int i = 0; i < z.length; i++) {
                z[i] = fn.apply(a[p[i]], b[q[i]]);
            }
            Elements.store(z, out);
        }
    }

    private static void binaryScalar(BinaryFn fn, Tensor x, double value, Tensor out) {
        if (Elements.integral(x) && value == Math.rint(value) && Math.abs(value) < 0x1p63) {
            long[] v = Elements.longs(x);
            for (int i = 0; i < v.length; i++) {
                v[i] = integer(fn, v[i], (long) value);
            }
            Elements.store(v, out);
        } else {
            double[] v = Elements.doubles(x);
            for (int i = 0; i < v.length; i++) {
                v[i] = fn.apply(v[i], value);
            }
            Elements.store(v, out);
        }
    }

    private static long integer(BinaryFn fn, long x, long y) {
        return switch (fn) {
            case ADD -> x + y;
            case SUB -> x - y;
            case MUL -> x * y;
            case DIV -> {
                if (y == 0) {
                    throw new GraftException("integer division by zero");
                }
                yield x / y;
            }
            case POW -> power(x, y);
            case MAXIMUM -> Math.max(x, y);
            case MINIMUM -> Math.min(x, y);
            case EQ -> x == y ? 1 : 0;
            case NE -> x != y ? 1 : 0;
            case LT -> x < y ? 1 : 0;
            case LE -> x <= y ? 1 : 0;
            case GT -> x > y ? 1 : 0;
            case GE -> x >= y ? 1 : 0;
            case AND -> x != 0 && y != 0 ? 1 : 0;
            case OR -> x != 0 || y != 0 ? 1 : 0;
        };
    }

    private static long power(long x, long y) {
        if (y < 0) {
            throw new GraftException("an integer to the negative power " + y + " is no integer: cast to float32 first");
        }
        long z = 1;
        for (long base = x, e = y; e > 0; e >>= 1, base *= base) {
            if ((e & 1) != 0) {
                z *= base;
            }
        }
        return z;
    }

    private static void where(Tensor condition, Tensor x, Tensor y, Tensor out) {
        long[] c = Elements.longs(condition);
        int[] r = Walk.broadcast(condition.shape(), out.shape());
        int[] p = Walk.broadcast(x.shape(), out.shape());
        int[] q = Walk.broadcast(y.shape(), out.shape());
        int yes = 0;
        for (int i : r) {
            yes += c[i] != 0 ? 1 : 0;
        }
        int[][] from = {new int[r.length - yes], new int[yes]};
        int[][] to = {new int[r.length - yes], new int[yes]};
        int[] n = new int[2];
        for (int i = 0; i < r.length; i++) {
            int side = c[r[i]] != 0 ? 1 : 0;
            from[side][n[side]] = side == 1 ? p[i] : q[i];
            to[side][n[side]++] = i;
        }
        Elements.move(x, from[1], out, to[1]);
        Elements.move(y, from[0], out, to[0]);
    }

    /** The factors are float32 but for float64, as the mask would be. */
    private static void dropout(ElementwiseOp.Dropout op, Tensor x, Tensor out) {
        double[] v = Elements.doubles(x);
        DType type = x.dtype() == DType.F64 ? DType.F64 : DType.F32;
        CreateOp.Random factors = op.factors(new TensorSpec(type, x.shape()), x.device());
        double[] m = new double[v.length];
        Philox.fill(factors, 0, m, 0, v.length);
        for (int i = 0; i < v.length; i++) {
            v[i] *= type == DType.F64 ? m[i] : (float) m[i];
        }
        Elements.store(v, out);
    }

    private static void cast(Tensor x, Tensor out) {
        if (Elements.integral(x)) {
            Elements.store(Elements.longs(x), out);
        } else {
            Elements.store(Elements.doubles(x), out);
        }
    }
}
