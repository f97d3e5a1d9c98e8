package dev.graft.pretrained.format;

import dev.graft.pretrained.format.PyValue.Fields;
import dev.graft.pretrained.format.PyValue.Global;
import dev.graft.pretrained.format.PyValue.NumpyArray;
import dev.graft.pretrained.format.PyValue.NumpyType;
import dev.graft.pretrained.format.PyValue.Tensor;
import dev.graft.pretrained.format.PyValue.TorchStorage;
import dev.graft.pretrained.format.PyValue.Tuple;
import dev.graft.tensor.GraftException;
import java.lang.foreign.MemorySegment;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The closed list of what a pickle may name, and how each is built from plain data here. Everything else is refused by
 * name. The list holds what {@code torch.save} of weights, optimizers and checkpoints produces, numpy arrays and scalars,
 * and Python's containers.
 */
final class PickleGlobals {
    private static final Map<String, Global> ALLOWED = new HashMap<>();

    static {
        types();
        torch();
        numpy();
        python();
    }

    private PickleGlobals() {
    }

    /** The global {@code module.name}; throws by name when it is not on the list. */
    static Global find(Refusal refusal, String module, String name) {
        String full = (module.equals("__builtin__") ? "builtins" : module.replaceFirst("^numpy\\._core", "numpy.core"))
                + "." + name;
        Global found = ALLOWED.get(full);
        if (found != null) {
            return found;
        }
        String shown = Refusal.quote(module + "." + name);
        if (module.startsWith("__torch__")) {
            throw refusal.refused("this is a TorchScript archive with code (it names " + shown + "), nothing was executed",
                    "save the weights alone: torch.save(model.state_dict(), path)");
        }
        throw refusal.refused("the pickle names " + shown + ", which is not on Graft's closed list of constructors, nothing"
                + " was executed", "save the weights alone: torch.save(model.state_dict(), path)");
    }

    private static void name(String name) {
        ALLOWED.put(name, new Global(name, null, 0, null));
    }

    private static void constructor(String name, Global.Constructor constructor) {
        ALLOWED.put(name, new Global(name, null, 0, constructor));
    }

    /** A storage class and the dtypes of the same elements. */
    private static void type(ElementType type, int width, String storage, String... dtypes) {
        if (storage != null) {
            ALLOWED.put("torch." + storage, new Global("torch." + storage, type, width, null));
            ALLOWED.put("torch.cuda." + storage, new Global("torch.cuda." + storage, type, width, null));
        }
        for (String d : dtypes) {
            ALLOWED.put("torch." + d, new Global("torch." + d, type, width, null));
        }
    }

    private static void types() {
        type(ElementType.F32, 4, "FloatStorage", "float32", "float");
        type(ElementType.F64, 8, "DoubleStorage", "float64", "double");
        type(ElementType.F16, 2, "HalfStorage", "float16", "half");
        type(ElementType.BF16, 2, "BFloat16Storage", "bfloat16");
        type(ElementType.I8, 1, "CharStorage", "int8");
        type(ElementType.I16, 2, "ShortStorage", "int16", "short");
        type(ElementType.I32, 4, "IntStorage", "int32", "int");
        type(ElementType.I64, 8, "LongStorage", "int64", "long");
        type(ElementType.U8, 1, "ByteStorage", "uint8");
        type(ElementType.BOOL, 1, "BoolStorage", "bool");
        type(ElementType.U16, 2, null, "uint16");
        type(ElementType.U32, 4, null, "uint32");
        type(ElementType.U64, 8, null, "uint64");
        type(ElementType.F8_E4M3, 1, null, "float8_e4m3fn");
        type(ElementType.F8_E5M2, 1, null, "float8_e5m2");
        // Known sizes, but no type in Graft: such tensors are listed as unreadable.
        type(null, 4, null, "complex32", "chalf");
        type(null, 8, "ComplexFloatStorage", "complex64", "cfloat");
        type(null, 16, "ComplexDoubleStorage", "complex128", "cdouble");
        type(null, 1, "QInt8Storage", "qint8");
        type(null, 1, "QUInt8Storage", "quint8");
        type(null, 4, "QInt32Storage", "qint32");
        Global untyped = new Global("torch.storage.UntypedStorage", null, 1, null);
        ALLOWED.put("torch.storage.UntypedStorage", untyped);
        ALLOWED.put("torch.UntypedStorage", untyped);
    }

