package dev.graft.tensor;

/**
 * Element types. {@link #F32} is what the fast backends compute in, {@link #F64} what the reference and gradient checks
 * use; {@link #F16} and {@link #BF16} are storage types on the CPU (an op converts first), {@link #I32} and {@link #I64}
 * hold indices, {@link #U8} images and {@link #BOOL} masks.
 */
public enum DType {
    F32("float32", 4, Kind.FLOAT),
    F64("float64", 8, Kind.FLOAT),
    F16("float16", 2, Kind.FLOAT),
    BF16("bfloat16", 2, Kind.FLOAT),
    I8("int8", 1, Kind.INT),
    I16("int16", 2, Kind.INT),
    I32("int32", 4, Kind.INT),
    I64("int64", 8, Kind.INT),
    U8("uint8", 1, Kind.INT),
    BOOL("bool", 1, Kind.BOOL);

    private enum Kind { FLOAT, INT, BOOL }

    private final String label;
    private final int bytes;
    private final Kind kind;

    DType(String label, int bytes, Kind kind) {
        this.label = label;
        this.bytes = bytes;
        this.kind = kind;
    }

    /** PyTorch's and NumPy's name, such as {@code float32}. */
    public String label() {
        return label;
    }

    /** Size of one element in bytes. */
    public int bytes() {
        return bytes;
    }

    public boolean isFloat() {
        return kind == Kind.FLOAT;
    }

    public boolean isInteger() {
        return kind == Kind.INT;
    }

    @Override
    public String toString() {
        return label;
    }
}
