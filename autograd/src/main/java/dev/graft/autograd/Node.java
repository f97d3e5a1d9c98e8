package dev.graft.autograd;

import dev.graft.tensor.GraftException;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Storage;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.TensorSpec;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.function.Supplier;

/**
 * One recorded op: the identities of its inputs and outputs, and the values its rule will read, each a handle of its own
 * that keeps the memory until backward has passed.
 */
final class Node implements AutoCloseable {
    /** Gradients by the node's inputs; null where none is needed. */
    interface Rule {
        Tensor[] apply(Node node, Tensor[] dy);
    }

    private final String name;
    private final String path;
    private final Rule rule;
    private final long[] inputIds;
    private final TensorSpec[] inputSpecs;
    private final boolean[] needs;
    private final long[] outputIds;
    private final TensorSpec[] outputSpecs;
    private final Tensor[] saved;
    private final Node[] makers;
    private final int[] versions;
    private Supplier<Tensor> again;
    private int madeVersion;

    /** @param saves bit i keeps input i, bit 8 + i keeps output i */
    Node(String name, String path, Rule rule, Tensor[] in, boolean[] needs, Tensor[] out, int saves) {
        this.name = name;
        this.path = path;
        this.rule = rule;
        this.needs = needs;
        this.inputIds = ids(in);
        this.inputSpecs = specs(in);
        this.outputIds = ids(out);
        this.outputSpecs = specs(out);
        this.saved = new Tensor[in.length + out.length];
        this.makers = new Node[saved.length];
        this.versions = new int[saved.length];
        for (int i = 0; i < saved.length; i++) {
            boolean input = i < in.length;
            Tensor t = input ? in[i] : out[i - in.length];
            if ((saves >> (input ? i : 8 + i - in.length) & 1) == 1) {
                saved[i] = t.retain();
                versions[i] = t.storage().version();
            }
        }
    }

    private static long[] ids(Tensor[] t) {
        long[] ids = new long[t.length];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = t[i].id();
        }
        return ids;
    }

    private static TensorSpec[] specs(Tensor[] t) {
        TensorSpec[] s = new TensorSpec[t.length];
        for (int i = 0; i < s.length; i++) {
            s[i] = t[i].spec();
        }
        return s;
    }

    Tensor[] backward(Tensor[] dy) {
        return rule.apply(this, dy);
    }

    String path() {
        return path;
    }

    int inputs() {
        return inputIds.length;
    }

    int outputs() {
        return outputIds.length;
    }

    long inputId(int i) {
        return inputIds[i];
    }

    long outputId(int i) {
        return outputIds[i];
    }

    TensorSpec outputSpec(int i) {
        return outputSpecs[i];
    }

    TensorSpec inputSpec(int i) {
        return inputSpecs[i];
    }

    Shape shape(int i) {
        return inputSpecs[i].shape();
    }

    /** Whether the gradient by input {@code i} is wanted. */
    boolean needs(int i) {
        return needs[i];
    }

    /** Offers to make this node's only output {@code now} once more by {@code output}, from what the node has saved. */
    void remake(Tensor now, Supplier<Tensor> output) {
        again = output;
        madeVersion = now.storage().version();
    }

    /** Whether {@code t}, which was this node's output, still is what {@link #again} makes. */
    boolean makes(Tensor t) {
        return t.storage().version() == madeVersion;
    }

    Tensor again() {
        return again.get();
    }

    /**
     * Lets go of input {@code i} if it was saved and is still as {@code maker}, whose output it is, made it: the maker makes
     * it when it is asked for.
     */
    void remadeBy(Node maker, int i) {
        if (saved[i] != null && versions[i] == maker.madeVersion) {
            saved[i].close();
            saved[i] = null;
            makers[i] = maker;
        }
    }

    /** The saved input {@code i}. */
    Tensor in(int i) {
        return get(i, "input " + i);
    }

    /** The saved output {@code i}. */
    Tensor out(int i) {
        return get(inputIds.length + i, "output " + i);
    }

    /** The memory of all saved values. */
    List<Storage> savedStorages() {
        return Arrays.stream(saved).filter(Objects::nonNull).map(Tensor::storage).toList();
    }

    private Tensor get(int slot, String what) {
        if (makers[slot] != null) {
            return makers[slot].again();
        }
        Tensor t = saved[slot];
        if (t == null) {
            throw new IllegalStateException(name + ": " + what + " was not saved for its gradient rule");
        }
        if (t.storage().version() != versions[slot]) {
            throw new GraftException(name + (path.isEmpty() ? "" : " in " + path) + ": " + what + " " + t.spec()
                    + " was changed in place between forward and backward: change parameters after backward only");
        }
        return t;
    }

    @Override
    public void close() {
        for (Tensor t : saved) {
            if (t != null) {
                t.close();
            }
        }
    }
}
