package dev.graft.kernels;

import dev.graft.tensor.GraftException;

/** What a kernel can find wrong with its input: the number it leaves in the device's error flag, and the sentence for it. */
public enum DeviceError {
    NONE(""),
    INDEX_OUT_OF_RANGE("take or take_along: an index lies outside of its axis: check labels and token numbers"),
    TARGET_OUT_OF_RANGE("cross_entropy: a target is no class of the logits: check the labels, or set ignoreIndex"),
    INTEGER_DIVISION_BY_ZERO("div: integer division by zero"),
    NEGATIVE_INTEGER_POWER("pow: an integer to a negative power is no integer: cast to float32 first");

    private final String sentence;

    DeviceError(String sentence) {
        this.sentence = sentence;
    }

    static GraftException exception(int number) {
        String what = number > 0 && number < values().length ? values()[number].sentence
                : "error " + number + " on the device";
        return new GraftException(what
                + " (found by a kernel that was launched earlier; -Dgraft.cuda.sync=true names the op)");
    }
}
