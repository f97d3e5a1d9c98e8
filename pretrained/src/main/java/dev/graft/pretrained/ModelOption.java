package dev.graft.pretrained;

import java.util.List;

/** A choice that an architecture leaves open; the first value is the default. */
public record ModelOption(String name, List<String> values, String meaning) {
    public ModelOption {
        values = List.copyOf(values);
    }

    /** The value when none is given. */
    public String standard() {
        return values.getFirst();
    }
}
