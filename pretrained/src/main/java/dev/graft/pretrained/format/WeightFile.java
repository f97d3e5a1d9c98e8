package dev.graft.pretrained.format;

import dev.graft.tensor.DType;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/**
 * An open weight file: safetensors, PyTorch (zip or legacy), npy or npz, told apart by content. Opening lists the tensors
 * and checks every length against the file; data is read tensor by tensor. Nothing in a file is ever executed. Safe to
 * read from several threads.
 *
 * <pre>{@code
 * try (WeightFile weights = WeightFile.open(Path.of("resnet50.pth"))) {
 *     for (WeightEntry e : weights.entries()) {
 *         float[] values = weights.floats(e.name());
 *     }
 * }
 * }</pre>
 *
 * <p>Every failure is a {@link GraftException} naming the file. A checksum that a file carries is verified when its data is
 * first read: the CRC of zip entries, and the CRC-32, or else the SHA-256, that {@link SafetensorsWriter} leaves in the
 * header.
 */
public final class WeightFile implements AutoCloseable {
    private final Path path;
    private final String format;
    private final Refusal refusal;
    private final Contents contents;
    private final Resources resources;
    private final List<WeightEntry> entries;
    private volatile boolean closed;

    private WeightFile(Path path, String format, Contents contents, Resources resources) {
        this.path = path;
        this.format = format;
        this.refusal = new Refusal(path);
        this.contents = contents;
        this.resources = resources;
        List<WeightEntry> list = new ArrayList<>(contents.tensors.size());
        contents.tensors.forEach((name, t) -> list.add(new WeightEntry(name, t.dtype(), t.shape())));
        this.entries = Collections.unmodifiableList(list);
    }

    /** Opens {@code path} and lists its tensors. */
    public static WeightFile open(Path path) {
        Resources resources = new Resources();
        try {
            WeightFile opened = open(path, resources);
            resources = null;
            return opened;
        } catch (NoSuchFileException e) {
            throw new GraftException(path + ": there is no such file; check the path or fetch the weights first", e);
        } catch (IOException e) {
            throw new Refusal(path).damaged("cannot be read: " + e.getMessage(), e);
        } catch (OutOfMemoryError e) {
            throw new Refusal(path).refused("its list of tensors does not fit the heap", "raise -Xmx");
        } finally {
            closeQuietly(resources);
        }
    }

    private static WeightFile open(Path path, Resources resources) throws IOException {
        if (Files.isDirectory(path)) {
            throw new GraftException(path + ": this is a folder; name the weight file inside it");
        }
        FileHead head = FileHead.of(path);
        for (WeightFormat format : WeightFormat.ALL) {
            if (format.recognises(head)) {
                return new WeightFile(path, format.name(), format.open(path, resources), resources);
            }
        }
        throw new GraftException(path + ": " + head.describe());
    }

    private static void closeQuietly(Resources resources) {
        try {
            if (resources != null) {
                resources.close();
            }
        } catch (IOException e) {
            // The exception that is already on its way says more.
        }
    }

    public Path path() {
        return path;
    }

    /** The format's name, such as {@code safetensors}. */
    public String format() {
        return format;
    }

    /** All readable tensors in the file's order. */
    public List<WeightEntry> entries() {
        return entries;
    }

    public boolean contains(String name) {
        return contents.tensors.containsKey(name);
    }

    /** The entry named {@code name}; throws with the nearest names when there is none. */
    public WeightEntry entry(String name) {
        StoredTensor t = stored(name);
        return new WeightEntry(name, t.dtype(), t.shape());
    }

    /** Tensors whose type Graft has no room for (complex numbers, strings, objects): name to reason. */
    public Map<String, String> unreadable() {
        return Collections.unmodifiableMap(contents.unreadable);
    }

    /**
     * What the file says beside tensors: safetensors' {@code __metadata__}; for PyTorch every leaf that is no tensor under
     * its dotted path, in Python's spelling ({@code epoch -> 5}, {@code betas -> (0.9, 0.999)}).
     */
    public Map<String, String> metadata() {
        return Collections.unmodifiableMap(contents.metadata);
    }

    /**
     * The tensor's elements, row-major, little-endian, {@code entry(name).bytes()} long, read-only. Views, strides and
     * byte order are resolved. A mapped file gives a view of the mapping that ends with {@link #close}; do not let another
     * program shorten a mapped file meanwhile, the conversions below notice it but direct access to the segment throws
     * {@link InternalError}.
     */
    public MemorySegment read(String name) {
        StoredTensor tensor = stored(name);
        return guarded(name, tensor.shape(), tensor::read);
    }

