// Columns of [outer, rows, inner] reduced over the rows. A block of 256 threads is a tile of {@code lanes} columns
// (vectors of inner; columns of neighbouring outer follow each other) by 256 / lanes threads that share the rows. The
// rows may also be split over several blocks, of which the last to finish merges what all have left in memory: always in
// the same order, so the result has the same bits in every run.

#define TILE 256

/** Passed by value, in this order. */
struct Tiles {
    i64 rows;       // to reduce over
    i64 inner;      // vectors from one row to the next
    i64 columns;    // outer * inner, in vectors
    i64 splits;     // blocks that share the rows of a tile
    i64 chunk;      // rows of one split
    i64 lanes;      // a power of two
};

/** What a thread works on. */
struct Cell {
    i32 x, y;       // column and row in the tile
    i32 lanes;      // columns of the tile
    i32 ways;       // threads that share a column
    i32 split;
    i64 tile;
    i64 column;     // of all, in vectors
    i64 outer;      // the column's outer index
    i64 at;         // the column's index within inner
    i64 base;       // the vector of row 0
    i64 begin, end; // rows of this split
    bool in;        // whether there is such a column
};

__device__ __forceinline__ Cell cell_of(Tiles t) {
    Cell c;
    c.lanes = (i32) t.lanes;
    c.x = (i32) threadIdx.x & (c.lanes - 1);
    c.y = (i32) threadIdx.x >> (31 - __clz(c.lanes));
    c.ways = TILE >> (31 - __clz(c.lanes));
    u32 splits = (u32) t.splits;
    c.split = (i32) (blockIdx.x % splits);
    c.tile = blockIdx.x / splits;
    c.column = c.tile * c.lanes + c.x;
    c.in = c.column < t.columns;
    c.outer = t.columns == t.inner ? 0 : c.column / t.inner;
    c.at = c.column - c.outer * t.inner;
    c.base = c.outer * t.rows * t.inner + c.at;
    c.begin = c.split * t.chunk;
    c.end = c.begin + t.chunk < t.rows ? c.begin + t.chunk : t.rows;
    return c;
}

/** Rows that a thread has under way at a time: so many loads are issued before the first is used. */
#define AT_ONCE 4

/** The vectors of the rows r, r + ways, ... of a column, as far as there are such rows. */
template <int N, class E> __device__ __forceinline__ void load_rows(const E *p, Tiles t, Cell c, i64 r, Vec<E, N> *v) {
#pragma unroll
    for (int u = 0; u < AT_ONCE; u++) {
        if (r + u * c.ways < c.end) v[u] = load_vec<N>(p, c.base + (r + u * c.ways) * t.inner);
    }
}
#define EACH_BATCH(r) for (i64 r = c.begin + c.y; r < c.end; r += AT_ONCE * c.ways)

/**
 * Whether this block is the last of {@code blocks} that come here with this counter, which is 0 before and after; what the
 * others wrote before is then visible. All threads of the block call it.
 */
__device__ __forceinline__ bool last_block(u32 *counter, u32 blocks) {
    __shared__ int last;
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) {
        last = atomicAdd(counter, 1u) == blocks - 1;
        if (last) *counter = 0;
    }
    __syncthreads();
    if (last) __threadfence();
    return last;
}

/** The sums of N values over the threads of a column, in those with y = 0. {@code buffer} holds N * TILE values. */
template <int N, class A> __device__ __forceinline__ void tile_sum(A *v, A *buffer, Cell c) {
#pragma unroll
    for (int k = 0; k < N; k++) buffer[k * TILE + threadIdx.x] = v[k];
    for (i32 half = c.ways >> 1; half > 0; half >>= 1) {
        __syncthreads();
        if (c.y < half) {
#pragma unroll
            for (int k = 0; k < N; k++) buffer[k * TILE + threadIdx.x] += buffer[k * TILE + threadIdx.x + half * c.lanes];
        }
    }
    __syncthreads();
#pragma unroll
    for (int k = 0; k < N; k++) v[k] = buffer[k * TILE + threadIdx.x];
    __syncthreads();
}

