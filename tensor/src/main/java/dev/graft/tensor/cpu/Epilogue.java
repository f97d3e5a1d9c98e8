package dev.graft.tensor.cpu;

/**
 * What is done to a result while it is still in the cache: {@code act(C + bias + residual)}.
 *
 * @param bias one value per column (output channel) from {@code biasOffset} on, or null
 * @param residual an array of the result's shape from {@code residualOffset} on, whose rows are
 *     {@code residualStride} apart (for convolutions: contiguous, the stride is the number of output channels), or null
 */
public record Epilogue(float[] bias, int biasOffset, float[] residual, int residualOffset, int residualStride,
        Activation activation) {
    /** The function at the end. NaN stays NaN. */
    public enum Activation {
        NONE, RELU, RELU6
    }

    /** Leaves the result as it is. */
    public static final Epilogue NONE = new Epilogue(null, 0, null, 0, 0, Activation.NONE);

    public static Epilogue bias(float[] bias, int offset) {
        return new Epilogue(bias, offset, null, 0, 0, Activation.NONE);
    }

    public Epilogue residual(float[] values, int offset, int stride) {
        return new Epilogue(bias, biasOffset, values, offset, stride, activation);
    }

    public Epilogue activation(Activation function) {
        return new Epilogue(bias, biasOffset, residual, residualOffset, residualStride, function);
    }

    boolean none() {
        return bias == null && residual == null && activation == Activation.NONE;
    }

    /** Applies this to rows and columns of the result; {@code co} is where (row, column) lies in c. */
    void apply(long row, int rows, int column, int columns, float[] c, int co, int ldc) {
        if (none()) {
            return;
        }
        if (Simd.ENABLED) {
            EpilogueVectors.apply(rows, columns, bias, biasOffset + column, residual,
                    residualOffset + row * residualStride + column, residualStride, activation, c, co, ldc);
            return;
        }
        for (int i = 0; i < rows; i++) {
            int to = co + i * ldc;
            if (bias != null) {
                add(columns, bias, biasOffset + column, c, to);
            }
            if (residual != null) {
                add(columns, residual, (int) (residualOffset + (row + i) * residualStride + column), c, to);
            }
            if (activation == Activation.RELU) {
                relu(columns, c, to);
            } else if (activation == Activation.RELU6) {
                relu6(columns, c, to);
            }
        }
    }

    private static void add(int n, float[] x, int xo, float[] c, int co) {
        for (int j = 0; j < n; j++) {
            c[co + j] += x[xo + j];
        }
    }

    private static void relu(int n, float[] c, int co) {
        for (int j = 0; j < n; j++) {
            c[co + j] = Math.max(0f, c[co + j]);
        }
    }

    private static void relu6(int n, float[] c, int co) {
        for (int j = 0; j < n; j++) {
            c[co + j] = Math.min(6f, Math.max(0f, c[co + j]));
        }
    }
}
