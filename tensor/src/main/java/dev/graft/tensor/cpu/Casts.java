package dev.graft.tensor.cpu;

import dev.graft.tensor.DType;
import dev.graft.tensor.Tensor;

/** Conversions between float32 and the other dtypes, and between int32 and int64; what is rarer is left to the reference. */
final class Casts {
    private static final int CHUNK = 16384;

    private Casts() {}

    /** False when this pair of dtypes is for the reference backend. */
    static boolean run(Tensor x, Tensor y) {
        Object from = x.host().array();
        Object to = y.host().array();
        int xo = Math.toIntExact(x.offset());
        int yo = Math.toIntExact(y.offset());
        WorkerPool.RangeBody loop = x.dtype() == DType.F32 ? fromFloat((float[]) from, xo, y.dtype(), to, yo)
                : y.dtype() == DType.F32 ? toFloat(x.dtype(), from, xo, (float[]) to, yo)
                : x.dtype() == DType.I32 && y.dtype() == DType.I64 ? widen((int[]) from, xo, (long[]) to, yo)
                : x.dtype() == DType.I64 && y.dtype() == DType.I32 ? narrow((long[]) from, xo, (int[]) to, yo) : null;
        if (loop == null) {
            return false;
        }
        WorkerPool.shared().ranges(Math.toIntExact(y.size()), CHUNK, loop);
        return true;
    }

    /** The elements of {@code x}, float16 or bfloat16, into {@code y} from its beginning on. */
    static void widen(Tensor x, float[] y) {
        WorkerPool.shared().ranges(Math.toIntExact(x.size()), CHUNK,
                toFloat(x.dtype(), x.host().array(), Math.toIntExact(x.offset()), y, 0));
    }

    /** The first elements of {@code x} into {@code y}, float16 or bfloat16. */
    static void narrow(float[] x, Tensor y) {
        WorkerPool.shared().ranges(Math.toIntExact(y.size()), CHUNK,
                fromFloat(x, 0, y.dtype(), y.host().array(), Math.toIntExact(y.offset())));
    }

    private static WorkerPool.RangeBody fromFloat(float[] x, int xo, DType to, Object target, int yo) {
        return switch (to) {
            case F16 -> {
                short[] y = (short[]) target;
                yield (i, j) -> {
                    for (int k = i; k < j; k++) {
                        y[yo + k] = Float.floatToFloat16(x[xo + k]);
                    }
                };
            }
            case BF16 -> {
                short[] y = (short[]) target;
                yield Simd.ENABLED ? (i, j) -> SimdCasts.bfloat16(x, xo + i, y, yo + i, j - i) : (i, j) -> {
                    for (int k = i; k < j; k++) {
                        y[yo + k] = bfloat16(x[xo + k]);
                    }
                };
            }
            case F64 -> {
                double[] y = (double[]) target;
                yield (i, j) -> {
                    for (int k = i; k < j; k++) {
                        y[yo + k] = x[xo + k];
                    }
                };
            }
            case I32 -> {
                int[] y = (int[]) target;
                yield (i, j) -> {
                    for (int k = i; k < j; k++) {
                        y[yo + k] = (int) x[xo + k];
                    }
                };
            }
            case I64 -> {
                long[] y = (long[]) target;
                yield (i, j) -> {
                    for (int k = i; k < j; k++) {
                        y[yo + k] = (long) x[xo + k];
                    }
                };
            }
            case F32, I8, I16, U8, BOOL -> null;
        };
    }

    private static WorkerPool.RangeBody toFloat(DType from, Object source, int xo, float[] y, int yo) {
        return switch (from) {
            case F16 -> {
                short[] x = (short[]) source;
                yield (i, j) -> {
                    for (int k = i; k < j; k++) {
                        y[yo + k] = Float.float16ToFloat(x[xo + k]);
                    }
                };
            }
            case BF16 -> {
                short[] x = (short[]) source;
                yield (i, j) -> {
                    for (int k = i; k < j; k++) {
                        y[yo + k] = Float.intBitsToFloat(x[xo + k] << 16);
                    }
                };
            }
            case F64 -> {
                double[] x = (double[]) source;
                yield (i, j) -> {
                    for (int k = i; k < j; k++) {
                        y[yo + k] = (float) x[xo + k];
                    }
                };
            }
            case I32 -> {
                int[] x = (int[]) source;
                yield (i, j) -> {
                    for (int k = i; k < j; k++) {
                        y[yo + k] = x[xo + k];
                    }
                };
            }
            case I64 -> {
                long[] x = (long[]) source;
                yield (i, j) -> {
                    for (int k = i; k < j; k++) {
                        y[yo + k] = x[xo + k];
                    }
                };
            }
            case U8, BOOL -> {
                byte[] x = (byte[]) source;
                yield (i, j) -> {
                    for (int k = i; k < j; k++) {
                        y[yo + k] = x[xo + k] & 0xff;
                    }
                };
            }
            case F32, I8, I16 -> null;
        };
    }

    private static WorkerPool.RangeBody widen(int[] x, int xo, long[] y, int yo) {
        return (i, j) -> {
            for (int k = i; k < j; k++) {
                y[yo + k] = x[xo + k];
            }
        };
    }

    private static WorkerPool.RangeBody narrow(long[] x, int xo, int[] y, int yo) {
        return (i, j) -> {
            for (int k = i; k < j; k++) {
                y[yo + k] = (int) x[xo + k];
            }
        };
    }

    /** Upper half of the bits, rounded half to even; NaN stays a (quiet) NaN. */
    static short bfloat16(float v) {
        int bits = Float.floatToRawIntBits(v);
        if (v != v) {
            return (short) (bits >>> 16 | 0x40);
        }
        return (short) (bits + 0x7fff + (bits >>> 16 & 1) >>> 16);
    }
}
