package dev.graft.pretrained;

import java.util.Locale;

/**
 * One class that an image may belong to.
 *
 * @param index       of the class among the network's outputs
 * @param name        of the class; its index where no name is known
 * @param probability by softmax, from 0 to 1
 */
public record Prediction(int index, String name, double probability) {
    @Override
    public String toString() {
        return String.format(Locale.ROOT, "%s %.1f %%", name, 100 * probability);
    }
}
