package dev.graft.tensor.cpu;

import static dev.graft.tensor.cpu.SimdMath.S;

import dev.graft.tensor.op.BinaryFn;
import jdk.incubator.vector.FloatVector;

/** {@link BinaryFn} functions on vectors, built as {@link SimdUnary}; what is left over has the bits of plain floats. */
final class SimdBinary {
    private static final int L = S.length();

    private SimdBinary() {}

    static void run(BinaryFn f, float[] x, int xo, float[] y, int yo, float[] z, int zo, int n) {
        int whole = f == BinaryFn.POW ? 0 : S.loopBound(n);
        switch (f) {
            case ADD -> add(x, xo, y, yo, z, zo, whole);
            case SUB -> sub(x, xo, y, yo, z, zo, whole);
            case MUL -> mul(x, xo, y, yo, z, zo, whole);
            case DIV -> div(x, xo, y, yo, z, zo, whole);
            case MAXIMUM -> max(x, xo, y, yo, z, zo, whole);
            case MINIMUM -> min(x, xo, y, yo, z, zo, whole);
            default -> { } // POW element by element; predicates have loops of their own
        }
        for (int i = whole; i < n; i++) {
            z[zo + i] = (float) f.apply(x[xo + i], y[yo + i]);
        }
    }

    static void runScalar(BinaryFn f, float[] x, int xo, float s, float[] z, int zo, int n) {
        int whole = f == BinaryFn.POW ? 0 : S.loopBound(n);
        switch (f) {
            case ADD -> add(x, xo, s, z, zo, whole);
            case SUB -> sub(x, xo, s, z, zo, whole);
            case MUL -> mul(x, xo, s, z, zo, whole);
            case DIV -> div(x, xo, s, z, zo, whole);
            case MAXIMUM -> max(x, xo, s, z, zo, whole);
            case MINIMUM -> min(x, xo, s, z, zo, whole);
            default -> { } // POW element by element; predicates have loops of their own
        }
        for (int i = whole; i < n; i++) {
            z[zo + i] = (float) f.apply(x[xo + i], s);
        }
    }

    static void scalarRun(BinaryFn f, float s, float[] y, int yo, float[] z, int zo, int n) {
        switch (f) {
            case ADD, MUL, MAXIMUM, MINIMUM -> runScalar(f, y, yo, s, z, zo, n);
            default -> {
                int whole = f == BinaryFn.POW ? 0 : S.loopBound(n);
                if (f == BinaryFn.SUB) {
                    sub(s, y, yo, z, zo, whole);
                } else if (f == BinaryFn.DIV) {
                    div(s, y, yo, z, zo, whole);
                }
                for (int i = whole; i < n; i++) {
                    z[zo + i] = (float) f.apply(s, y[yo + i]);
                }
            }
        }
    }

    private static FloatVector load(float[] x, int i) {
        return FloatVector.fromArray(S, x, i);
    }

    private static void add(float[] x, int xo, float[] y, int yo, float[] z, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            load(x, xo + i).add(load(y, yo + i)).intoArray(z, zo + i);
        }
    }

    private static void sub(float[] x, int xo, float[] y, int yo, float[] z, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            load(x, xo + i).sub(load(y, yo + i)).intoArray(z, zo + i);
        }
    }

    private static void mul(float[] x, int xo, float[] y, int yo, float[] z, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            load(x, xo + i).mul(load(y, yo + i)).intoArray(z, zo + i);
        }
    }

    private static void div(float[] x, int xo, float[] y, int yo, float[] z, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            load(x, xo + i).div(load(y, yo + i)).intoArray(z, zo + i);
        }
    }

    private static void max(float[] x, int xo, float[] y, int yo, float[] z, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            load(x, xo + i).max(load(y, yo + i)).intoArray(z, zo + i);
        }
    }

    private static void min(float[] x, int xo, float[] y, int yo, float[] z, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            load(x, xo + i).min(load(y, yo + i)).intoArray(z, zo + i);
        }
    }

    private static void add(float[] x, int xo, float s, float[] z, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            load(x, xo + i).add(s).intoArray(z, zo + i);
        }
    }

    private static void sub(float[] x, int xo, float s, float[] z, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            load(x, xo + i).sub(s).intoArray(z, zo + i);
        }
    }

    private static void mul(float[] x, int xo, float s, float[] z, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            load(x, xo + i).mul(s).intoArray(z, zo + i);
        }
    }

    private static void div(float[] x, int xo, float s, float[] z, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            load(x, xo + i).div(s).intoArray(z, zo + i);
        }
    }

    private static void max(float[] x, int xo, float s, float[] z, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            load(x, xo + i).max(s).intoArray(z, zo + i);
        }
    }

    private static void min(float[] x, int xo, float s, float[] z, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            load(x, xo + i).min(s).intoArray(z, zo + i);
        }
    }

    private static void sub(float s, float[] y, int yo, float[] z, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector.broadcast(S, s).sub(load(y, yo + i)).intoArray(z, zo + i);
        }
    }

    private static void div(float s, float[] y, int yo, float[] z, int zo, int n) {
        for (int i = 0; i < n; i += L) {
            FloatVector.broadcast(S, s).div(load(y, yo + i)).intoArray(z, zo + i);
        }
    }
}