    private static void torch() {
        constructor("torch._utils._rebuild_tensor", (r, a) -> tensor(r, a, 4, -1));
        constructor("torch._utils._rebuild_tensor_v2", (r, a) -> tensor(r, a, 6, -1));
        constructor("torch._utils._rebuild_tensor_v3", (r, a) -> tensor(r, a, 7, 6));
        constructor("torch._utils._rebuild_parameter", (r, a) -> first(r, a, "_rebuild_parameter", Tensor.class));
        constructor("torch._utils._rebuild_parameter_with_state",
                (r, a) -> first(r, a, "_rebuild_parameter_with_state", Tensor.class));
        // A tensor with Python attributes: (rebuild function, class, its arguments, attributes).
        constructor("torch._tensor._rebuild_from_type_v2", (r, a) -> {
            if (a.size() == 4 && a.get(0) instanceof Global g && g.constructor() != null && a.get(2) instanceof Tuple t
                    && !g.name().endsWith("_rebuild_from_type_v2")) {
                return g.constructor().build(r, t.items());
            }
            throw wrong(r, "torch._tensor._rebuild_from_type_v2");
        });
        name("torch.Tensor");
        name("torch.nn.parameter.Parameter");
        name("torch.nn.parameter.Buffer");
        constructor("torch.Size", (r, a) -> first(r, a, "torch.Size", Tuple.class));
        constructor("torch.device", (r, a) -> a.isEmpty() || !PyValue.isScalar(a.get(0)) ? "cpu"
                : a.size() > 1 && a.get(1) instanceof Long i ? PyValue.text(a.get(0)) + ":" + i : PyValue.text(a.get(0)));
        name("torch.strided");
        name("torch.contiguous_format");
        name("torch.preserve_format");
        name("torch.channels_last");
    }

    private static Tensor tensor(Refusal r, List<Object> a, int atLeast, int dtypeAt) {
        if (a.size() < atLeast || !(a.get(0) instanceof TorchStorage storage) || !(a.get(1) instanceof Long offset)
                || !(a.get(2) instanceof Tuple sizes) || !(a.get(3) instanceof Tuple strides)
                || dtypeAt >= 0 && !(a.get(dtypeAt) instanceof Global g && g.isElementType())) {
            throw wrong(r, "torch._utils._rebuild_tensor");
        }
        Global type = dtypeAt >= 0 ? (Global) a.get(dtypeAt) : storage.type();
        return new Tensor(storage, type, offset, longs(r, sizes), longs(r, strides));
    }

    private static void numpy() {
        constructor("numpy.dtype", (r, a) -> {
            if (!a.isEmpty() && a.get(0) instanceof String s) {
                return new NumpyType(s);
            }
            throw wrong(r, "numpy.dtype");
        });
        name("numpy.ndarray");
        constructor("numpy.core.multiarray._reconstruct", (r, a) -> new NumpyArray());
        constructor("numpy.core.multiarray.scalar", PickleGlobals::numpyScalar);
        // Protocol 5: (bytes, dtype, shape, order).
        constructor("numpy.core.numeric._frombuffer", (r, a) -> {
            if (a.size() == 4 && a.get(1) instanceof NumpyType type && a.get(2) instanceof Tuple shape) {
                NumpyArray array = new NumpyArray();
                array.type = type;
                array.dims = longs(r, shape);
                array.fortranOrder = "F".equals(a.get(3));
                array.data = raw(r, a.get(0));
                return array;
            }
            throw wrong(r, "numpy.core.numeric._frombuffer");
        });
    }