/**
 * tile_sum over all splits too. True in the threads that hold the sums of a column then: those with y = 0 of the last block.
 * {@code partial} holds [splits, N, columns] values.
 */
template <int N, class A> __device__ __forceinline__ bool column_sum(A *v, A *buffer, A *partial, u32 *counters, Tiles t,
                                                                     Cell c) {
    tile_sum<N>(v, buffer, c);
    if (t.splits > 1) {
        if (c.y == 0 && c.in) {
#pragma unroll
            for (int k = 0; k < N; k++) partial[((i64) c.split * N + k) * t.columns + c.column] = v[k];
        }
        if (!last_block(counters + c.tile, (u32) t.splits)) return false;
#pragma unroll
        for (int k = 0; k < N; k++) v[k] = 0;
        if (c.in) {
            for (i64 s = c.y; s < t.splits; s += c.ways) {
#pragma unroll
                for (int k = 0; k < N; k++) v[k] += __ldcg(partial + (s * N + k) * t.columns + c.column);
            }
        }
        tile_sum<N>(v, buffer, c);
    }
    return c.y == 0 && c.in;
}

/**
 * The second stage of gradients of scale and shift: sums over the rows of [2, rows, inner], the first to {@code shift}, the
 * second to {@code scale}. N elements make a vector; the tile is not split.
 */
template <int N, class A, class P> __device__ __forceinline__ void parameter_gradients(const A *sums, P *scale, P *shift,
                                                                                       Tiles t, A *buffer) {
    Cell c = cell_of(t);
    A v[N];
#pragma unroll
    for (int k = 0; k < N; k++) v[k] = 0;
    if (c.in) {
        EACH_BATCH(r) {
            Vec<A, N> a[AT_ONCE];
            load_rows(sums, t, c, r, a);
#pragma unroll
            for (int u = 0; u < AT_ONCE; u++) {
#pragma unroll
                for (int k = 0; k < N; k++) v[k] += r + u * c.ways < c.end ? a[u].v[k] : 0;
            }
        }
    }
    tile_sum<N>(v, buffer, c);
    if (c.y == 0 && c.in) {
        P *to = c.outer == 0 ? shift : scale;
#pragma unroll
        for (int k = 0; k < N; k++) to[c.at * N + k] = from_acc<P>(v[k]);
    }
}

/** Mean and sum of squared deviations of {@code n} values for each of N channels. */
template <int N, class A> struct Moments { A n; A mean[N]; A m2[N]; };

/** Takes in m values with this mean and sum of squared deviations (Chan, Golub and LeVeque 1979). */
template <class A> __device__ __forceinline__ void add_moments(A n, A &mean, A &m2, A share, A mean2, A more) {
    A d = mean2 - mean;                 // share is m / (n + m)
    mean += d * share;
    m2 += more + d * d * n * share;
}

/**
 * Moments of a thread's share of a column: the rows begin + y, begin + y + ways, ... below end. Four rows at a time are
 * averaged in registers, then merged, which needs one division for all channels. All values are taken relative to
 * {@code pivot}, the column's first: a mean far from zero costs no digits.
 */
template <int N, class E> __device__ __forceinline__ void column_moments(const E *x, Tiles t, Cell c, const acc_t<E> *pivot,
                                                                         Moments<N, acc_t<E>> &m) {
    typedef acc_t<E> A;
    m.n = 0;
#pragma unroll
    for (int k = 0; k < N; k++) {
        m.mean[k] = 0;
        m.m2[k] = 0;
    }
    if (!c.in) return;
    i64 r = c.begin + c.y, step = c.ways;
    for (; r + 3 * step < c.end; r += 4 * step) {
        Vec<E, N> v[4];
#pragma unroll
        for (int u = 0; u < 4; u++) v[u] = load_vec<N>(x, c.base + (r + u * step) * t.inner);
        A f[4][N];
#pragma unroll
        for (int u = 0; u < 4; u++) unpack(v[u], f[u]);
        A share = 4 / (m.n + 4);
#pragma unroll
        for (int k = 0; k < N; k++) {
#pragma unroll
            for (int u = 0; u < 4; u++) f[u][k] -= pivot[k];
            A mean = (A) 0.25 * ((f[0][k] + f[1][k]) + (f[2][k] + f[3][k])), q = 0;
#pragma unroll
            for (int u = 0; u < 4; u++) {
                A d = f[u][k] - mean;
                q += d * d;
            }
            add_moments(m.n, m.mean[k], m.m2[k], share, mean, q);
        }
        m.n += 4;
    }
    for (; r < c.end; r += step) {
        A f[N];
        load_packed<N>(x, c.base + r * t.inner, f);
        A share = 1 / (m.n + 1);
#pragma unroll
        for (int k = 0; k < N; k++) add_moments(m.n, m.mean[k], m.m2[k], share, f[k] - pivot[k], (A) 0);
        m.n += 1;
    }
}

