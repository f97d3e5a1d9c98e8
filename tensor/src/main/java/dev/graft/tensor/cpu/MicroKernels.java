package dev.graft.tensor.cpu;

/**
 * The innermost loops of matrix products and convolutions, in one implementation with the Vector API and one with plain
 * loops. Everything above (blocking, packing, threads, borders) is shared. Offsets and strides count floats.
 */
interface MicroKernels {
    int WINOGRAD_SPACE = 36 * 16;

    /** Name for messages, such as "Vector API, 512 bit". */
    String name();

    /** Whether kernels that exist with the Vector API only may be used. */
    boolean vectors();

    /** Floats in a vector: the columns of packed operands are padded to a multiple of it. */
    int lanes();

    /** Vectors in the widest register tile; packed operands come in panels of this width. */
    int panelVectors();

    /**
     * C[m][n] (+)= sum over k of a[ao + m*rs + k*ks] * b[bo + k*bs + n], for {@code vectors * lanes()} columns n.
     *
     * @param m any number of rows
     * @param vectors 1 to {@link #panelVectors()}
     * @param accumulate add to C instead of overwriting it
     */
    void tiles(int m, int vectors, int kc, float[] a, int ao, int rs, int ks, float[] b, int bo, int bs,
            float[] c, int co, int ldc, boolean accumulate);

    /** c[co + j] (+)= sum over k of a[ao + k] * b[bo + j*bs + k], for {@code n} dot products of length {@code k}. */
    void dots(int n, int k, float[] a, int ao, float[] b, int bo, int bs, float[] c, int co, boolean accumulate);

    /**
     * Input transform B'dB of Winograd F(4x4,3x3) for one 6x6 tile and {@code channels} channels: element e of the 36
     * results goes to {@code v[vo + e*vs + channel]}.
     *
     * @param rs stride from row to row of x
     * @param cs stride from pixel to pixel of x
     * @param t working space of {@link #WINOGRAD_SPACE} floats, as in the two methods below
     */
    void winogradInput(float[] x, int xo, int rs, int cs, int channels, float[] v, int vo, int vs, float[] t);

    /** Weight transform GgG' for {@code n} neighbouring weights; tap i is read from w[wo + i*ws], i = 3*ky + kx. */
    void winogradWeights(float[] w, int wo, int ws, int n, float[] u, int uo, int us, float[] t);

    /** Output transform A'mA for one tile: writes {@code rows} x {@code cols} (each 1 to 4) pixels of y. */
    void winogradOutput(float[] m, int mo, int ms, int channels, float[] y, int yo, int rs, int cs, int rows, int cols,
            float[] t);

    /** Adjoint of the output transform, A dy A': 4x4 pixels to 36 values, otherwise as {@link #winogradInput}. */
    void winogradOutputGradient(float[] dy, int dyo, int rs, int cs, int channels, float[] v, int vo, int vs, float[] t);

    /** Adjoint of the weight transform, G'uG, for {@code n} neighbouring weights: 36 values to 9 taps. */
    void winogradWeightGradient(float[] u, int uo, int us, int n, float[] dw, int dwo, int dws, float[] t);

    /**
     * Depthwise convolution of a row of pixels: y[yo + p*ys + c] = sum over t of x[xo + offsets[t] + p*xs + c] *
     * w[wo + t*ws + c], for p below {@code pixels} and c below {@code channels}.
     */
    void depthwise(int taps, int[] offsets, float[] x, int xo, int xs, float[] w, int wo, int ws,
            float[] y, int yo, int ys, int pixels, int channels);

    /** Its weight gradient: dw[dwo + t*dws + c] += sum over p of x[xo + offsets[t] + p*xs + c] * dy[dyo + p*dys + c]. */
    void depthwiseWeights(int taps, int[] offsets, float[] x, int xo, int xs, float[] dy, int dyo, int dys,
            float[] dw, int dwo, int dws, int pixels, int channels);
}