    private static Object numpyScalar(Refusal r, List<Object> a) {
        ElementType type = a.size() == 2 && a.get(0) instanceof NumpyType t && !t.bigEndian ? Npy.type(t.descr) : null;
        if (type == null) {
            return "<numpy scalar>";
        }
        byte[] bytes = raw(r, a.get(1));
        if (bytes.length != type.bytes()) {
            throw wrong(r, "numpy.core.multiarray.scalar");
        }
        try {
            MemorySegment data = MemorySegment.ofArray(type.widens() ? type.widen(MemorySegment.ofArray(bytes), 1) : bytes);
            WeightEntry one = new WeightEntry("", type.dtype(), dev.graft.tensor.Shape.SCALAR);
            if (type.dtype().isFloat()) {
                return Elements.doubles(data, one)[0];
            }
            long v = Elements.longs(data, one)[0];
            return type == ElementType.BOOL ? (Object) (v != 0) : (Object) v;
        } catch (ArithmeticException e) {
            return new BigInteger(Long.toUnsignedString(MemorySegment.ofArray(bytes).get(ElementType.LONG, 0)));
        }
    }

    private static void python() {
        constructor("collections.OrderedDict", (r, a) -> dict(r, a, 0, "collections.OrderedDict"));
        constructor("collections.defaultdict", (r, a) -> dict(r, a, 1, "collections.defaultdict"));
        constructor("collections.Counter", (r, a) -> dict(r, a, 0, "collections.Counter"));
        constructor("builtins.dict", (r, a) -> dict(r, a, 0, "dict"));
        constructor("builtins.list", (r, a) -> new ArrayList<>(items(r, a, "list")));
        constructor("builtins.tuple", (r, a) -> new Tuple(new ArrayList<>(items(r, a, "tuple"))));
        constructor("builtins.set", (r, a) -> set(r, items(r, a, "set")));
        constructor("builtins.frozenset", (r, a) -> set(r, items(r, a, "frozenset")));
        for (String scalar : List.of("int", "float", "str", "bool")) {
            constructor("builtins." + scalar, (r, a) -> {
                if (a.size() == 1 && PyValue.isScalar(a.get(0))) {
                    return a.get(0);
                }
                throw wrong(r, scalar);
            });
        }
        constructor("builtins.bytearray", (r, a) -> a.isEmpty() ? new byte[0] : raw(r, a.get(0)));
        constructor("builtins.bytes", (r, a) -> a.isEmpty() ? new byte[0] : raw(r, a.get(0)));
        // Python 3 writes bytes into protocol 2 as _codecs.encode('text', 'latin1').
        constructor("_codecs.encode", (r, a) -> {
            if (a.size() == 2 && a.get(0) instanceof String s && ("latin1".equals(a.get(1)) || "latin-1".equals(a.get(1)))) {
                return s.getBytes(StandardCharsets.ISO_8859_1);
            }
            throw wrong(r, "_codecs.encode");
        });
        constructor("argparse.Namespace", (r, a) -> new Fields("argparse.Namespace"));
        constructor("types.SimpleNamespace", (r, a) -> new Fields("types.SimpleNamespace"));
        for (String path : List.of("PosixPath", "PurePosixPath", "WindowsPath", "PureWindowsPath", "Path")) {
            constructor("pathlib." + path, (r, a) -> {
                List<String> parts = new ArrayList<>();
                a.stream().filter(PyValue::isScalar).forEach(p -> parts.add(PyValue.text(p)));
                return String.join("/", parts).replace("//", "/");
            });
        }
    }

