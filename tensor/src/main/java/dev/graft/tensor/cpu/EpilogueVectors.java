package dev.graft.tensor.cpu;

import dev.graft.tensor.cpu.Epilogue.Activation;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * {@link Epilogue} with the Vector API: one pass over each row whatever is asked for. The rows are too short for loops that
 * the compiler vectorises by itself, whose main loop takes eight vectors at a time.
 */
final class EpilogueVectors {
    private static final VectorSpecies<Float> S = FloatVector.SPECIES_PREFERRED;
    private static final int L = S.length();

    private EpilogueVectors() {}

    /**
     * {@code c = act(c + bias + residual)} for a matrix of {@code rows} x {@code columns}.
     *
     * @param bias the values of the first column on are at {@code bo}; or null
     * @param residual the value of the first row and column is at {@code ro}; or null
     */
    static void apply(int rows, int columns, float[] bias, int bo, float[] residual, long ro, int rs, Activation activation,
            float[] c, int co, int ldc) {
        // Everything passes between infinite bounds; comparisons are false for NaN, which therefore stays.
        float low = activation == Activation.NONE ? Float.NEGATIVE_INFINITY : 0;
        float high = activation == Activation.RELU6 ? 6 : Float.POSITIVE_INFINITY;
        for (int i = 0; i < rows; i++) {
            int to = co + i * ldc;
            int from = (int) (ro + (long) i * rs);
            if (residual == null) {
                if (bias == null) {
                    clamp(columns, low, high, c, to);
                } else {
                    bias(columns, bias, bo, low, high, c, to);
                }
            } else if (bias == null) {
                add(columns, residual, from, low, high, c, to);
            } else {
                biasAdd(columns, bias, bo, residual, from, low, high, c, to);
            }
        }
    }

    private static void clamp(int n, float low, float high, float[] c, int co) {
        int whole = S.loopBound(n);
        for (int j = 0; j < whole; j += L) {
            clamp(FloatVector.fromArray(S, c, co + j), low, high).intoArray(c, co + j);
        }
        if (whole < n) {
            VectorMask<Float> m = S.indexInRange(whole, n);
            clamp(FloatVector.fromArray(S, c, co + whole, m), low, high).intoArray(c, co + whole, m);
        }
    }

    private static void bias(int n, float[] bias, int bo, float low, float high, float[] c, int co) {
        int whole = S.loopBound(n);
        for (int j = 0; j < whole; j += L) {
            FloatVector v = FloatVector.fromArray(S, c, co + j).add(FloatVector.fromArray(S, bias, bo + j));
            clamp(v, low, high).intoArray(c, co + j);
        }
        if (whole < n) {
            VectorMask<Float> m = S.indexInRange(whole, n);
            FloatVector v = FloatVector.fromArray(S, c, co + whole, m).add(FloatVector.fromArray(S, bias, bo + whole, m));
            clamp(v, low, high).intoArray(c, co + whole, m);
        }
    }

    private static void add(int n, float[] x, int xo, float low, float high, float[] c, int co) {
        int whole = S.loopBound(n);
        for (int j = 0; j < whole; j += L) {
            FloatVector v = FloatVector.fromArray(S, c, co + j).add(FloatVector.fromArray(S, x, xo + j));
            clamp(v, low, high).intoArray(c, co + j);
        }
        if (whole < n) {
            VectorMask<Float> m = S.indexInRange(whole, n);
            FloatVector v = FloatVector.fromArray(S, c, co + whole, m).add(FloatVector.fromArray(S, x, xo + whole, m));
            clamp(v, low, high).intoArray(c, co + whole, m);
        }
    }

    private static void biasAdd(int n, float[] bias, int bo, float[] x, int xo, float low, float high, float[] c, int co) {
        int whole = S.loopBound(n);
        for (int j = 0; j < whole; j += L) {
            FloatVector v = FloatVector.fromArray(S, c, co + j).add(FloatVector.fromArray(S, bias, bo + j))
                    .add(FloatVector.fromArray(S, x, xo + j));
            clamp(v, low, high).intoArray(c, co + j);
        }
        if (whole < n) {
            VectorMask<Float> m = S.indexInRange(whole, n);
            FloatVector v = FloatVector.fromArray(S, c, co + whole, m).add(FloatVector.fromArray(S, bias, bo + whole, m))
                    .add(FloatVector.fromArray(S, x, xo + whole, m));
            clamp(v, low, high).intoArray(c, co + whole, m);
        }
    }

    private static FloatVector clamp(FloatVector v, float low, float high) {
        return v.blend(low, v.compare(VectorOperators.LT, low)).blend(high, v.compare(VectorOperators.GT, high));
    }
}
