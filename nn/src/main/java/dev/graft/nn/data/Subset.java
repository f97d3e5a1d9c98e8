package dev.graft.nn.data;

import dev.graft.nn.data.image.RgbImage;
import java.util.List;

/** A choice of the samples of another data set. */
record Subset(Dataset all, int[] indices) implements Dataset {
    @Override
    public int size() {
        return indices.length;
    }

    @Override
    public List<String> classes() {
        return all.classes();
    }

    @Override
    public int label(int i) {
        return all.label(indices[i]);
    }

    @Override
    public RgbImage image(int i) {
        return all.image(indices[i]);
    }

    @Override
    public String name(int i) {
        return all.name(indices[i]);
    }

    @Override
    public String key(int i) {
        return all.key(indices[i]);
    }

    @Override
    public boolean inMemory() {
        return all.inMemory();
    }

    @Override
    public String toString() {
        return "Subset[" + indices.length + " of " + all + "]";
    }
}