/** Merges the moments of the threads of a column into those with y = 0; buffer: (2 * N + 1) * TILE values. */
template <int N, class A> __device__ __forceinline__ void tile_moments(Moments<N, A> &m, A *buffer, Cell c) {
    A *count = buffer + 2 * N * TILE + threadIdx.x, *mean = buffer + threadIdx.x, *m2 = buffer + N * TILE + threadIdx.x;
    *count = m.n;
#pragma unroll
    for (int k = 0; k < N; k++) {
        mean[k * TILE] = m.mean[k];
        m2[k * TILE] = m.m2[k];
    }
    for (i32 half = c.ways >> 1; half > 0; half >>= 1) {
        __syncthreads();
        i32 other = half * c.lanes;
        if (c.y < half && count[other] > 0) {
            A n = *count, share = count[other] / (n + count[other]);
#pragma unroll
            for (int k = 0; k < N; k++) {
                add_moments(n, mean[k * TILE], m2[k * TILE], share, mean[k * TILE + other], m2[k * TILE + other]);
            }
            *count = n + count[other];
        }
    }
    __syncthreads();
    m.n = *count;
#pragma unroll
    for (int k = 0; k < N; k++) {
        m.mean[k] = mean[k * TILE];
        m.m2[k] = m2[k * TILE];
    }
    __syncthreads();
}

/**
 * The moments of whole columns relative to their first values, which become {@code pivot}; true in the threads that hold
 * them: those with y = 0 of a tile's last block.
 * {@code partial} holds [splits, 2, N, columns] values.
 */
template <int N, class E> __device__ __forceinline__ bool all_moments(const E *x, acc_t<E> *pivot, Moments<N, acc_t<E>> &m,
                                                                      acc_t<E> *buffer, acc_t<E> *partial, u32 *counters,
                                                                      Tiles t, Cell c) {
    typedef acc_t<E> A;
    if (c.in) load_packed<N>(x, c.base, pivot);
    column_moments<N>(x, t, c, pivot, m);
    tile_moments<N>(m, buffer, c);
    if (t.splits > 1) {
        if (c.y == 0 && c.in) {
#pragma unroll
            for (int k = 0; k < N; k++) {
                partial[((i64) c.split * 2 * N + k) * t.columns + c.column] = m.mean[k];
                partial[((i64) c.split * 2 * N + N + k) * t.columns + c.column] = m.m2[k];
            }
        }
        if (!last_block(counters + c.tile, (u32) t.splits)) return false;
        m.n = 0;
#pragma unroll
        for (int k = 0; k < N; k++) {
            m.mean[k] = 0;
            m.m2[k] = 0;
        }
        if (c.in) {
            for (i64 s = c.y; s < t.splits; s += c.ways) {
                i64 left = t.rows - s * t.chunk;
                A n = (A) (left < t.chunk ? left : t.chunk), share = n / (m.n + n);
#pragma unroll
                for (int k = 0; k < N; k++) {
                    add_moments(m.n, m.mean[k], m.m2[k], share, __ldcg(partial + (s * 2 * N + k) * t.columns + c.column),
                            __ldcg(partial + (s * 2 * N + N + k) * t.columns + c.column));
                }
                m.n += n;
            }
        }
        tile_moments<N>(m, buffer, c);
    }
    return c.y == 0 && c.in;
}
