package dev.graft.pretrained.format;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** The bytes of one or more pickles, with the position after what was read. No length is believed before it is checked. */
final class PickleInput {
    /** Longest text line of the old text opcodes. */
    private static final int MAX_LINE = 1 << 16;

    /** Reads at most {@code to.length} bytes at {@code from} and returns how many. */
    private interface Source {
        int read(long from, byte[] to) throws IOException;
    }

    private final Refusal refusal;
    private final Source source;
    private final long size;
    private final byte[] buffer = new byte[1 << 13];
    private int next;
    private int filled;
    private long position;

    private PickleInput(Refusal refusal, Source source, long size) {
        this.refusal = refusal;
        this.source = source;
        this.size = size;
    }

    static PickleInput of(Refusal refusal, FileBytes file) {
        return new PickleInput(refusal, file::read, file.size());
    }

    static PickleInput of(Refusal refusal, byte[] pickle) {
        return new PickleInput(refusal, (from, to) -> {
            int n = (int) Math.min(to.length, pickle.length - from);
            System.arraycopy(pickle, (int) from, to, 0, n);
            return n;
        }, pickle.length);
    }

    /** Where the next byte lies. */
    long position() {
        return position;
    }

    int u1() throws IOException {
        if (next == filled) {
            next = 0;
            filled = Math.max(0, source.read(position, buffer));
            if (filled == 0) {
                throw refusal.damaged("the pickle ends after " + position + " bytes without its STOP");
            }
        }
        position++;
        return buffer[next++] & 0xff;
    }

    int u2() throws IOException {
        return u1() | u1() << 8;
    }

    int i4() throws IOException {
        return u2() | u2() << 16;
    }

    /** A length of four bytes, unsigned. */
    long u4() throws IOException {
        return Integer.toUnsignedLong(i4());
    }

    long i8() throws IOException {
        return u4() | (long) i4() << 32;
    }

    /** The big-endian double of BINFLOAT. */
    double f8() throws IOException {
        return ByteBuffer.wrap(bytes(8)).order(ByteOrder.BIG_ENDIAN).getDouble();
    }

    byte[] bytes(long length) throws IOException {
        if (length < 0 || length > size - position || length > FileBytes.MAX_ARRAY) {
            throw refusal.damaged("the pickle claims a string of " + Long.toUnsignedString(length) + " bytes at "
                    + position + " of " + size);
        }
        byte[] bytes = new byte[(int) length];
        for (int i = 0; i < bytes.length;) {
            bytes[i++] = (byte) u1();
            int n = Math.min(filled - next, bytes.length - i);
            System.arraycopy(buffer, next, bytes, i, n);
            i += n;
            next += n;
            position += n;
        }
        return bytes;
    }

    String utf8(long length) throws IOException {
        return new String(bytes(length), StandardCharsets.UTF_8);
    }

    /** The text up to the next line feed, without it. */
    String line() throws IOException {
        StringBuilder s = new StringBuilder();
        for (int c; (c = u1()) != '\n';) {
            if (s.length() == MAX_LINE) {
                throw refusal.damaged("the pickle has a line of more than " + MAX_LINE + " characters");
            }
            s.append((char) c);
        }
        return s.toString();
    }
}
