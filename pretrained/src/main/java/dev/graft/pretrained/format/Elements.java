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
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
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

    /** Stores {@code count} of {@code values} from {@code from} at the start of {@code out}, rounding to nearest even. */
    static void store(float[] values, int from, int count, DType dtype, MemorySegment out) {
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
