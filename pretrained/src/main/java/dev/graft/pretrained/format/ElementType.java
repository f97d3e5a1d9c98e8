package dev.graft.pretrained.format;

import dev.graft.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * How elements lie in a file. Ten types are Graft's own; the rest have no {@link DType} and are widened without loss to
 * the next type that holds them.
 */
enum ElementType {
    F32(DType.F32, 4), F64(DType.F64, 8), F16(DType.F16, 2), BF16(DType.BF16, 2),
    I8(DType.I8, 1), I16(DType.I16, 2), I32(DType.I32, 4), I64(DType.I64, 8), U8(DType.U8, 1), BOOL(DType.BOOL, 1),
    U16(DType.I32, 2), U32(DType.I64, 4), U64(DType.I64, 8), F8_E4M3(DType.F16, 1), F8_E5M2(DType.F16, 1);

    static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final DType dtype;
    private final int bytes;

    ElementType(DType dtype, int bytes) {
        this.dtype = dtype;
        this.bytes = bytes;
    }

    /** The type that reading gives. */
    DType dtype() {
        return dtype;
    }

    /** Size of one element in the file. */
    int bytes() {
        return bytes;
    }

    /** Whether elements are converted on reading. */
    boolean widens() {
        return ordinal() > BOOL.ordinal();
    }

    /**
     * The {@code n} elements of {@code in} as {@link #dtype}, little-endian.
     *
     * @throws ArithmeticException when a uint64 does not fit int64
     */
    byte[] widen(MemorySegment in, int n) {
        byte[] bytes = new byte[Math.multiplyExact(n, dtype.bytes())];
        MemorySegment out = MemorySegment.ofArray(bytes);
        for (int i = 0; i < n; i++) {
            switch (this) {
                case U16 -> out.set(INT, 4L * i, Short.toUnsignedInt(in.get(SHORT, 2L * i)));
                case U32 -> out.set(LONG, 8L * i, Integer.toUnsignedLong(in.get(INT, 4L * i)));
                case U64 -> {
                    long v = in.get(LONG, 8L * i);
                    if (v < 0) {
                        throw new ArithmeticException("uint64 value " + Long.toUnsignedString(v) + " does not fit int64");
                    }
                    out.set(LONG, 8L * i, v);
                }
                case F8_E4M3 -> out.set(SHORT, 2L * i, e4m3(in.get(ValueLayout.JAVA_BYTE, i)));
                // E5M2 is float16 without the low byte of the mantissa.
                case F8_E5M2 -> out.set(SHORT, 2L * i, (short) (in.get(ValueLayout.JAVA_BYTE, i) << 8));
                default -> throw new IllegalStateException(this + " is not widened");
            }
        }
        return bytes;
    }

    /** OCP FP8 E4M3 (finite, one NaN per sign) as float16 bits; every value is exact. */
    private static short e4m3(byte b) {
        int exponent = (b >> 3) & 15;
        int mantissa = b & 7;
        float v = exponent == 0 ? mantissa * 0x1p-9f
                : exponent == 15 && mantissa == 7 ? Float.NaN
                : (8 + mantissa) * Math.scalb(1f, exponent - 10);
        return Float.floatToFloat16(b < 0 ? -v : v);
    }
}
