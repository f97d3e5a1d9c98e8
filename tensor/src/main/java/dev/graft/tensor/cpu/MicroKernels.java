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

    /** Vectors in the widest tile of {@link #tiles}. */
    int tileVectors();

    /** Vectors in a panel of a packed right operand. */
    int panelVectors();

    /** Rows in a tile of a packed left operand. */
    int tileRows();

    /**
     * C[m][n] (+)= sum over k of a[ao + m*rs + k*ks] * b[bo + k*bs + n], for {@code vectors * lanes()} columns n.
     *
     * @param m any number of rows
     * @param vectors 1 to {@link #tileVectors()}
     * @param accumulate add to C instead of overwriting it
     */
    void tiles(int m, int vectors, int kc, float[] a, int ao, int rs, int ks, float[] b, int bo, int bs,
            float[] c, int co, int ldc, boolean accumulate);

    /**
     * C[m][n] = D[m][n] + A * B with both factors packed: row i and column k of A lie in tile t = i / {@link #tileRows()} at
     * a[ao + (t*kc + k) * tileRows() + i % tileRows()], B at b[bo + k * vectors * lanes() + n].
     *
     * @param vectors 1 to {@link #panelVectors()}
     * @param d null for the product alone; may be C itself
     */
    default void packedTiles(int m, int vectors, int kc, float[] a, int ao, float[] b, int bo, float[] d, int at, int ldd,
            float[] c, int co, int ldc) {
        int width = vectors * lanes();
        int rows = tileRows();
        if (d != null && (d != c || at != co)) {
            for (int i = 0; i < m; i++) {
                System.arraycopy(d, at + i * ldd, c, co + i * ldc, width);
            }
        }
        for (int i = 0; i < m; i += rows) {
            tiles(Math.min(rows, m - i), vectors, kc, a, ao + i * kc, 1, rows, b, bo, width, c, co + i * ldc, ldc,
                    d != null);
        }
    }

    /** c[co + j] (+)= sum over k of a[ao + k] * b[bo + j*bs + k], for {@code n} dot products of length {@code k}. */
    void dots(int n, int k, float[] a, int ao, float[] b, int bo, int bs, float[] c, int co, boolean accumulate);

    /**
     * Joins rows of windows: {@code to[at + (p*rows + r)*n + i] = x[xo + p*xs + r*rs + i]} for p below {@code pixels}, r
     * below {@code rows}, i below n. May read and write up to two vectors beyond the end of what is asked for.
     */
    void windows(int pixels, int rows, int n, float[] x, int xo, int xs, int rs, float[] to, int at);

    /** to[at + c*ts + r] = b[bo + r*bs + c]: a matrix of {@code rows} x {@code columns} becomes its transpose. */
    void transpose(int rows, int columns, float[] b, int bo, int bs, float[] to, int at, int ts);

    /**
     * Input transform B'dB of Winograd for one tile with {@code rows} x {@code cols} results (each 2 to 4) and
     * {@code channels} channels: position e of the 36 goes to {@code v[vo + e*vs + channel]}, unless such a tile does
     * not use it (see {@link WinogradTiles}).
     *
     * @param rs stride from row to row of x, of which {@code rows + 2} are read
     * @param cs stride from pixel to pixel of x
     * @param t working space of {@link #WINOGRAD_SPACE} floats, as in the methods below
     */
    void winogradInput(int rows, int cols, float[] x, int xo, int rs, int cs, int channels, float[] v, int vo, int vs,
            float[] t);

    /** Weight transform GgG' for {@code n} neighbouring weights; tap i is read from w[wo + i*ws], i = 3*ky + kx. */
    void winogradWeights(float[] w, int wo, int ws, int n, float[] u, int uo, int us, float[] t);

    /**
     * Positions 0 to 17 ({@code half} 0) or 18 to 35 (1) of {@link #winogradWeights}, the same bits: to u[uo + i*us] for the
     * i-th of them.
     */
    void winogradWeightsHalf(int half, float[] w, int wo, int ws, int n, float[] u, int uo, int us, float[] t);

    /**
     * Output transform A'mA for one tile with {@code rows} x {@code cols} results: writes the first {@code down} x
     * {@code across} of them to y.
     */
    void winogradOutput(int rows, int cols, float[] m, int mo, int ms, int channels, float[] y, int yo, int rs, int cs,
            int down, int across, float[] t);

    /** Adjoint of the output transform, A dy A': the results' gradients to 36 values, as {@link #winogradInput}. */
    void winogradOutputGradient(int rows, int cols, float[] dy, int dyo, int rs, int cs, int channels, float[] v, int vo,
            int vs, float[] t);

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