    private static Map<Object, Object> dict(Refusal r, List<Object> a, int at, String name) {
        Map<Object, Object> map = new LinkedHashMap<>();
        if (a.size() <= at) {
            return map;
        }
        if (a.get(at) instanceof Map<?, ?> source) {
            map.putAll(source);
            return map;
        }
        // Older pickles give the entries as a list of [key, value].
        if (a.get(at) instanceof Collection<?> pairs) {
            for (Object p : pairs) {
                List<?> pair = p instanceof Tuple t ? t.items() : p instanceof List<?> l ? l : List.of();
                if (pair.size() != 2) {
                    throw wrong(r, name);
                }
                map.put(key(r, pair.get(0)), pair.get(1));
            }
            return map;
        }
        throw wrong(r, name);
    }

    private static Set<Object> set(Refusal r, List<Object> items) {
        Set<Object> set = new LinkedHashSet<>();
        items.forEach(i -> set.add(key(r, i)));
        return set;
    }

    private static List<Object> items(Refusal r, List<Object> a, String name) {
        if (a.isEmpty()) {
            return List.of();
        }
        return switch (a.get(0)) {
            case Tuple t -> t.items();
            case Collection<?> c -> new ArrayList<>(c);
            case null, default -> throw wrong(r, name);
        };
    }

    /**
     * {@code value} as a dict key or set element: scalars as they are, flat tuples as their text. Containers are no keys,
     * as in Python, which also keeps hashing from following shared or endless structures.
     */
    static Object key(Refusal r, Object value) {
        if (PyValue.isScalar(value)) {
            return value;
        }
        if (value instanceof Global || value instanceof byte[]) {
            return PyValue.text(value);
        }
        if (value instanceof Tuple t && t.items().size() <= 16 && t.items().stream().allMatch(PyValue::isScalar)) {
            StringBuilder s = new StringBuilder("(");
            for (Object item : t.items()) {
                s.append(s.length() > 1 ? ", " : "").append(PyValue.text(item));
                if (s.length() > PickleTree.MAX_PATH) {
                    throw r.damaged("the pickle has a tuple of more than " + PickleTree.MAX_PATH + " characters as a key");
                }
            }
            return s.append(")").toString();
        }
        throw r.refused("the pickle has a " + kind(value) + " as a key of a dict or in a set",
                "save a dict with strings as keys");
    }

    /** Python's word for the class of {@code value}. */
    static String kind(Object value) {
        return switch (value) {
            case null -> "None";
            case Tuple t -> "tuple";
            case Tensor t -> "tensor";
            case TorchStorage s -> "storage";
            case Global g -> "class " + g.name();
            case Fields f -> f.type();
            case NumpyType t -> "numpy.dtype";
            case NumpyArray t -> "numpy.ndarray";
            case Map<?, ?> m -> "dict";
            case Set<?> s -> "set";
            case List<?> l -> "list";
            case String s -> "str";
            case byte[] b -> "bytes";
            case Boolean b -> "bool";
            case Double d -> "float";
            default -> "int";
        };
    }

    static long[] longs(Refusal r, Tuple tuple) {
        long[] n = new long[tuple.items().size()];
        for (int i = 0; i < n.length; i++) {
            if (!(tuple.items().get(i) instanceof Long v)) {
                throw r.damaged("the pickle has a " + kind(tuple.items().get(i)) + " where a size or stride should be");
            }
            n[i] = v;
        }
        return n;
    }

    /** Bytes, which Python 2 wrote as str. */
    static byte[] raw(Refusal r, Object value) {
        return switch (value) {
            case byte[] b -> b;
            case String s -> s.getBytes(StandardCharsets.ISO_8859_1);
            case null, default -> throw r.damaged("the pickle has a " + kind(value) + " where bytes should be");
        };
    }

    private static <T> T first(Refusal r, List<Object> a, String name, Class<T> type) {
        if (!a.isEmpty() && type.isInstance(a.get(0))) {
            return type.cast(a.get(0));
        }
        throw wrong(r, name);
    }

    private static GraftException wrong(Refusal r, String name) {
        return r.damaged("the pickle calls " + name + " with arguments that it does not take");
    }
}
