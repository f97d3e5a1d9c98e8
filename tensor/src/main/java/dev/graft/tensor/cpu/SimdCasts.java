package dev.graft.tensor.cpu;

import static dev.graft.tensor.cpu.SimdMath.S;
import static jdk.incubator.vector.VectorOperators.I2S;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.NE;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/** Conversions that C2 does not turn into vector code by itself. */
final class SimdCasts {
    private static final int L = S.length();
    private static final VectorSpecies<Short> H =
            VectorSpecies.of(short.class, VectorShape.forBitSize(S.vectorBitSize() / 2));

    private SimdCasts() {}

    /** {@link Casts#bfloat16} of n elements. */
    static void bfloat16(float[] x, int xo, short[] y, int yo, int n) {
        int whole = S.loopBound(n);
        for (int i = 0; i < whole; i += L) {
            FloatVector v = FloatVector.fromArray(S, x, xo + i);
            IntVector bits = v.reinterpretAsInts();
            IntVector upper = bits.lanewise(LSHR, 16);
            IntVector rounded = upper.and(1).add(bits).add(0x7fff).lanewise(LSHR, 16);
            rounded = rounded.blend(upper.or(0x40), v.compare(NE, v).cast(SimdMath.I));
            ((ShortVector) rounded.convertShape(I2S, H, 0)).intoArray(y, yo + i);
        }
        for (int i = whole; i < n; i++) {
            y[yo + i] = Casts.bfloat16(x[xo + i]);
        }
    }
}
