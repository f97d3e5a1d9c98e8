package dev.graft.pretrained.format;

import dev.graft.tensor.DType;
import dev.graft.tensor.Shape;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * A tensor as it lies in a file: a view of a storage with an offset and strides, both in elements. Bounds are checked in
 * {@link #of}, so {@link #read} cannot leave the storage.
 */
final class StoredTensor {
    /** A view that is larger than this and also than {@link #MAX_EXPANSION} times its bytes in the file is refused. */
    static final long FREE_EXPANSION = 256L << 20;
    static final long MAX_EXPANSION = 100;
    private static final long MOST_IN_RUN = 1 << 16;
    /** Elements that may be copied for each one that is wanted: a file may claim any strides. */
    private static final long MOST_GAPS = 4;

    private final Refusal refusal;
    private final String name;
    private final ElementType type;
    private final boolean bigEndian;
    private final Storage storage;
    private final long offset;
    private final Shape shape;
    private final long[] strides;
    private final long extent;

    private StoredTensor(Refusal refusal, String name, ElementType type, boolean bigEndian, Storage storage, long offset,
                         Shape shape, long[] strides, long extent) {
        this.refusal = refusal;
        this.name = name;
        this.type = type;
        this.bigEndian = bigEndian;
        this.storage = storage;
        this.offset = offset;
        this.shape = shape;
        this.strides = strides;
        this.extent = extent;
    }

    /** Row-major elements that fill {@code storage} from its start. */
    static StoredTensor of(Refusal refusal, String name, ElementType type, Storage storage, Shape shape) {
        return of(refusal, name, type, false, storage, 0, shape, shape.strides());
    }

    /** A view, after checking that all its elements lie inside {@code storage}. */
    static StoredTensor of(Refusal refusal, String name, ElementType type, boolean bigEndian, Storage storage, long offset,
                           Shape shape, long[] strides) {
        if (strides.length != shape.rank()) {
            throw refusal.damaged("tensor " + Refusal.quote(name) + " has shape " + shape + " but " + strides.length
                    + " strides");
        }
        long extent = shape.size() == 0 ? 0 : 1;
        try {
            for (int i = 0; i < strides.length && extent > 0; i++) {
                if (strides[i] < 0 && shape.dim(i) > 1) {
                    throw refusal.damaged("tensor " + Refusal.quote(name) + " has negative strides "
                            + Arrays.toString(strides));
                }
                if (shape.dim(i) > 1) {
                    extent = Math.addExact(extent, Math.multiplyExact(shape.dim(i) - 1L, strides[i]));
                }
            }
            long end = Math.multiplyExact(Math.addExact(offset, extent), (long) type.bytes());
            if (offset < 0 || extent > 0 && end > storage.bytes()) {
                throw refusal.damaged("tensor " + Refusal.quote(name) + " with shape " + shape + " needs elements " + offset
                        + " to " + (offset + extent) + " of " + type.bytes() + " bytes but its storage has "
                        + storage.bytes() + " bytes");
            }
        } catch (ArithmeticException e) {
            throw refusal.damaged("tensor " + Refusal.quote(name) + " has offset " + offset + ", shape " + shape
                    + " and strides " + Arrays.toString(strides) + ", which reach beyond 2^63", e);
        }
        long size = shape.size() * type.dtype().bytes();
        if (size > FREE_EXPANSION && size / MAX_EXPANSION > extent * type.bytes()) {
            throw refusal.refused("tensor " + Refusal.quote(name) + " expands " + extent * type.bytes()
                            + " stored bytes to " + size, "save it without broadcast axes (tensor.clone())");
        }
        return new StoredTensor(refusal, name, type, bigEndian, storage, offset, shape, strides.clone(), extent);
    }

    DType dtype() {
        return type.dtype();
    }

    Shape shape() {
        return shape;
    }

    /** All elements as {@link #dtype}, row-major, little-endian, read-only. */
    MemorySegment read() throws IOException {
        if (shape.size() == 0) {
            return MemorySegment.ofArray(new byte[0]).asReadOnly();
        }
        int width = type.bytes();
        MemorySegment data = storage.range(offset * width, extent * width);
        if (!contiguous()) {
            data = width == Integer.BYTES && fitsArrays() ? MemorySegment.ofArray(ints(data))
                    : MemorySegment.ofArray(gather(data, new byte[arrayBytes(width)]));
        }
        if (bigEndian && width > 1) {
            data = MemorySegment.ofArray(swap(data, new byte[arrayBytes(width)]));
        }
        if (type.widens()) {
            arrayBytes(type.dtype().bytes());
            try {
                data = MemorySegment.ofArray(type.widen(data, (int) shape.size()));
            } catch (ArithmeticException e) {
                throw refusal.refused("tensor " + Refusal.quote(name) + ": " + e.getMessage(), "save it as int64");
            }
        }
        return data.asReadOnly();
    }

    private int arrayBytes(int width) {
        long bytes = shape.size() * width;
        if (bytes > FileBytes.MAX_ARRAY) {
            throw refusal.refused("tensor " + Refusal.quote(name) + " with shape " + shape + " needs " + bytes
                            + " bytes, too many for one Java array", "split it, or save it contiguous as safetensors");
        }
        return (int) bytes;
    }

    private boolean contiguous() {
        long expected = 1;
        for (int i = strides.length - 1; i >= 0; i--) {
            if (shape.dim(i) > 1 && strides[i] != expected) {
                return false;
            }
            expected *= shape.dim(i);
        }
        return true;
    }

    /** This tensor with its axes in another order: axis i of the result is axis {@code axes[i]} of this one. */
    StoredTensor permute(int... axes) {
        int[] dims = new int[axes.length];
        long[] permuted = new long[axes.length];
        for (int i = 0; i < axes.length; i++) {
            dims[i] = shape.dim(axes[i]);
            permuted[i] = strides[axes[i]];
        }
        return new StoredTensor(refusal, name, type, bigEndian, storage, offset, Shape.of(dims), permuted, extent);
    }

    /** Whether {@link #floats} gives what {@link #read} does. */
    boolean holdsFloats() {
        return type == ElementType.F32 && !bigEndian && (contiguous() || fitsArrays());
    }

    /** All elements of a tensor that {@link #holdsFloats}, row-major: the one copy of them that is made. */
    float[] floats() throws IOException {
        arrayBytes(Float.BYTES);
        if (shape.size() == 0) {
            return new float[0];
        }
        MemorySegment data = storage.range(offset * Float.BYTES, extent * Float.BYTES);
        float[] all = new float[(int) shape.size()];
        if (!contiguous()) {
            gather(data, Elements.FLOAT, new float[copied()], all);
            return all;
        }
        MemorySegment.copy(data, Elements.FLOAT, 0, all, 0, all.length);
        return all;
    }

    /** Whether what belongs to one index of the first axis lies together, apart from others, and is not large. */
    private boolean inRuns() {
        return shape.rank() > 1 && strides[0] >= run() && run() <= MOST_IN_RUN;
    }

    /** Whether a 4-byte tensor is gathered from arrays: run by run, or from one copy of all that it spans. */
    private boolean fitsArrays() {
        return inRuns() || extent <= MOST_IN_RUN
                || extent / MOST_GAPS <= shape.size() && extent <= FileBytes.MAX_ARRAY / Integer.BYTES;
    }

    /** Elements of the array that a tensor which {@link #fitsArrays} is gathered from. */
    private int copied() {
        return (int) (inRuns() ? run() : extent);
    }

    private long run() {
        long run = 1;
        for (int i = 1; i < strides.length; i++) {
            run += (shape.dim(i) - 1) * strides[i];
        }
        return run;
    }

    /**
     * The elements of a 4-byte tensor that {@link #fitsArrays}, such as a convolution's weights in another order, through
     * the array {@code run} to the array {@code to}. What is put into order is copied to an array before: arrays are fast
     * from the first call on, and the values of a short run that are read with gaps are in the cache.
     */
    private void gather(MemorySegment from, ValueLayout layout, Object run, Object to) {
        boolean whole = !inRuns();
        int length = copied();
        int size = (int) shape.size();
        int rank = shape.rank();
        int inner = shape.dim(rank - 1);
        int step = (int) strides[rank - 1];
        int[] index = new int[rank];
        long start = 0;
        long copied = -1;
        for (int at = 0; at < size; at += inner) {
            long first = whole ? 0 : index[0] * strides[0];
            if (first != copied) {
                MemorySegment.copy(from, layout, first * Integer.BYTES, run, 0, length);
                copied = first;
            }
            int begin = (int) (start - first);
            if (run instanceof float[] floats) {
                gatherRow(floats, begin, inner > 1 ? step : 0, (float[]) to, at, inner);
            } else {
                gatherRow((int[]) run, begin, inner > 1 ? step : 0, (int[]) to, at, inner);
            }
            start = next(index, start);
        }
    }

    private int[] ints(MemorySegment from) {
        arrayBytes(Integer.BYTES);
        int[] all = new int[(int) shape.size()];
        gather(from, ElementType.INT, new int[copied()], all);
        return all;
    }

    private static void gatherRow(int[] from, int start, int step, int[] to, int at, int count) {
        for (int i = 0; i < count; i++) {
            to[at + i] = from[start + i * step];
        }
    }

    private static void gatherRow(float[] from, int start, int step, float[] to, int at, int count) {
        for (int i = 0; i < count; i++) {
            to[at + i] = from[start + i * step];
        }
    }

    /** Where the row after the one at {@code index} starts, which began at {@code start}. */
    private long next(int[] index, long start) {
        for (int axis = shape.rank() - 2; axis >= 0; axis--) {
            start += strides[axis];
            if (++index[axis] < shape.dim(axis)) {
                break;
            }
            start -= strides[axis] * shape.dim(axis);
            index[axis] = 0;
        }
        return start;
    }

    /** Copies the view's elements into row-major order; the last axis is the inner loop. */
    private byte[] gather(MemorySegment from, byte[] bytes) {
        MemorySegment to = MemorySegment.ofArray(bytes);
        int width = type.bytes();
        int rank = shape.rank();
        int inner = shape.dim(rank - 1);
        long step = strides[rank - 1] * width;
        int[] index = new int[rank];
        long start = 0;
        for (long at = 0; at < bytes.length; at += (long) inner * width) {
            gatherRow(from, start * width, step, to, at, inner);
            start = next(index, start);
        }
        return bytes;
    }

    private void gatherRow(MemorySegment from, long start, long step, MemorySegment to, long at, int count) {
        switch (type.bytes()) {
            case 1 -> {
                for (int i = 0; i < count; i++) {
                    to.set(ValueLayout.JAVA_BYTE, at + i, from.get(ValueLayout.JAVA_BYTE, start + i * step));
                }
            }
            case 2 -> {
                for (int i = 0; i < count; i++) {
                    to.set(ElementType.SHORT, at + 2L * i, from.get(ElementType.SHORT, start + i * step));
                }
            }
            case 4 -> {
                for (int i = 0; i < count; i++) {
                    to.set(ElementType.INT, at + 4L * i, from.get(ElementType.INT, start + i * step));
                }
            }
            default -> {
                for (int i = 0; i < count; i++) {
                    to.set(ElementType.LONG, at + 8L * i, from.get(ElementType.LONG, start + i * step));
                }
            }
        }
    }

    private byte[] swap(MemorySegment from, byte[] to) {
        int width = type.bytes();
        for (int at = 0; at < to.length; at += width) {
            for (int b = 0; b < width; b++) {
                to[at + b] = from.get(ValueLayout.JAVA_BYTE, at + width - 1 - b);
            }
        }
        return to;
    }
}
