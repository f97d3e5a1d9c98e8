package dev.graft.tensor.cpu;

/**
 * Where tensors, packed operands and intermediate results begin in their arrays. A vector of 64 bytes that crosses a cache
 * line costs two accesses, and the values of a Java array begin 16 bytes behind the beginning of the object. When the JVM
 * puts objects at multiples of 64 bytes ({@code -XX:ObjectAlignmentInBytes=64}, told by
 * {@code -Dgraft.object.alignment=64}, as the launcher does), leaving out the first 12 floats puts every vector into one
 * line: products run about a tenth faster.
 */
public final class Alignment {
    private static final int LINE = 64;
    private static final int HEADER = 16;

    /** Floats to leave out at the beginning of an array; 0 when objects may lie anywhere. */
    public static final int FIRST = first(Integer.getInteger("graft.object.alignment", 8));

    private Alignment() {}

    static int first(int alignment) {
        return alignment > 0 && alignment % LINE == 0 ? (LINE - HEADER) / Float.BYTES : 0;
    }
}
