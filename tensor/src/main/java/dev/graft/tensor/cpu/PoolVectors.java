package dev.graft.tensor.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/** Max pooling by 3x3 windows along a row of pixels, for one vector of channels, values and places in registers. */
final class PoolVectors {
    private static final VectorSpecies<Float> S = VectorKernels.S;
    private static final VectorSpecies<Integer> I = S.withLanes(int.class);

    private PoolVectors() {}

    /**
     * {@code pixels} maxima, the windows all inside the image: from x[xo] on, which is place {@code place} of the image,
     * {@code step} columns apart; {@code w} pixels of {@code c} channels are a row.
     */
    static void max3(float[] x, int xo, int place, int step, int w, int c, int pixels, float[] y, int yo, int[] index,
            int io) {
        int x1 = xo + w * c, x2 = x1 + w * c;
        IntVector at = IntVector.broadcast(I, place);
        IntVector right = IntVector.broadcast(I, 1), down = IntVector.broadcast(I, w - 2);
        IntVector next = IntVector.broadcast(I, step);
        for (int i = 0; i < pixels; i++) {
            FloatVector best = FloatVector.fromArray(S, x, xo);
            IntVector where = at, here = at.add(right);
            FloatVector v = FloatVector.fromArray(S, x, xo + c);
            // !(v <= best) is also true when one of them is NaN; a best that is NaN stays
            VectorMask<Float> m = v.compare(VectorOperators.LE, best).not().and(best.compare(VectorOperators.EQ, best));
            best = best.blend(v, m);
            where = where.blend(here, m.cast(I));
            here = here.add(right);
            v = FloatVector.fromArray(S, x, xo + 2 * c);
            m = v.compare(VectorOperators.LE, best).not().and(best.compare(VectorOperators.EQ, best));
            best = best.blend(v, m);
            where = where.blend(here, m.cast(I));
            here = here.add(down);
            v = FloatVector.fromArray(S, x, x1);
            m = v.compare(VectorOperators.LE, best).not().and(best.compare(VectorOperators.EQ, best));
            best = best.blend(v, m);
            where = where.blend(here, m.cast(I));
            here = here.add(right);
            v = FloatVector.fromArray(S, x, x1 + c);
            m = v.compare(VectorOperators.LE, best).not().and(best.compare(VectorOperators.EQ, best));
            best = best.blend(v, m);
            where = where.blend(here, m.cast(I));
            here = here.add(right);
            v = FloatVector.fromArray(S, x, x1 + 2 * c);
            m = v.compare(VectorOperators.LE, best).not().and(best.compare(VectorOperators.EQ, best));
            best = best.blend(v, m);
            where = where.blend(here, m.cast(I));
            here = here.add(down);
            v = FloatVector.fromArray(S, x, x2);
            m = v.compare(VectorOperators.LE, best).not().and(best.compare(VectorOperators.EQ, best));
            best = best.blend(v, m);
            where = where.blend(here, m.cast(I));
            here = here.add(right);
            v = FloatVector.fromArray(S, x, x2 + c);
            m = v.compare(VectorOperators.LE, best).not().and(best.compare(VectorOperators.EQ, best));
            best = best.blend(v, m);
            where = where.blend(here, m.cast(I));
            here = here.add(right);
            v = FloatVector.fromArray(S, x, x2 + 2 * c);
            m = v.compare(VectorOperators.LE, best).not().and(best.compare(VectorOperators.EQ, best));
            best.blend(v, m).intoArray(y, yo);
            where.blend(here, m.cast(I)).intoArray(index, io);
            at = at.add(next);
            xo += step * c;
            x1 += step * c;
            x2 += step * c;
            yo += c;
            io += c;
        }
    }

    /**
     * The gradient of 3x3 windows with stride 2 and one row and column of padding: squares of 2x2 pixels of dx, at
     * {@code xo} the upper and at {@code zo} the lower row, the first at place {@code place}. A square sees the window at
     * {@code ao} and those to its right, below it (at {@code bo}) and below to its right; the last square sees none to
     * its right, and is whole if {@code whole}, else only its left half exists. A window's gradient goes to its winner's
     * place; winners of the windows at ao and bo are at {@code ai} and {@code bi} of the indices.
     *
     * @param pixels squares but the last
     */
    static void squares(float[] da, int ao, float[] db, int bo, int[] index, int ai, int bi, int place, int w, int c,
            int pixels, boolean whole, float[] dx, int xo, float[] dz, int zo) {
        FloatVector none = FloatVector.zero(S);
        IntVector p0 = IntVector.broadcast(I, place), p1 = p0.add(1), q0 = p0.add(w), q1 = q0.add(1);
        FloatVector a = FloatVector.fromArray(S, da, ao), b = FloatVector.fromArray(S, db, bo);
        IntVector i = IntVector.fromArray(I, index, ai), j = IntVector.fromArray(I, index, bi);
        for (int n = 0; n < pixels; n++) {
            ao += c;
            ai += c;
            bo += c;
            bi += c;
            FloatVector a1 = FloatVector.fromArray(S, da, ao), b1 = FloatVector.fromArray(S, db, bo);
            IntVector i1 = IntVector.fromArray(I, index, ai), j1 = IntVector.fromArray(I, index, bi);
            none.add(a, i.compare(VectorOperators.EQ, p0).cast(S)).intoArray(dx, xo);
            none.add(a, i.compare(VectorOperators.EQ, p1).cast(S)).add(a1, i1.compare(VectorOperators.EQ, p1).cast(S))
                    .intoArray(dx, xo + c);
            none.add(a, i.compare(VectorOperators.EQ, q0).cast(S)).add(b, j.compare(VectorOperators.EQ, q0).cast(S))
                    .intoArray(dz, zo);
            none.add(a, i.compare(VectorOperators.EQ, q1).cast(S)).add(a1, i1.compare(VectorOperators.EQ, q1).cast(S))
                    .add(b, j.compare(VectorOperators.EQ, q1).cast(S)).add(b1, j1.compare(VectorOperators.EQ, q1).cast(S))
                    .intoArray(dz, zo + c);
            p0 = p0.add(2);
            p1 = p1.add(2);
            q0 = q0.add(2);
            q1 = q1.add(2);
            xo += 2 * c;
            zo += 2 * c;
            a = a1;
            b = b1;
            i = i1;
            j = j1;
        }
        none.add(a, i.compare(VectorOperators.EQ, p0).cast(S)).intoArray(dx, xo);
        none.add(a, i.compare(VectorOperators.EQ, q0).cast(S)).add(b, j.compare(VectorOperators.EQ, q0).cast(S))
                .intoArray(dz, zo);
        if (whole) {
            none.add(a, i.compare(VectorOperators.EQ, p1).cast(S)).intoArray(dx, xo + c);
            none.add(a, i.compare(VectorOperators.EQ, q1).cast(S)).add(b, j.compare(VectorOperators.EQ, q1).cast(S))
                    .intoArray(dz, zo + c);
        }
    }
}
