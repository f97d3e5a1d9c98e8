package dev.graft.cli.demo;

import java.util.Locale;

/** The classes of the drawn task. The order is the label: {@code AIRPLANE} is class 0. */
public enum DrawnClass {
    AIRPLANE, BIRD, BOAT, CAR, CAT, CUP, FISH, FLOWER, HOUSE, TREE;

    /** The class name as shown to people: lower case. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }
}
