package dev.graft.nn.onnx;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.function.BiConsumer;

/** Protocol Buffers' wire format: a message is a row of (field number, value). For the recorded test cases only. */
final class Wire {
    /** A field's value: a number, eight or four bytes, or a piece of bytes (a string, a message, packed numbers). */
    record Value(int type, long number, ByteBuffer bytes) {
        String text() {
            return StandardCharsets.UTF_8.decode(bytes.duplicate()).toString();
        }

        float asFloat() {
            return Float.intBitsToFloat((int) number);
        }

        /** One number, or several packed ones. */
        long[] numbers() {
            if (type == 0) {
                return new long[] {number};
            }
            ByteBuffer b = bytes.duplicate();
            long[] found = new long[b.remaining()];
            int n = 0;
            while (b.hasRemaining()) {
                found[n++] = varint(b);
            }
            return Arrays.copyOf(found, n);
        }
    }

    private Wire() {}

    static void read(ByteBuffer message, BiConsumer<Integer, Value> field) {
        ByteBuffer b = message.duplicate().order(ByteOrder.LITTLE_ENDIAN);
        while (b.hasRemaining()) {
            int key = (int) varint(b);
            int type = key & 7;
            field.accept(key >>> 3, switch (type) {
                case 0 -> new Value(type, varint(b), null);
                case 1 -> new Value(type, b.getLong(), null);
                case 2 -> {
                    int n = (int) varint(b);
                    ByteBuffer piece = b.slice(b.position(), n).order(ByteOrder.LITTLE_ENDIAN);
                    b.position(b.position() + n);
                    yield new Value(type, 0, piece);
                }
                case 5 -> new Value(type, b.getInt(), null);
                default -> throw new IllegalArgumentException("wire type " + type);
            });
        }
    }

    private static long varint(ByteBuffer b) {
        long v = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            byte next = b.get();
            v |= (long) (next & 127) << shift;
            if (next >= 0) {
                return v;
            }
        }
        throw new IllegalArgumentException("a number of more than ten bytes");
    }
}
