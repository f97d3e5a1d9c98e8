package dev.graft.pretrained.format;

import java.math.BigDecimal;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Python values without a Java twin. The others: None is null, int {@code Long} or {@code BigInteger}, float
 * {@code Double}, bool {@code Boolean}, str {@code String}, bytes {@code byte[]}, list {@code ArrayList}, dict
 * {@code LinkedHashMap}, set {@code LinkedHashSet}.
 */
sealed interface PyValue {
    record Tuple(List<Object> items) implements PyValue {
    }

    /** Something a pickle names: a class, function or constant from the closed list in {@link PickleGlobals}. */
    record Global(String name, ElementType type, int width, Constructor constructor) implements PyValue {
        /** Builds the object for a call with {@code args}; never runs code from the file. */
        interface Constructor {
            Object build(Refusal refusal, List<Object> args);
        }

        /** Whether this is a torch storage class or dtype, so that {@link #width} is known. */
        boolean isElementType() {
            return width > 0;
        }
    }

    /**
     * A torch storage, or a part of one.
     *
     * @param key   names the bytes inside the file
     * @param type  storage class; its {@code type} is null when Graft has no such type
     * @param start first byte of the part
     * @param bytes length of the part
     * @param whole length of all the bytes under {@code key}
     */
    record TorchStorage(String key, Global type, long start, long bytes, long whole) implements PyValue {
    }

    /** A view of a storage; offset, sizes and strides in elements of {@code type}. */
    record Tensor(TorchStorage storage, Global type, long offset, long[] sizes, long[] strides) implements PyValue {
    }

    /** An object that is only fields, such as argparse.Namespace. */
    record Fields(String type, Map<Object, Object> values) implements PyValue {
        Fields(String type) {
            this(type, new LinkedHashMap<>());
        }
    }

    /** numpy.dtype; BUILD sets the byte order. */
    final class NumpyType implements PyValue {
        final String descr;
        boolean bigEndian;

        NumpyType(String descr) {
            this.descr = descr;
            this.bigEndian = descr.startsWith(">");
        }
    }

    /** numpy.ndarray; BUILD fills it. */
    final class NumpyArray implements PyValue {
        NumpyType type;
        long[] dims = {0};
        boolean fortranOrder;
        byte[] data = {};
    }

    /** Whether {@code value} is a leaf for metadata: neither a tensor nor a container. */
    static boolean isScalar(Object value) {
        return value == null || value instanceof Boolean || value instanceof Number || value instanceof String;
    }

    /** A leaf in Python's spelling; strings without quotes. */
    static String text(Object leaf) {
        return switch (leaf) {
            case null -> "None";
            case Boolean b -> b ? "True" : "False";
            case Double d when d.isNaN() -> "nan";
            case Double d when d.isInfinite() -> d > 0 ? "inf" : "-inf";
            case Double d when d == 0 || Math.abs(d) >= 1e-4 && Math.abs(d) < 1e16 ->
                    new BigDecimal(Double.toString(d)).toPlainString();
            case Double d -> Double.toString(d).replace(".0E", "e").replace('E', 'e');
            case byte[] b -> "<" + b.length + " bytes>";
            case Global g -> g.name;
            case NumpyType t -> "dtype('" + t.descr + "')";
            default -> leaf.toString();
        };
    }
}