    /** A tensor on the CPU with the stored dtype and shape, in the scope that is open. */
    public Tensor tensor(String name) {
        WeightEntry e = entry(name);
        return tensor(name, Transform.NONE, e.shape(), e.dtype());
    }

    /** As {@link #tensor(String)}, in the order that {@code transform} gives, as {@code shape} and {@code dtype}. */
    Tensor tensor(String name, Transform transform, Shape shape, DType dtype) {
        StoredTensor stored = transform.apply(stored(name));
        return Tensor.from(dtype, dtype == DType.F32 ? floats(name, stored)
                : convert(name, stored, (t, e) -> Elements.carrier(t.read(), e, dtype)), shape);
    }

    /** The elements as float32, from any dtype; float64 is rounded to nearest, bool gives 0 and 1. */
    public float[] floats(String name) {
        return floats(name, stored(name));
    }

    private float[] floats(String name, StoredTensor stored) {
        return convert(name, stored, (t, e) -> t.holdsFloats() ? t.floats() : Elements.floats(t.read(), e));
    }

    /** The elements as float64, from any dtype; exact except for int64 beyond 2^53. */
    public double[] doubles(String name) {
        return convert(name, stored(name), (t, e) -> Elements.doubles(t.read(), e));
    }

    /** The elements of an integer or bool tensor. */
    public long[] longs(String name) {
        WeightEntry e = entry(name);
        if (e.dtype().isFloat()) {
            throw refusal.refused("tensor " + Refusal.quote(name) + " is " + e.dtype() + ", not integers",
                    "read it with floats() or doubles()");
        }
        return convert(name, stored(name), (t, entry) -> Elements.longs(t.read(), entry));
    }

    private interface Conversion<T> {
        T apply(StoredTensor tensor, WeightEntry entry) throws IOException;
    }

    private <T> T convert(String name, StoredTensor stored, Conversion<T> conversion) {
        WeightEntry e = new WeightEntry(name, stored.dtype(), stored.shape());
        if (e.shape().size() > FileBytes.MAX_ARRAY) {
            throw refusal.refused("tensor " + Refusal.quote(name) + " of shape " + e.shape()
                    + " has too many elements for one Java array", "read its bytes with read() and take slices");
        }
        return guarded(name, e.shape(), () -> conversion.apply(stored, e));
    }

    private interface Reading<T> {
        T get() throws IOException;
    }

    private <T> T guarded(String name, Shape shape, Reading<T> reading) {
        try {
            return reading.get();
        } catch (IOException e) {
            throw refusal.damaged("tensor " + Refusal.quote(name) + " cannot be read: " + e.getMessage(), e);
        } catch (ArithmeticException error) {
            throw refusal.refused("tensor " + Refusal.quote(name) + ": " + error.getMessage(), "read it as its own type");
        } catch (OutOfMemoryError error) {
            throw tooLarge(name, shape);
        } catch (InternalError error) {
            throw faulted(name, error);
        }
    }

    private GraftException tooLarge(String name, Shape shape) {
        return refusal.refused("tensor " + Refusal.quote(name) + " of shape " + shape + " does not fit the heap",
                "raise -Xmx");
    }

    /** The JVM reports a page of a mapping that is gone from the file as InternalError. */
    private GraftException faulted(String name, InternalError e) {
        GraftException g = refusal.refused("tensor " + Refusal.quote(name)
                        + " disappeared: the file was shortened while it was open or its disk failed",
                "do not rewrite weight files in place, replace them");
        g.initCause(e);
        return g;
    }

    private StoredTensor stored(String name) {
        if (closed) {
            throw new GraftException(path + ": the weight file is closed; read inside its try block");
        }
        StoredTensor t = contents.tensors.get(name);
        if (t == null) {
            String reason = contents.unreadable.get(name);
            if (reason != null) {
                throw refusal.refused("tensor " + Refusal.quote(name) + " cannot be read: " + reason,
                        "save it with a type Graft reads");
            }
            List<String> near = NearestNames.of(name, contents.tensors.keySet(), 3);
            throw refusal.refused("there is no tensor " + Refusal.quote(name), near.isEmpty()
                    ? "entries() lists the " + entries.size() + " names" : "the nearest names are " + near);
        }
        return t;
    }

    /** Closes the file; segments from {@link #read} of a mapped file must not be used any more. */
    @Override
    public void close() {
        closed = true;
        try {
            resources.close();
        } catch (IOException e) {
            throw new GraftException(path + ": closing failed: " + e.getMessage(), e);
        }
    }

    /** Format, number of tensors and bytes, for logs. */
    @Override
    public String toString() {
        long bytes = entries.stream().mapToLong(WeightEntry::bytes).sum();
        return path + " (" + format + ", " + entries.size() + " tensors, " + bytes + " bytes)";
    }
}
