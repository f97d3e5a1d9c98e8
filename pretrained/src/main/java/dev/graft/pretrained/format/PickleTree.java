package dev.graft.pretrained.format;

import dev.graft.pretrained.format.PyValue.Fields;
import dev.graft.pretrained.format.PyValue.Global;
import dev.graft.pretrained.format.PyValue.NumpyArray;
import dev.graft.pretrained.format.PyValue.NumpyType;
import dev.graft.pretrained.format.PyValue.Tensor;
import dev.graft.pretrained.format.PyValue.TorchStorage;
import dev.graft.pretrained.format.PyValue.Tuple;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Flattens what a pickle holds into dotted paths: tensors and numpy arrays become tensors, all other leaves metadata.
 * Shared structures appear under each of their paths, within a budget, because a few hundred bytes can share their way to
 * 10^18 leaves.
 */
final class PickleTree {
    /** Longest path, in characters. */
    static final int MAX_PATH = 2048;
    private static final int MAX_DEPTH = 100;
    private static final int MAX_TEXT = 1000;
    /** Characters of all paths and leaves together. */
    private static final long BUDGET = 64L << 20;

    /** Gives the bytes that a storage names. */
    interface Storages {
        Storage of(TorchStorage storage);
    }

    private final Refusal refusal;
    private final Contents contents;
    private final Storages storages;
    private final boolean bigEndian;
    private long budget = BUDGET;

    PickleTree(Refusal refusal, Contents contents, Storages storages, boolean bigEndian) {
        this.refusal = refusal;
        this.contents = contents;
        this.storages = storages;
        this.bigEndian = bigEndian;
    }

    void flatten(Object root) {
        walk("", root, 0);
    }

    private void walk(String path, Object value, int depth) {
        spend(path.length() + 16);
        if (depth > MAX_DEPTH) {
            throw refusal.refused("the pickle is nested deeper than " + MAX_DEPTH + " levels or contains itself",
                    "save a flat state_dict");
        }
        switch (value) {
            case Tensor t -> add(path, t);
            case NumpyArray a -> add(path, a);
            case TorchStorage s -> metadata(path, s.type().name() + " of " + s.bytes() + " bytes");
            case Map<?, ?> m -> m.forEach((k, v) -> walk(join(path, PyValue.text(k)), v, depth + 1));
            case Fields f -> f.values().forEach((k, v) -> walk(join(path, PyValue.text(k)), v, depth + 1));
            case Tuple t -> sequence(path, t.items(), "()", depth);
            case List<?> l -> sequence(path, l, "[]", depth);
            case Set<?> s -> sequence(path, s, "{}", depth);
            case null -> metadata(path, PyValue.text(null));
            case String s -> metadata(path, s);
            case Global g -> metadata(path, PyValue.text(g));
            case NumpyType t -> metadata(path, PyValue.text(t));
            default -> metadata(path, PyValue.text(value));
        }
    }

    /** A sequence of plain values is one leaf, such as betas -> (0.9, 0.999); otherwise its items are numbered. */
    private void sequence(String path, Collection<?> items, String brackets, int depth) {
        if (items.stream().allMatch(PyValue::isScalar)) {
            spend(items.size());
            StringBuilder s = new StringBuilder().append(brackets.charAt(0));
            for (Object item : items) {
                String text = PyValue.text(item);
                if (s.length() + text.length() > MAX_TEXT) {
                    s.append(", ... ").append(items.size()).append(" in all");
                    break;
                }
                s.append(s.length() > 1 ? ", " : "").append(text);
            }
            metadata(path, s.append(brackets.charAt(1)).toString());
            return;
        }
        int i = 0;
        for (Object item : items) {
            walk(join(path, Integer.toString(i++)), item, depth + 1);
        }
    }

    private String join(String path, String key) {
        String joined = path.isEmpty() ? key : path + "." + key;
        if (joined.length() > MAX_PATH) {
            throw refusal.refused("the pickle has a path of more than " + MAX_PATH + " characters",
                    "save a flat state_dict");
        }
        return joined;
    }

