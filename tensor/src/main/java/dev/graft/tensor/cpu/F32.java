package dev.graft.tensor.cpu;

import dev.graft.tensor.DType;
import dev.graft.tensor.Tensor;

/** A float32 tensor as the kernels take it: an array, the index of the first element, and how many there are. */
record F32(float[] array, int at, int size) {
    static F32 of(Tensor t) {
        return new F32(t.host().floats(), Math.toIntExact(t.offset()), Math.toIntExact(t.size()));
    }

    /** All of {@code array}. */
    static F32 of(float... array) {
        return new F32(array, 0, array.length);
    }

    /** Whether all tensors are float32. */
    static boolean all(Tensor... tensors) {
        for (Tensor t : tensors) {
            if (t.dtype() != DType.F32) {
                return false;
            }
        }
        return true;
    }
}
