package dev.graft.pretrained.format;

import dev.graft.tensor.GraftException;
import dev.graft.tensor.Shape;
import java.nio.file.Path;
import java.util.Arrays;

/** Makes the one sentence that says why a file cannot be read: the file, what was found, the fix. */
record Refusal(Path file) {
    private static final int MAX_RANK = 64;
    private static final int MAX_QUOTED = 120;

    /** For contents that contradict themselves or the file's size. */
    GraftException damaged(String found) {
        return refused(found, "the file is damaged or incomplete: fetch or save it again");
    }

    GraftException damaged(String found, Throwable cause) {
        GraftException e = damaged(found);
        e.initCause(cause);
        return e;
    }

    GraftException refused(String found, String fix) {
        return new GraftException(file + ": " + found + "; " + fix);
    }

    /** {@code dims} as a shape, after the checks a hostile file needs: rank, signs, 32-bit axes, product below 2^63. */
    Shape shape(String tensor, long[] dims) {
        if (dims.length > MAX_RANK) {
            throw damaged("tensor " + quote(tensor) + " has " + dims.length + " axes, more than " + MAX_RANK);
        }
        int[] d = new int[dims.length];
        for (int i = 0; i < d.length; i++) {
            if (dims[i] < 0) {
                throw damaged("tensor " + quote(tensor) + " has a negative size in shape " + Arrays.toString(dims));
            }
            if (dims[i] > Integer.MAX_VALUE) {
                throw damaged("tensor " + quote(tensor) + " has shape " + Arrays.toString(dims)
                        + ", an axis of 2^31 or more elements");
            }
            d[i] = (int) dims[i];
        }
        long size = 1;
        for (int n : d) {
            if (n == 0) {
                continue; // what the other axes multiply to is checked all the same: Shape counts from the left
            }
            // 2^56 elements are more than any file holds, and leave room to multiply by an element's bytes.
            size = Math.multiplyHigh(size, n) != 0 ? Long.MAX_VALUE : size * n;
            if (size < 0 || size > 1L << 56) {
                throw damaged("tensor " + quote(tensor) + " has shape " + Arrays.toString(dims)
                        + ", more elements than any file can hold");
            }
        }
        return Shape.of(d);
    }

    /** A name from the file, fit for a message: printable and short. */
    static String quote(String name) {
        if (plain(name)) {
            return "'" + name + "'";
        }
        StringBuilder s = new StringBuilder("'");
        name.codePoints().limit(MAX_QUOTED).forEach(c -> {
            if (Character.isISOControl(c)) {
                s.append(String.format("\\x%02x", c));
            } else {
                s.appendCodePoint(c);
            }
        });
        return s.append(name.length() > MAX_QUOTED ? "...'" : "'").toString();
    }

    private static boolean plain(String name) {
        boolean plain = name.length() <= MAX_QUOTED;
        for (int i = 0; plain && i < name.length(); i++) {
            plain = name.charAt(i) >= ' ' && name.charAt(i) < 0x7f;
        }
        return plain;
    }
}
