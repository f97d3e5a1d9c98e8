package dev.graft.tensor.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * Transposes blocks of as many rows and columns as a vector holds: log2 steps, each of which exchanges between two rows
 * what lies in the other one's half, quarter and so on. The rows between the steps stay in L1.
 */
final class Transposition {
    private static final VectorSpecies<Float> S = VectorKernels.S;
    private static final int L = VectorKernels.L;
    private static final VectorShuffle<Float> BY_8 = swap(8);
    private static final VectorShuffle<Float> BY_4 = swap(4);
    private static final VectorShuffle<Float> BY_2 = swap(2);
    private static final VectorShuffle<Float> BY_1 = swap(1);
    private static final VectorMask<Float> UPPER_8 = upper(8);
    private static final VectorMask<Float> UPPER_4 = upper(4);
    private static final VectorMask<Float> UPPER_2 = upper(2);
    private static final VectorMask<Float> UPPER_1 = upper(1);

    private Transposition() {}

    private static VectorShuffle<Float> swap(int s) {
        return VectorShuffle.fromOp(S, i -> (i ^ s) % L);
    }

    private static VectorMask<Float> upper(int s) {
        long bits = 0;
        for (int i = 0; i < L; i++) {
            bits |= (i & s) == 0 ? 0 : 1L << i;
        }
        return VectorMask.fromLong(S, bits);
    }

    /** to[at + c*ts + r] = b[bo + r*bs + c] for r and c below the vector length, which is 4, 8 or 16. */
    static void block(float[] b, int bo, int bs, float[] to, int at, int ts, float[] t) {
        if (L == 16) {
            step8(b, bo, bs, t);
            step4(t, 0, L, t);
        } else if (L == 8) {
            step4(b, bo, bs, t);
        }
        if (L == 4) {
            step2(b, bo, bs, t);
        } else {
            step2(t, 0, L, t);
        }
        for (int i = 0; i < L; i += 2) {
            FloatVector x = FloatVector.fromArray(S, t, i * L);
            FloatVector y = FloatVector.fromArray(S, t, (i + 1) * L);
            x.blend(y.rearrange(BY_1), UPPER_1).intoArray(to, at + i * ts);
            x.rearrange(BY_1).blend(y, UPPER_1).intoArray(to, at + (i + 1) * ts);
        }
    }

    private static void step8(float[] b, int bo, int bs, float[] t) {
        for (int i = 0; i < 8; i++) {
            FloatVector x = FloatVector.fromArray(S, b, bo + i * bs);
            FloatVector y = FloatVector.fromArray(S, b, bo + (i + 8) * bs);
            x.blend(y.rearrange(BY_8), UPPER_8).intoArray(t, i * L);
            x.rearrange(BY_8).blend(y, UPPER_8).intoArray(t, (i + 8) * L);
        }
    }

    private static void step4(float[] b, int bo, int bs, float[] t) {
        for (int k = 0; k < L / 2; k++) {
            int i = (k & 3) + 2 * (k & ~3);
            FloatVector x = FloatVector.fromArray(S, b, bo + i * bs);
            FloatVector y = FloatVector.fromArray(S, b, bo + (i + 4) * bs);
            x.blend(y.rearrange(BY_4), UPPER_4).intoArray(t, i * L);
            x.rearrange(BY_4).blend(y, UPPER_4).intoArray(t, (i + 4) * L);
        }
    }

    private static void step2(float[] b, int bo, int bs, float[] t) {
        for (int k = 0; k < L / 2; k++) {
            int i = (k & 1) + 2 * (k & ~1);
            FloatVector x = FloatVector.fromArray(S, b, bo + i * bs);
            FloatVector y = FloatVector.fromArray(S, b, bo + (i + 2) * bs);
            x.blend(y.rearrange(BY_2), UPPER_2).intoArray(t, i * L);
            x.rearrange(BY_2).blend(y, UPPER_2).intoArray(t, (i + 2) * L);
        }
    }
}
