package dev.graft.pretrained.format;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** Writes pickles opcode by opcode, after CPython's pickletools.py. */
final class PickleBytes {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    PickleBytes() {
        op(0x80, 2);
    }

    PickleBytes op(int... bytes) {
        for (int b : bytes) {
            out.write(b);
        }
        return this;
    }

    PickleBytes raw(byte[] bytes) {
        out.writeBytes(bytes);
        return this;
    }

    PickleBytes text(String s) {
        return raw(s.getBytes(StandardCharsets.ISO_8859_1));
    }

    /** GLOBAL. */
    PickleBytes global(String module, String name) {
        return text("c" + module + "\n" + name + "\n");
    }

    /** BINUNICODE. */
    PickleBytes str(String s) {
        byte[] utf8 = s.getBytes(StandardCharsets.UTF_8);
        return op('X').raw(little(4, utf8.length)).raw(utf8);
    }

    /** BININT, or LONG1 when it needs more than 32 bits. */
    PickleBytes integer(long v) {
        return v == (int) v ? op('J').raw(little(4, v)) : op(0x8a, 8).raw(little(8, v));
    }

    /** BINFLOAT. */
    PickleBytes real(double v) {
        return op('G').raw(ByteBuffer.allocate(8).putDouble(v).array());
    }

    /** MARK ... TUPLE of integers. */
    PickleBytes tuple(long... values) {
        op('(');
        for (long v : values) {
            integer(v);
        }
        return op('t');
    }

    /** BINPERSID of ('storage', torch.storageClass, key, 'cpu', elements). */
    PickleBytes storage(String storageClass, String key, long elements) {
        return op('(').str("storage").global("torch", storageClass).str(key).str("cpu").integer(elements).op('t', 'Q');
    }

    /** A call of _rebuild_tensor_v2 on the whole of the given storage. */
    PickleBytes tensor(String storageClass, String key, long elements, long offset, long[] sizes, long[] strides) {
        return global("torch._utils", "_rebuild_tensor_v2").op('(').storage(storageClass, key, elements)
                .integer(offset).tuple(sizes).tuple(strides).op(0x89).global("collections", "OrderedDict").op(')', 'R')
                .op('t', 'R');
    }

    byte[] stop() {
        op('.');
        return out.toByteArray();
    }

    static byte[] little(int bytes, long v) {
        ByteBuffer b = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(v);
        return java.util.Arrays.copyOf(b.array(), bytes);
    }
}
