package dev.graft.pretrained.format;

import dev.graft.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Conversions between little-endian bytes of a {@link DType} and Java arrays. */
final class Elements {
    private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;
    private static final ValueLayout.OfShort SHORT = ElementType.SHORT;
    private static final ValueLayout.OfInt INT = ElementType.INT;
    private static final ValueLayout.OfLong LONG = ElementType.LONG;
    static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private Elements() {
    }

    static float[] floats(MemorySegment data, WeightEntry entry) {
        float[] out = new float[(int) entry.shape().size()];
        switch (entry.dtype()) {
            case F32 -> MemorySegment.copy(data, FLOAT, 0, out, 0, out.length);
            case F64 -> {
                for (int i = 0; i < out.length; i++) {
                    out[i] = (float) data.get(DOUBLE, 8L * i);
                }
            }
            case F16 -> {
                for (int i = 0; i < out.length; i++) {
                    out[i] = Float.float16ToFloat(data.get(SHORT, 2L * i));
                }
            }
            case BF16 -> {
                for (int i = 0; i < out.length; i++) {
                    out[i] = Float.intBitsToFloat(data.get(SHORT, 2L * i) << 16);
                }
            }
            case I8, I16, I32, I64, U8, BOOL -> {
                for (int i = 0; i < out.length; i++) {
                    out[i] = integer(data, entry.dtype(), i);
                }
            }
        }
        return out;
    }

    static double[] doubles(MemorySegment data, WeightEntry entry) {
        int n = (int) entry.shape().size();
        double[] out = new double[n];
        switch (entry.dtype()) {
            case F64 -> MemorySegment.copy(data, DOUBLE, 0, out, 0, n);
            case F32 -> {
                for (int i = 0; i < n; i++) {
                    out[i] = data.get(FLOAT, 4L * i);
                }
            }
            case F16 -> {
                for (int i = 0; i < n; i++) {
                    out[i] = Float.float16ToFloat(data.get(SHORT, 2L * i));
                }
            }
            case BF16 -> {
                for (int i = 0; i < n; i++) {
                    out[i] = Float.intBitsToFloat(data.get(SHORT, 2L * i) << 16);
                }
            }
            case I8, I16, I32, I64, U8, BOOL -> {
                for (int i = 0; i < n; i++) {
                    out[i] = integer(data, entry.dtype(), i);
                }
            }
        }
        return out;
    }

    static long[] longs(MemorySegment data, WeightEntry entry) {
        long[] out = new long[(int) entry.shape().size()];
        for (int i = 0; i < out.length; i++) {
            out[i] = integer(data, entry.dtype(), i);
        }
        return out;
    }

    private static long integer(MemorySegment data, DType dtype, int i) {
        return switch (dtype) {
            case I8 -> data.get(BYTE, i);
            case I16 -> data.get(SHORT, 2L * i);
            case I32 -> data.get(INT, 4L * i);
            case I64 -> data.get(LONG, 8L * i);
            case U8 -> data.get(BYTE, i) & 0xff;
            case BOOL -> data.get(BYTE, i) == 0 ? 0 : 1;
            case F32, F64, F16, BF16 -> throw new IllegalArgumentException(dtype + " holds no integers");
        };
    }

    /** Whether {@link #carrier} turns {@code from} into {@code to}: anything into floats, integers into wide integers. */
    static boolean castable(DType from, DType to) {
        return from == to || to.isFloat() || (to == DType.I32 || to == DType.I64) && !from.isFloat();
    }

    /**
     * The elements as an array of the carrier that a tensor of {@code to} has (float16 and bfloat16 in short[], bool and
     * 8-bit integers in byte[]).
     *
     * @throws ArithmeticException when an integer does not fit {@code to}
     */
    static Object carrier(MemorySegment data, WeightEntry entry, DType to) {
        int n = (int) entry.shape().size();
        boolean same = entry.dtype() == to;
        return switch (to) {
            case F32 -> floats(data, entry);
            case F64 -> doubles(data, entry);
            case I64 -> longs(data, entry);
            case I32 -> {
                int[] out = new int[n];
                if (same) {
                    MemorySegment.copy(data, INT, 0, out, 0, n);
                } else {
                    for (int i = 0; i < n; i++) {
                        out[i] = Math.toIntExact(integer(data, entry.dtype(), i));
                    }
                }
                yield out;
            }
            case F16, BF16, I16 -> {
                short[] out = new short[n];
                if (same) {
                    MemorySegment.copy(data, SHORT, 0, out, 0, n);
                } else {
                    float[] values = floats(data, entry);
                    for (int i = 0; i < n; i++) {
                        out[i] = to == DType.F16 ? Float.floatToFloat16(values[i]) : bfloat16(values[i]);
                    }
                }
                yield out;
            }
            case I8, U8 -> data.toArray(BYTE);
            case BOOL -> {
                byte[] out = new byte[n];
                for (int i = 0; i < n; i++) {
                    out[i] = (byte) integer(data, DType.BOOL, i); // a hostile file may have other bytes than 0 and 1
                }
                yield out;
            }
        };
    }

    /** The inverse of {@link #carrier} for the tensor's own dtype: elements {@code from} on into little-endian bytes. */
    static void store(Object carrier, int from, int count, DType dtype, MemorySegment out) {
        switch (dtype) {
            case F32 -> MemorySegment.copy((float[]) carrier, from, out, FLOAT, 0, count);
            case F64 -> MemorySegment.copy((double[]) carrier, from, out, DOUBLE, 0, count);
            case F16, BF16, I16 -> MemorySegment.copy((short[]) carrier, from, out, SHORT, 0, count);
            case I32 -> MemorySegment.copy((int[]) carrier, from, out, INT, 0, count);
            case I64 -> MemorySegment.copy((long[]) carrier, from, out, LONG, 0, count);
            case I8, U8, BOOL -> MemorySegment.copy((byte[]) carrier, from, out, BYTE, 0, count);
        }
    }

    /** Stores {@code count} of {@code values} from {@code from} at the start of {@code out}, rounding to nearest even. */
    static void round(float[] values, int from, int count, DType dtype, MemorySegment out) {
        for (int i = 0; i < count; i++) {
            float v = values[from + i];
            switch (dtype) {
                case F32 -> out.set(FLOAT, 4L * i, v);
                case F64 -> out.set(DOUBLE, 8L * i, v);
                case F16 -> out.set(SHORT, 2L * i, Float.floatToFloat16(v));
                case BF16 -> out.set(SHORT, 2L * i, bfloat16(v));
                case I8, I16, I32, I64, U8, BOOL -> throw new IllegalArgumentException(dtype + " is no float type");
            }
        }
    }

    /** The nearest bfloat16, ties to even; NaN stays NaN. */
    static short bfloat16(float v) {
        int bits = Float.floatToRawIntBits(v);
        if (Float.isNaN(v)) {
            return (short) (bits >>> 16 | 0x40);
        }
        return (short) (bits + 0x7fff + (bits >>> 16 & 1) >>> 16);
    }
}
