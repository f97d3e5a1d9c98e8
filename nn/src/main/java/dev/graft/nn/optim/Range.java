package dev.graft.nn.optim;

import dev.graft.tensor.GraftException;

/** Checks of option values. */
final class Range {
    private Range() {}

    static void check(boolean holds, String message) {
        if (!holds) {
            throw new GraftException(message);
        }
    }

    /** Finite and not negative: learning rates, decays, penalties. */
    static void rate(String owner, String name, double v) {
        check(v >= 0 && v < Double.POSITIVE_INFINITY, owner + ": " + name + " is " + v + ", a number from 0 on is needed");
    }

    static void atLeast(String owner, String name, double v, double least) {
        check(v >= least, owner + ": " + name + " is " + v + ", at least " + least + " is needed");
    }

    /** In [0, 1). */
    static void within(String owner, String name, double v) {
        check(v >= 0 && v < 1, owner + ": " + name + " is " + v + ", a number from 0 to below 1 is needed");
    }
}
