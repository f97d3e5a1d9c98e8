package dev.graft.nn.data;

import dev.graft.nn.data.image.SampleRandom;
import dev.graft.tensor.GraftException;
import java.util.Arrays;
import java.util.List;

/** What is trained on and what it is judged by; both have the same classes. */
public record DataSplit(Dataset train, Dataset validation) {
    public DataSplit {
        if (!train.classes().equals(validation.classes())) {
            throw new GraftException("DataSplit: the training part has the classes " + train.classes()
                    + ", the validation part " + validation.classes() + "; they must be the same, in the same order.");
        }
    }

    /** The names of the classes. */
    public List<String> classes() {
        return train.classes();
    }

    /**
     * Takes a share of every class for validation, at random by {@code seed}: rounded, but at least one sample of a class
     * with two, and never the last one. Both parts keep the order of the data set.
     */
    public static DataSplit stratified(Dataset data, double validationFraction, long seed) {
        if (!(validationFraction > 0 && validationFraction < 1)) {
            throw new GraftException("split: the validation fraction must lie between 0 and 1, but " + validationFraction
                    + " was given; 0.2 keeps one image in five for validation.");
        }
        int[] labels = data.labels();
        int[] counts = data.classCounts();
        boolean[] held = new boolean[labels.length];
        int total = 0;
        for (int c = 0; c < counts.length; c++) {
            int take = Math.min(counts[c] - 1, Math.max(1, (int) Math.round(counts[c] * validationFraction)));
            int[] members = members(labels, c, counts[c]);
            int[] order = SampleRandom.of(seed, 0, c).permutation(members.length);
            for (int k = 0; k < take; k++) {
                held[members[order[k]]] = true;
                total++;
            }
        }
        if (total == 0) {
            throw new GraftException("split: no class of " + data + " has two images, so none can be kept for validation;"
                    + " add images.");
        }
        int[] train = new int[labels.length - total];
        int[] validation = new int[total];
        for (int i = 0, t = 0, v = 0; i < labels.length; i++) {
            if (held[i]) {
                validation[v++] = i;
            } else {
                train[t++] = i;
            }
        }
        return new DataSplit(data.subset(train), data.subset(validation));
    }

    private static int[] members(int[] labels, int label, int count) {
        int[] members = new int[count];
        int n = 0;
        for (int i = 0; i < labels.length; i++) {
            if (labels[i] == label) {
                members[n++] = i;
            }
        }
        return members;
    }

    @Override
    public String toString() {
        return "DataSplit[train " + train.size() + " " + Arrays.toString(train.classCounts()) + ", validation "
                + validation.size() + " " + Arrays.toString(validation.classCounts()) + ", classes " + classes() + "]";
    }
}
