package dev.graft.kernels.ops;

import dev.graft.tensor.DType;

/** A number as the bits of an element, rounded as every backend stores a double. */
final class BitPattern {
    private BitPattern() {}

    /** The element's bits again and again in 64 bits. */
    static long repeated(DType type, double v) {
        long bits = of(type, v);
        for (int width = 8 * type.bytes(); width < 64; width *= 2) {
            bits |= bits << width;
        }
        return bits;
    }

    /** The element's bits as the lowest ones of 64. */
    static long of(DType type, double v) {
        return switch (type) {
            case F32 -> Float.floatToRawIntBits((float) v) & 0xFFFFFFFFL;
            case F64 -> Double.doubleToRawLongBits(v);
            case F16 -> Float.floatToFloat16(roundToOdd(v)) & 0xFFFFL;
            case BF16 -> bfloat16(roundToOdd(v)) & 0xFFFFL;
            case I8 -> Math.clamp((int) v, Byte.MIN_VALUE, Byte.MAX_VALUE) & 0xFFL;
            case I16 -> Math.clamp((int) v, Short.MIN_VALUE, Short.MAX_VALUE) & 0xFFFFL;
            case I32 -> (int) v & 0xFFFFFFFFL;
            case I64 -> (long) v;
            case U8 -> Math.clamp((int) v, 0, 255);
            case BOOL -> v != 0 ? 1 : 0;
        };
    }

    private static int bfloat16(float f) {
        int bits = Float.floatToRawIntBits(f);
        return f != f ? bits >>> 16 | 0x40 : bits + 0x7FFF + (bits >>> 16 & 1) >>> 16;
    }

    /** The float beside {@code d} whose last bit is 1, or {@code d} if it is a float: round_to_odd of common.cuh. */
    private static float roundToOdd(double d) {
        float f = (float) d;
        if (f == d || f != f) {
            return f;
        }
        int bits = Float.floatToRawIntBits(f);
        return Float.intBitsToFloat((Math.abs((double) f) > Math.abs(d) ? bits - 1 : bits) | 1);
    }
}
