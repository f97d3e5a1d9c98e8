package dev.graft.tensor.cpu;

import dev.graft.tensor.op.FusedOp;
import dev.graft.tensor.op.ReduceFn;

/**
 * The inner loops of reductions and normalisations: along one row, and down the columns of a block of rows. As
 * {@link ElementLoops}, with a SIMD form and a plain twin. The order of additions is fixed by the lengths alone, but
 * differs between the two.
 */
interface RowLoops {
    /** The fastest loops this JVM can run. */
    static RowLoops best() {
        return Best.LOOPS;
    }

    /** Lazy, so that asking for the plain loops never touches the Vector API. */
    final class Best {
        private static final RowLoops LOOPS = Simd.ENABLED ? new SimdRowLoops() : new PlainRowLoops();

        private Best() {}
    }

    /** Vector width in floats; column loops are fastest when the number of columns is a multiple. */
    int lanes();

    // ------------------------------------------------------------------ along a row

    /** Sum (also for MEAN), maximum or minimum of n > 0 elements; NaN wins. */
    float reduce(ReduceFn f, float[] x, int xo, int n);

    /** The largest of n > 0 elements; any where one is NaN. */
    float largest(float[] x, int xo, int n);

    /** Sum of x * y. */
    float dot(float[] x, int xo, float[] y, int yo, int n);

    /** Sum of (x - mean)^2. */
    float centredSquares(float[] x, int xo, float mean, int n);

    /** y = exp(x - max) for x up to max + 80, and 0 for results below 1e-37; returns the sum of y. */
    float expSum(float[] x, int xo, float max, float[] y, int yo, int n);

    /** x = a * x. */
    void scale(float a, float[] x, int xo, int n);

    /** y = a * x. */
    void scale(float a, float[] x, int xo, float[] y, int yo, int n);

    /** y = (x - a) - b. */
    void subtract(float[] x, int xo, float a, float b, float[] y, int yo, int n);

    /** dx = y * (dy - s): softmax backward. */
    void softmaxGrad(float[] y, int yo, float[] dy, int dyo, float s, float[] dx, int dxo, int n);

    /** dx = dy - exp(y) * s: log-softmax backward. */
    void logSoftmaxGrad(float[] y, int yo, float[] dy, int dyo, float s, float[] dx, int dxo, int n);

    /**
     * y = (x - mean) * rstd * gamma + beta. Returns the sum of the n elements of x from {@code next} on, the row that comes
     * then: so memory is read while this row is computed.
     */
    float normalise(float[] x, int xo, int next, float mean, float rstd, float[] gamma, int go, float[] beta, int bo,
            float[] y, int yo, int n);

    /** sums[0] = sum of dy * gamma, sums[1] = sum of dy * gamma * (x - mean) * rstd. */
    void normaliseGradSums(float[] dy, int dyo, float[] x, int xo, float mean, float rstd, float[] gamma, int go,
            float[] sums, int n);

    /**
     * With h = (x - mean) * rstd: dx = rstd * (dy * gamma - c1 - h * c2), and into {@code acc}, dgamma and dbeta one
     * after the other: dgamma += dy * h, dbeta += dy. Then, in the same loop, {@link #normaliseGradSums} of the row that
     * begins {@code step} elements later in dy and x and has {@code nextMean} and {@code nextRstd}.
     */
    void normaliseGrad(float[] dy, int dyo, float[] x, int xo, float mean, float rstd, float[] gamma, int go, float c1,
            float c2, float[] dx, int dxo, float[] acc, int step, float nextMean, float nextRstd, float[] sums, int n);

    // ------------------------------------------------------------------ down the columns of rows x cols elements

    /** acc[j] = acc[j] combined with column j; rows begin {@code stride} elements apart. */
    void columns(ReduceFn f, float[] x, int xo, int rows, int cols, int stride, float[] acc, int ao);

    /** sums[j] += sum of x over the rows, squares[j] += sum of (x - shift[j])^2. */
    void columnMoments(float[] x, int xo, int rows, int cols, int stride, float[] shift, float[] sums, float[] squares);

    /** sums[j] += sum of dy over the rows, dots[j] += sum of dy * (x - mean[j]). */
    void columnDots(float[] dy, int dyo, float[] x, int xo, int rows, int cols, int stride, float[] mean, float[] sums,
            float[] dots);

    /** y = (x - mean[j]) * a[j] + b[j]. */
    void affine(float[] x, int xo, int rows, int cols, float[] mean, float[] a, float[] b, float[] y, int yo);

    /** y = then((x - mean[j]) * a[j] + b[j] + r), where {@code r}, as x, is null for none. */
    void affine(float[] x, int xo, int rows, int cols, float[] mean, float[] a, float[] b, float[] r, int ro,
            FusedOp.Activation then, float[] y, int yo);

    /** dx = a[j] * dy + b[j] * (x - mean[j]) + c[j]; dx may be dy. */
    void affineGrad(float[] dy, int dyo, float[] x, int xo, int rows, int cols, float[] mean, float[] a, float[] b,
            float[] c, float[] dx, int dxo);

    /**
     * Where an activation lets a gradient pass: where v = (x - mean[j]) * a[j] + b[j] is above 0 and not {@code high} or
     * more, NaN for no such bound.
     */
    record Passing(float[] mean, float[] a, float[] b, float high) {
        boolean at(int j, float x) {
            float v = (x - mean[j]) * a[j] + b[j];
            return v > 0 && !(v >= high);
        }
    }

    /** As {@link #columnDots}, of dy where {@code y} lets it pass, 0 elsewhere. */
    void columnDots(float[] dy, int dyo, float[] x, int xo, int rows, int cols, int stride, Passing y, float[] sums,
            float[] dots);

    /** As {@link #affineGrad}, of dy where {@code y} lets it pass, 0 elsewhere. */
    void affineGrad(float[] dy, int dyo, float[] x, int xo, int rows, int cols, Passing y, float[] a, float[] b, float[] c,
            float[] dx, int dxo);
}