    private void spend(long characters) {
        budget -= characters;
        if (budget < 0) {
            throw refusal.refused("the pickle unfolds to more than " + BUDGET + " characters of names and values",
                    "save only the weights");
        }
    }

    private void metadata(String path, String text) {
        spend(text.length());
        contents.metadata.put(path, text);
    }

    private void add(String name, Tensor t) {
        ElementType type = t.type().type();
        if (type == null) {
            contents.addUnreadable(name, "Graft has no type for " + t.type().name());
            return;
        }
        var shape = refusal.shape(name, t.sizes());
        TorchStorage s = t.storage();
        Storage bytes = shape.size() == 0 ? new Storage.InMemory(new byte[0])
                : new Slice(storages.of(s), s.start(), s.bytes());
        contents.add(name, StoredTensor.of(refusal, name, type, bigEndian, bytes, t.offset(), shape, t.strides()));
    }

    private void add(String name, NumpyArray a) {
        ElementType type = a.type == null ? null : Npy.type(a.type.descr);
        if (type == null) {
            contents.addUnreadable(name, "numpy type " + (a.type == null ? "unknown" : Refusal.quote(a.type.descr))
                    + " is none that Graft reads");
            return;
        }
        Npy.Header header = new Npy.Header(a.type.descr, type, a.type.bigEndian, a.fortranOrder, a.dims, 0);
        contents.add(name, Npy.tensor(refusal, name, header, new Storage.InMemory(a.data)));
    }

    /** A part of a storage, which the caller has found to be inside. */
    private record Slice(Storage whole, long start, long bytes) implements Storage {
        @Override
        public java.lang.foreign.MemorySegment range(long from, long length) throws java.io.IOException {
            return whole.range(start + from, length);
        }
    }

    /**
     * The storage of a persistent id {@code ('storage', class, key, location, elements[, (view key, offset, elements)])}.
     */
    static TorchStorage storage(Refusal refusal, Object id) {
        List<Object> a = id instanceof Tuple t ? t.items() : List.of();
        if (a.size() == 4 && "module".equals(a.get(0))) {
            throw refusal.refused("this file is a whole pickled model with its source code, nothing was executed",
                    "save the weights alone: torch.save(model.state_dict(), path)");
        }
        if (a.size() < 5 || !"storage".equals(a.get(0)) || !(a.get(1) instanceof Global type) || !type.isElementType()
                || !(a.get(2) instanceof String || a.get(2) instanceof Long) || !(a.get(4) instanceof Long elements)) {
            throw refusal.damaged("the pickle refers to something outside of it that is not a storage");
        }
        String key = PyValue.text(a.get(2));
        long whole = bytes(refusal, key, elements, type.width());
        if (a.size() > 5 && a.get(5) instanceof Tuple view) {
            List<Object> v = new ArrayList<>(view.items());
            if (v.size() != 3 || !(v.get(1) instanceof Long offset) || !(v.get(2) instanceof Long count)) {
                throw refusal.damaged("the view of storage " + Refusal.quote(key) + " lacks its offset and size");
            }
            long start = bytes(refusal, key, offset, type.width());
            long length = bytes(refusal, key, count, type.width());
            if (start > whole || length > whole - start) {
                throw refusal.damaged("the view of storage " + Refusal.quote(key) + " at byte " + start + " of " + length
                        + " bytes leaves its " + whole + " bytes");
            }
            return new TorchStorage(key, type, start, length, whole);
        }
        return new TorchStorage(key, type, 0, whole, whole);
    }

    private static long bytes(Refusal refusal, String key, long elements, int width) {
        if (elements < 0 || elements > Long.MAX_VALUE / width) {
            throw refusal.damaged("storage " + Refusal.quote(key) + " claims " + elements + " elements");
        }
        return elements * width;
    }
}
