package dev.graft.tensor.cpu;

import dev.graft.tensor.op.UnaryFn;

/**
 * What is done to a result while it is still in the cache: {@code act(C + bias + residual)}.
 *
 * @param bias one value per column (output channel) from {@code biasOffset} on, or null
 * @param residual an array of the result's shape from {@code residualOffset} on, whose rows are
 *     {@code residualStride} apart (for convolutions: contiguous, the stride is the number of output channels), or null
 */
record Epilogue(float[] bias, int biasOffset, float[] residual, int residualOffset, int residualStride,
        Activation activation) {
    /** The function at the end. NaN stays NaN. */
    public enum Activation {
        NONE, RELU, RELU6, GELU, GELU_TANH;

        /** What it is between two bounds does not change. */
        boolean clamps() {
            return this == NONE || this == RELU || this == RELU6;
        }
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
        if (!activation.clamps()) {
            activate(row, rows, column, columns, c, co, ldc);
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

    private void activate(long row, int rows, int column, int columns, float[] c, int co, int ldc) {
        if (Simd.ENABLED && activation == Activation.GELU && residual == null && bias != null
                && columns % VectorKernels.L == 0) {
            SimdGelu.rows(rows, columns, bias, biasOffset + column, c, co, ldc);
            return;
        }
        activation(Activation.NONE).apply(row, rows, column, columns, c, co, ldc);
        UnaryFn f = activation == Activation.GELU ? UnaryFn.GELU : UnaryFn.GELU_TANH;
        for (int i = 0; i < rows; i++) {
            ElementLoops.best().unary(f, 0, c, co + i * ldc, c, co + i * ldc, columns);
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
