package dev.graft.tensor;

import static dev.graft.tensor.OpCatalog.cycle;
import static dev.graft.tensor.OpCatalog.floats;
import static dev.graft.tensor.OpCatalog.of;
import static dev.graft.tensor.OpCatalog.uniform;
import static dev.graft.tensor.OpCatalog.wide;

import dev.graft.tensor.OpCatalog.Case;
import dev.graft.tensor.OpCatalog.Input;
import dev.graft.tensor.OpCatalog.Values;
import dev.graft.tensor.op.AttentionOp;
import java.util.ArrayList;
import java.util.List;

/** Attention. */
final class AttentionCases {
    private AttentionCases() {}

    /** The sizes of one case: batch, queries, keys, heads, head size. */
    private record Sizes(int b, int t, int s, int h, int d) {
        int key(int batch, int j, int head) {
            return ((batch * s + j) * h + head) * d;
        }

        int query(int batch, int i, int head) {
            return ((batch * t + i) * h + head) * d;
        }
    }

    static void addTo(List<Case> all) {
        for (Sizes z : List.of(new Sizes(1, 1, 1, 1, 1), new Sizes(2, 3, 5, 2, 4), new Sizes(2, 4, 4, 1, 3),
                new Sizes(1, 2, 9, 3, 5), new Sizes(0, 2, 2, 1, 2), new Sizes(3, 70, 90, 2, 16),
                new Sizes(1, 130, 200, 2, 64), new Sizes(2, 33, 257, 1, 40), new Sizes(1, 40, 50, 2, 80))) {
            add(all, z, false, null, false);
            add(all, z, true, null, false);
            add(all, z, false, some(z), false);
            add(all, z, true, some(z), false);
        }
        // Many heads, each a task of several tiles: all but the last use a part of the keys, which ends anywhere.
        for (Sizes z : List.of(new Sizes(1, 200, 230, 16, 8), new Sizes(1, 160, 190, 17, 80))) {
            add(all, z, true, null, false);
            add(all, z, true, some(z), false);
        }
        add(all, new Sizes(1, 5, 3, 2, 2), true, null, true);            // the first two queries have no key before them
        add(all, new Sizes(2, 3, 4, 1, 3), false, cycle(1, 0, 1, 1, 0, 0, 0, 0), true);
        add(all, new Sizes(2, 90, 70, 2, 8), true, cycle(0, 0, 1, 0, 1, 1), true);
        add(all, new Sizes(1, 2, 0, 1, 3), false, null, true);
    }

    /** Some of the keys; the first of each batch entry, so that no query is left with nothing. */
    private static Values some(Sizes z) {
        return (r, n, earlier) -> {
            double[] allowed = cycle(1, 1, 0, 1, 0).make(r, n, earlier);
            for (int i = 0; i < n; i += z.s) {
                allowed[i] = 1;
            }
            return allowed;
        };
    }

    /** @param lonely whether some query has nothing to attend, and a log-sum-exp of minus infinity */
    private static void add(List<Case> all, Sizes z, boolean causal, Values mask, boolean lonely) {
        double scale = 1 / Math.sqrt(z.d);
        Input q = floats(uniform(-2, 2), z.b, z.t, z.h, z.d);
        Input k = floats(uniform(-2, 2), z.b, z.s, z.h, z.d);
        Input v = floats(uniform(-1, 1), z.b, z.s, z.h, z.d);
        List<Input> in = new ArrayList<>(List.of(q, k, v));
        List<Input> back = new ArrayList<>(List.of(floats(uniform(-1, 1), z.b, z.t, z.h, z.d), q, k, v,
                floats(forward(z, scale, causal, mask, false), z.b, z.t, z.h, z.d),
                wide(forward(z, scale, causal, mask, true), z.b, z.h, z.t)));
        if (mask != null) {
            Input m = of(DType.BOOL, mask, z.b, z.s);
            in.add(m);
            back.add(m);
        }
        boolean large = z.b * z.t * z.s * z.h * z.d > 10_000;
        Case c = Case.of(new AttentionOp.Attention(scale, causal), lonely ? 2e-5 : 2e-6, in.toArray(Input[]::new));
        all.add(lonely ? c.isSpecial() : large ? c.isLarge() : c.smooth());
        c = Case.of(new AttentionOp.AttentionBackward(scale, causal, mask != null), lonely ? 5e-5 : 5e-6,
                back.toArray(Input[]::new));
        all.add(lonely ? c.isSpecial() : large ? c.isLarge() : c);
    }

    /** The forward op's outputs for inputs 1 to 3 of the backward op. */
    private static Values forward(Sizes z, double scale, boolean causal, Values mask, boolean lse) {
        return (r, n, earlier) -> {
            double[] q = earlier.get(1);
            double[] k = earlier.get(2);
            double[] v = earlier.get(3);
            double[] allowed = mask == null ? null : mask.make(r, z.b * z.s, earlier);
            double[] out = new double[n];
            double[] p = new double[z.s];
            for (int b = 0; b < z.b; b++) {
                for (int h = 0; h < z.h; h++) {
                    for (int i = 0; i < z.t; i++) {
                        double sum = 0;
                        for (int j = 0; j < z.s; j++) {
                            boolean attends = (allowed == null || allowed[b * z.s + j] != 0)
                                    && (!causal || j - i <= z.s - z.t);
                            double score = 0;
                            for (int c = 0; c < z.d; c++) {
                                score += q[z.query(b, i, h) + c] * k[z.key(b, j, h) + c];
                            }
                            p[j] = attends ? Math.exp(scale * score) : 0;
                            sum += p[j];
                        }
                        for (int j = 0; j < z.s && !lse && sum > 0; j++) {
                            for (int c = 0; c < z.d; c++) {
                                out[z.query(b, i, h) + c] += p[j] / sum * v[z.key(b, j, h) + c];
                            }
                        }
                        if (lse) {
                            out[(b * z.h + h) * z.t + i] = Math.log(sum);
                        }
                    }
                }
            }
            return out;
        };
    }
}
