package dev.graft.kernels.ops;

import dev.graft.tensor.DType;

/** What common.cuh calls the element types. */
final class CudaTypes {
    private CudaTypes() {}

    /** The type of an element in memory. */
    static String of(DType t) {
        return switch (t) {
            case F32 -> "float";
            case F64 -> "double";
            case F16 -> "half";
            case BF16 -> "bf16";
            case I8 -> "i8";
            case I16 -> "i16";
            case I32 -> "i32";
            case I64 -> "i64";
            case U8 -> "u8";
            case BOOL -> "bool8";
        };
    }

    /** The type that elements are computed in; acc_t of common.cuh. */
    static String computed(DType t) {
        return t == DType.F64 ? "double" : t.isFloat() ? "float" : "i64";
    }

    /** As part of a kernel's name. */
    static String suffix(DType t) {
        return switch (t) {
            case F32 -> "f32";
            case F64 -> "f64";
            case F16 -> "f16";
            case BOOL -> "bool";
            case BF16, I8, I16, I32, I64, U8 -> of(t);
        };
    }
}
