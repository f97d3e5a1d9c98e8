package dev.graft.tensor.cpu;

import dev.graft.tensor.op.ReduceFn;

/** Softmax and its logarithm over rows of {@code n} elements. */
final class Softmax {
    private static final int BLOCK = 8192;

    private final RowLoops loops;

    Softmax(RowLoops loops) {
        this.loops = loops;
    }

    /** y = exp(x - max) / sum, or with {@code log} x - max - log(sum); y must not be x. */
    void forward(boolean log, float[] x, int xo, float[] y, int yo, int rows, int n) {
        if (n == 0) {
            return;
        }
        WorkerPool.shared().stream(rows, Math.max(1, BLOCK / n), (i, j) -> {
            try (Scratch space = Scratch.take(n)) {
                for (int r = i; r < j; r++) {
                    row(log, x, xo + r * n, space.data, y, yo + r * n, n);
                }
            }
        });
    }

    /** The exponentials stay in {@code t}: reading back what was just written to y would wait until the memory has it. */
    private void row(boolean log, float[] x, int xo, float[] t, float[] y, int yo, int n) {
        float max = loops.largest(x, xo, n);
        float sum = loops.expSum(x, xo, max, t, 0, n);
        if (log) {
            loops.subtract(x, xo, max, (float) Math.log(sum), y, yo, n);
        } else {
            loops.scale(1 / sum, t, 0, y, yo, n);
        }
    }

    /** Softmax: dx = y (dy - sum(dy y)); log: dx = dy - exp(y) sum(dy). */
    void backward(boolean log, float[] dy, int dyo, float[] y, int yo, float[] dx, int dxo, int rows, int n) {
        if (n == 0) {
            return;
        }
        WorkerPool.shared().stream(rows, Math.max(1, BLOCK / n), (i, j) -> {
            for (int r = i; r < j; r++) {
                int at = r * n;
                if (log) {
                    float s = loops.reduce(ReduceFn.SUM, dy, dyo + at, n);
                    loops.logSoftmaxGrad(y, yo + at, dy, dyo + at, s, dx, dxo + at, n);
                } else {
                    float s = loops.dot(dy, dyo + at, y, yo + at, n);
                    loops.softmaxGrad(y, yo + at, dy, dyo + at, s, dx, dxo + at, n);
                }
            }
        });
    }
}
