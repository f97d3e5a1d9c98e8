package dev.graft.nn.data;

import dev.graft.nn.data.image.RgbImage;
import dev.graft.tensor.GraftException;
import java.util.List;

/** Labelled images by index, safe to read from many threads at once. */
public interface Dataset {
    /** How many samples there are. */
    int size();

    /** The names of the classes; a label is an index into this list. */
    List<String> classes();

    /** The class of sample {@code i}: 0..classes().size()-1. */
    int label(int i);

    /** The image of sample {@code i}, decoded anew on every call where it comes from a file. */
    RgbImage image(int i);

    /** What a message calls sample {@code i}: its file, mostly. */
    String name(int i);

    /** A string that changes when the image of sample {@code i} changes: its part of a cache key. */
    String key(int i);

    /** Whether {@link #image} is free, so that keeping its result would only cost memory. */
    default boolean inMemory() {
        return false;
    }

    /** All labels, a new array. */
    default int[] labels() {
        int[] labels = new int[size()];
        for (int i = 0; i < labels.length; i++) {
            labels[i] = label(i);
        }
        return labels;
    }

    /** How many samples each class has. */
    default int[] classCounts() {
        int[] counts = new int[classes().size()];
        for (int label : labels()) {
            counts[label]++;
        }
        return counts;
    }

    /** The samples with these indices, in this order, numbered anew from 0. */
    default Dataset subset(int... indices) {
        for (int i : indices) {
            if (i < 0 || i >= size()) {
                throw new GraftException("subset: index " + i + " does not lie in 0.." + (size() - 1) + " of the data set.");
            }
        }
        return new Subset(this, indices.clone());
    }
}
