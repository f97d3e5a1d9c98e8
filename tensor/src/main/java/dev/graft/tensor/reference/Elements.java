package dev.graft.tensor.reference;

import dev.graft.tensor.HostStorage;
import dev.graft.tensor.Tensor;

/**
 * Elements of any dtype as double or long, and back. Storing a double into an integer dtype truncates and saturates (NaN
 * is 0); storing a long keeps the low bits; into bool, all but 0 is true. float16 and bfloat16 round half to even.
 */
final class Elements {
    private Elements() {}

    static double[] doubles(Tensor t) {
        HostStorage s = t.host();
        int n = Math.toIntExact(t.size());
        int at = Math.toIntExact(t.offset());
        double[] v = new double[n];
        switch (t.dtype()) {
            case F32 -> {
                float[] a = s.floats();
                for (int i = 0; i < n; i++) {
                    v[i] = a[at + i];
                }
            }
            case F64 -> System.arraycopy(s.doubles(), at, v, 0, n);
            case F16 -> {
                short[] a = s.shorts();
                for (int i = 0; i < n; i++) {
                    v[i] = Float.float16ToFloat(a[at + i]);
                }
            }
            case BF16 -> {
                short[] a = s.shorts();
                for (int i = 0; i < n; i++) {
                    v[i] = fromBfloat16(a[at + i]);
                }
            }
            case I8, I16, I32, I64, U8, BOOL -> {
                long[] a = longs(t);
                for (int i = 0; i < n; i++) {
                    v[i] = a[i];
                }
            }
        }
        return v;
    }

    /** Elements of an integer or bool tensor. */
    static long[] longs(Tensor t) {
        HostStorage s = t.host();
        int n = Math.toIntExact(t.size());
        int at = Math.toIntExact(t.offset());
        long[] v = new long[n];
        switch (t.dtype()) {
            case I64 -> System.arraycopy(s.longs(), at, v, 0, n);
            case I32 -> {
                for (int i = 0; i < n; i++) {
                    v[i] = s.ints()[at + i];
                }
            }
            case I16 -> {
                for (int i = 0; i < n; i++) {
                    v[i] = s.shorts()[at + i];
                }
            }
            case I8 -> {
                for (int i = 0; i < n; i++) {
                    v[i] = s.bytes()[at + i];
                }
            }
            case U8, BOOL -> {
                for (int i = 0; i < n; i++) {
                    v[i] = s.bytes()[at + i] & 0xFF;
                }
            }
            case F32, F64, F16, BF16 -> throw new IllegalArgumentException(t.dtype() + " read as integers");
        }
        return v;
    }

    static void store(double[] v, Tensor t) {
        HostStorage s = t.host();
        int n = Math.toIntExact(t.size());
        int at = Math.toIntExact(t.offset());
        switch (t.dtype()) {
            case F32 -> {
                float[] a = s.floats();
                for (int i = 0; i < n; i++) {
                    a[at + i] = (float) v[i];
                }
            }
            case F64 -> System.arraycopy(v, 0, s.doubles(), at, n);
            case F16 -> {
                short[] a = s.shorts();
                for (int i = 0; i < n; i++) {
                    a[at + i] = Float.floatToFloat16(roundToOdd(v[i]));
                }
            }
            case BF16 -> {
                short[] a = s.shorts();
                for (int i = 0; i < n; i++) {
                    a[at + i] = toBfloat16(roundToOdd(v[i]));
                }
            }
            case I64 -> {
                for (int i = 0; i < n; i++) {
                    s.longs()[at + i] = (long) v[i];
                }
            }
            case I32 -> {
                for (int i = 0; i < n; i++) {
                    s.ints()[at + i] = (int) v[i];
                }
            }
            case I16 -> {
                for (int i = 0; i < n; i++) {
                    s.shorts()[at + i] = (short) Math.clamp((int) v[i], Short.MIN_VALUE, Short.MAX_VALUE);
                }
            }
            case I8 -> {
                for (int i = 0; i < n; i++) {
                    s.bytes()[at + i] = (byte) Math.clamp((int) v[i], Byte.MIN_VALUE, Byte.MAX_VALUE);
                }
            }
            case U8 -> {
                for (int i = 0; i < n; i++) {
                    s.bytes()[at + i] = (byte) Math.clamp((int) v[i], 0, 255);
                }
            }
            case BOOL -> {
                for (int i = 0; i < n; i++) {
                    s.bytes()[at + i] = (byte) (v[i] != 0 ? 1 : 0);
                }
            }
        }
    }

    static void store(long[] v, Tensor t) {
        HostStorage s = t.host();
        int n = Math.toIntExact(t.size());
        int at = Math.toIntExact(t.offset());
        switch (t.dtype()) {
            case I64 -> System.arraycopy(v, 0, s.longs(), at, n);
            case I32 -> {
                for (int i = 0; i < n; i++) {
                    s.ints()[at + i] = (int) v[i];
                }
            }
            case I16 -> {
                for (int i = 0; i < n; i++) {
                    s.shorts()[at + i] = (short) v[i];
                }
            }
            case I8, U8 -> {
                for (int i = 0; i < n; i++) {
                    s.bytes()[at + i] = (byte) v[i];
                }
            }
            case BOOL -> {
                for (int i = 0; i < n; i++) {
                    s.bytes()[at + i] = (byte) (v[i] != 0 ? 1 : 0);
                }
            }
            case F32 -> {
                for (int i = 0; i < n; i++) {
                    s.floats()[at + i] = v[i];
                }
            }
            case F64, F16, BF16 -> {
                double[] d = new double[n];
                for (int i = 0; i < n; i++) {
                    d[i] = v[i];
                }
                store(d, t);
            }
        }
    }

    /** out[to[i]] = in[from[i]] for all i, bits unchanged; null stands for 0, 1, 2, ... */
    static void move(Tensor in, int[] from, Tensor out, int[] to) {
        Object a = in.host().array();
        Object b = out.host().array();
        int n = from != null ? from.length : to != null ? to.length : Math.toIntExact(out.size());
        int x = Math.toIntExact(in.offset());
        int y = Math.toIntExact(out.offset());
        if (a instanceof float[] p && b instanceof float[] q) {
            for (int i = 0; i < n; i++) {
                q[y + (to == null ? i : to[i])] = p[x + (from == null ? i : from[i])];
            }
        } else {
            for (int i = 0; i < n; i++) {
                System.arraycopy(a, x + (from == null ? i : from[i]), b, y + (to == null ? i : to[i]), 1);
            }
        }
    }

    static boolean integral(Tensor t) {
        return !t.dtype().isFloat();
    }

    private static float fromBfloat16(short s) {
        return Float.intBitsToFloat(s << 16);
    }

    /** The upper half of the float's bits, rounded half to even. */
    private static short toBfloat16(float f) {
        int bits = Float.floatToRawIntBits(f);
        if (f != f) {
            return (short) (bits >>> 16 | 0x40);   // quiet, so that no NaN becomes an infinity
        }
        return (short) (bits + 0x7FFF + (bits >>> 16 & 1) >>> 16);
    }

    /**
     * The float beside {@code d} whose last bit is 1, or {@code d} itself if it is a float: rounding it again to fewer bits
     * gives what rounding {@code d} once would (Boldo and Melquiond 2005, "When double rounding is odd").
     */
    private static float roundToOdd(double d) {
        float f = (float) d;
        if (f == d || f != f) {
            return f;
        }
        int bits = Float.floatToRawIntBits(f);
        return Float.intBitsToFloat((Math.abs((double) f) > Math.abs(d) ? bits - 1 : bits) | 1);
    }
}
