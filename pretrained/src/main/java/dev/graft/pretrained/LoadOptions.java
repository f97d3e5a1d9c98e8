package dev.graft.pretrained;

import dev.graft.pretrained.format.NameMap;

/**
 * How a weight file is put into a network.
 *
 * @param names     how names in the file become the network's
 * @param tolerance which parameters may stay without values from the file
 */
public record LoadOptions(NameMap names, Tolerance tolerance) {
    /** What may be missing from the file or have another shape in it; such parameters keep the values they have. */
    public enum Tolerance {
        /** Nothing: for predictions. */
        NOTHING,
        /** The head, when classes differ or the file ends before it: for fine-tuning. */
        HEAD,
        /** Anything, as long as one tensor fits. */
        ANYTHING
    }

    /** Every parameter needs a value. */
    public static final LoadOptions STRICT = new LoadOptions(NameMap.standard(), Tolerance.NOTHING);
    /** Only the head may stay as it is. */
    public static final LoadOptions EXCEPT_HEAD = new LoadOptions(NameMap.standard(), Tolerance.HEAD);
    /** Whatever fits is loaded. */
    public static final LoadOptions WHAT_FITS = new LoadOptions(NameMap.standard(), Tolerance.ANYTHING);

    public LoadOptions with(NameMap map) {
        return new LoadOptions(map, tolerance);
    }

    public LoadOptions with(Tolerance t) {
        return new LoadOptions(names, t);
    }
}
