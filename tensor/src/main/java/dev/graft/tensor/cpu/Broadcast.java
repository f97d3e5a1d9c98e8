package dev.graft.tensor.cpu;

import dev.graft.tensor.Shape;
import java.util.Arrays;

/**
 * How an elementwise op walks operands that broadcast to one output. Neighbouring axes that all operands walk alike are
 * merged and axes of size 1 dropped, so what remains is short: same shapes become one axis, [R, C] with [C] two. Along
 * the last remaining axis every operand has step 1, or step 0 where it is repeated.
 */
final class Broadcast {
    /** Elements per task: long enough to hide the cost of handing it out, short enough for the first-level caches. */
    static final int CHUNK = 16384;

    private final int[] dims;
    private final int[][] strides;
    private final int size;

    /** Works on {@code n} consecutive elements; {@code out} and {@code a}, {@code b}, {@code c} are their first indices. */
    @FunctionalInterface
    interface Body {
        void run(int out, int a, int b, int c, int n);
    }

    private Broadcast(int[] dims, int[][] strides, int size) {
        this.dims = dims;
        this.strides = strides;
        this.size = size;
    }

    /** @param in one to three operands whose common shape is {@code out} */
    static Broadcast of(Shape out, Shape... in) {
        int rank = out.rank();
        int[] dims = new int[Math.max(1, rank)];
        int[][] strides = new int[3][Math.max(1, rank)];
        int kept = 0;
        int[] step = new int[3];
        for (int i = 0; i < rank; i++) {
            int d = out.dim(i);
            if (d == 1) {
                continue;
            }
            boolean merge = kept > 0;
            for (int k = 0; k < in.length; k++) {
                int axis = i - rank + in[k].rank();
                boolean repeated = axis < 0 || in[k].dim(axis) == 1;
                step[k] = repeated ? 0 : (int) in[k].count(axis + 1, in[k].rank());
                merge &= kept > 0 && strides[k][kept - 1] == (long) step[k] * d;
            }
            if (merge) {
                dims[kept - 1] *= d;
            } else {
                dims[kept++] = d;
            }
            for (int k = 0; k < in.length; k++) {
                strides[k][kept - 1] = step[k];
            }
        }
        if (kept == 0) {
            dims[kept++] = 1;
        }
        int[][] s = new int[3][];
        for (int k = 0; k < 3; k++) {
            s[k] = Arrays.copyOf(strides[k], kept);
        }
        return new Broadcast(Arrays.copyOf(dims, kept), s, (int) out.size());
    }

    /** Step of operand {@code k} along the last axis, 0 or 1. */
    int step(int k) {
        return strides[k][dims.length - 1];
    }

    /** Whether this is [R, C] of operand {@code full} with [C] of operand {@code row}; the number of columns, else 0. */
    int rowVector(int full, int row) {
        return dims.length == 2 && strides[full][1] == 1 && strides[full][0] == dims[1] && strides[row][1] == 1
                && strides[row][0] == 0 ? dims[1] : 0;
    }

    /** Rows of {@link #rowVector}. */
    int rows() {
        return dims[0];
    }

    /** Calls {@code body} on the shared pool for ranges along the last axis that cover the output once. */
    void run(Body body) {
        if (size == 0) {
            return;
        }
        int inner = dims[dims.length - 1];
        int outer = size / inner;
        if (inner > CHUNK / 2) {
            int pieces = (inner - 1) / CHUNK + 1;
            WorkerPool.shared().stream(outer * pieces, 1, (t, end) -> {
                int from = t % pieces * CHUNK;
                rows(t / pieces, 1, inner, from, Math.min(CHUNK, inner - from), body);
            });
        } else {
            WorkerPool.shared().stream(outer, CHUNK / inner, (r0, r1) -> rows(r0, r1 - r0, inner, 0, inner, body));
        }
    }

    /** Elements {@code from} to {@code from + n} of each of {@code count} rows from {@code first} on. */
    private void rows(int first, int count, int inner, int from, int n, Body body) {
        int axes = dims.length - 1;
        int[] at = new int[axes];
        int a = from * step(0);
        int b = from * step(1);
        int c = from * step(2);
        for (int i = axes - 1, r = first; i >= 0; i--) {
            at[i] = r % dims[i];
            r /= dims[i];
            a += at[i] * strides[0][i];
            b += at[i] * strides[1][i];
            c += at[i] * strides[2][i];
        }
        for (int r = first; r < first + count; r++) {
            body.run(r * inner + from, a, b, c, n);
            for (int i = axes - 1; i >= 0; i--) {
                a += strides[0][i];
                b += strides[1][i];
                c += strides[2][i];
                if (++at[i] < dims[i]) {
                    break;
                }
                at[i] = 0;
                a -= dims[i] * strides[0][i];
                b -= dims[i] * strides[1][i];
                c -= dims[i] * strides[2][i];
            }
        }
    }
}
