// Layer norm over rows (Ba et al. 2016, arXiv:1607.06450). Forward: a row is read once and stays in registers, mean
// first, then squared deviations. Backward: dx in the same way, while every thread sums dy and dy * h of its columns
// over all rows that its block works on; a second launch adds up what the blocks have left, always in the same order.
// T: element type of x.  W: that of scale, shift and statistics.  V: elements that are read at once.
// Twin: dev.graft.tensor.reference.ReferenceNorm.
#include "rows.cuh"
#include "tiles.cuh"

typedef acc_t<T> A;

template <int EACH> __device__ __forceinline__ void layer_norm(const T *x, const W *gamma, const W *beta, T *y, W *mean,
                                                               W *rstd, i64 rows, i32 vectors, i32 team, double eps) {
    __shared__ A scratch[32];
    Place p = place_of(team);
    A count = (A) vectors * V;
    for (i64 first = (i64) blockIdx.x * p.teams; first < rows; first += (i64) gridDim.x * p.teams) {
        i64 row = first + p.sub;
        i32 end = row < rows ? vectors : 0;
        A v[EACH][V];
        A s = 0, q = 0;
#pragma unroll
        for (int j = 0; j < EACH; j++) {
            i32 i = p.lane + j * team;
            if (i < end) {
                load_packed<V>(x + row * vectors * V, i, v[j]);
            } else {
#pragma unroll
                for (int k = 0; k < V; k++) v[j][k] = 0;
            }
        }
#pragma unroll
        for (int j = 0; j < EACH; j++) {
#pragma unroll
            for (int k = 0; k < V; k++) s += v[j][k];
        }
        A m = team_sum(s, team, scratch) / count;
#pragma unroll
        for (int j = 0; j < EACH; j++) {
            if (p.lane + j * team < end) {
#pragma unroll
                for (int k = 0; k < V; k++) {
                    v[j][k] -= m;
                    q += v[j][k] * v[j][k];
                }
            }
        }
        A r = rsqrt_of(team_sum(q, team, scratch) / count + (A) eps);
#pragma unroll
        for (int j = 0; j < EACH; j++) {
            i32 i = p.lane + j * team;
            if (i < end) {
                A g[V], b[V];
                load_wide<V>(gamma, i, g);
                load_wide<V>(beta, i, b);
#pragma unroll
                for (int k = 0; k < V; k++) g[k] = v[j][k] * r * g[k] + b[k];
                store_packed<V>(y + row * vectors * V, i, g);
            }
        }
        if (p.lane == 0 && end > 0) {
            mean[row] = from_acc<W>(m);
            rstd[row] = from_acc<W>(r);
        }
    }
}

/** partial: [2, blocks, C], sums of dy and of dy * h. Dynamic shared memory: 2 * C values if a team is part of a warp. */
template <int EACH> __device__ __forceinline__ void layer_norm_backward(const T *dy, const T *x, const W *gamma,
                                                                        const W *mean, const W *rstd, T *dx, A *partial,
                                                                        i64 rows, i32 vectors, i32 team) {
    __shared__ A scratch[32];
    DYN_SHARED(A, sums);
    Place p = place_of(team);
    A count = (A) vectors * V;
    A db[EACH][V], dg[EACH][V];
#pragma unroll
    for (int j = 0; j < EACH; j++) {
#pragma unroll
        for (int k = 0; k < V; k++) {
            db[j][k] = 0;
            dg[j][k] = 0;
        }
    }
    for (i64 first = (i64) blockIdx.x * p.teams; first < rows; first += (i64) gridDim.x * p.teams) {
        i64 row = first + p.sub;
        i32 end = row < rows ? vectors : 0;
        i64 offset = row * vectors * V;
        Vec<T, V> vx[EACH], vg[EACH];
#pragma unroll
        for (int j = 0; j < EACH; j++) {
            i32 i = p.lane + j * team;
            if (i < end) {
                vx[j] = load_vec<V>(x + offset, i);
                vg[j] = load_vec<V>(dy + offset, i);
            }
        }
        A m = end > 0 ? to_acc(mean[row]) : 0, r = end > 0 ? to_acc(rstd[row]) : 0;
        A se = 0, seh = 0;
#pragma unroll
        for (int j = 0; j < EACH; j++) {
            i32 i = p.lane + j * team;
            if (i < end) {
                A f[V], g[V], w[V];
                unpack(vx[j], f);
                unpack(vg[j], g);
                load_wide<V>(gamma, i, w);
#pragma unroll
                for (int k = 0; k < V; k++) {
                    A h = (f[k] - m) * r, e = g[k] * w[k];
                    db[j][k] += g[k];
                    dg[j][k] += g[k] * h;
                    se += e;
                    seh += e * h;
                }
            }
        }
        se = team_sum(se, team, scratch) / count;
        seh = team_sum(seh, team, scratch) / count;
#pragma unroll
        for (int j = 0; j < EACH; j++) {
            i32 i = p.lane + j * team;
            if (i < end) {
                A f[V], g[V], w[V];
                unpack(vx[j], f);
                unpack(vg[j], g);
                load_wide<V>(gamma, i, w);
#pragma unroll
                for (int k = 0; k < V; k++) f[k] = r * (g[k] * w[k] - se - (f[k] - m) * r * seh);
                store_packed<V>(dx + offset, i, f);
            }
        }
    }
    i64 width = (i64) vectors * V;
    A *to = partial + blockIdx.x * width;
    i64 second = gridDim.x * width;
    if (team > 32) {                                   // each thread has columns of its own
#pragma unroll
        for (int j = 0; j < EACH; j++) {
            i32 i = p.lane + j * team;
            if (i < vectors) {
                store_wide<V>(to, i, db[j]);
                store_wide<V>(to + second, i, dg[j]);
            }
        }
        return;
    }
    for (i32 o = team; o < 32; o <<= 1) {              // the teams of a warp, then the warps one after the other
#pragma unroll
        for (int j = 0; j < EACH; j++) {
#pragma unroll
            for (int k = 0; k < V; k++) {
                db[j][k] += __shfl_xor_sync(FULL_WARP, db[j][k], o);
                dg[j][k] += __shfl_xor_sync(FULL_WARP, dg[j][k], o);
            }
        }
    }
    i32 lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    for (i32 turn = 0; turn < (i32) blockDim.x >> 5; turn++) {
        if (warp == turn && lane < team) {
#pragma unroll
            for (int j = 0; j < EACH; j++) {
                i32 i = lane + j * team;
                if (i < vectors) {
#pragma unroll
                    for (int k = 0; k < V; k++) {
                        A *b = sums + i * V + k, *g = b + width;
                        *b = turn == 0 ? db[j][k] : *b + db[j][k];
                        *g = turn == 0 ? dg[j][k] : *g + dg[j][k];
                    }
                }
            }
        }
        __syncthreads();
    }
    for (i64 i = threadIdx.x; i < width; i += blockDim.x) {
        to[i] = sums[i];
        to[second + i] = sums[width + i];
    }
}

#define KERNELS(NAME, EACH, THREADS) \
    extern "C" __global__ void __launch_bounds__(512) layer_norm_##NAME(const T *x, const W *gamma, const W *beta, T *y, \
                                                    W *mean, W *rstd, i64 rows, i32 vectors, i32 team, double eps) { \
        layer_norm<EACH>(x, gamma, beta, y, mean, rstd, rows, vectors, team, eps); \
    } \
    extern "C" __global__ void __launch_bounds__(THREADS) layer_norm_backward_##NAME(const T *dy, const T *x, \
            const W *gamma, const W *mean, const W *rstd, T *dx, A *partial, i64 rows, i32 vectors, i32 team) { \
        layer_norm_backward<EACH>(dy, x, gamma, mean, rstd, dx, partial, rows, vectors, team); \
    }
KERNELS(one, 1, 256)
KERNELS(some, 16 / V, 512)
KERNELS(many, 32 / V, 256)

#define PART (V < wide<A>::n ? V : wide<A>::n)

extern "C" __global__ void __launch_bounds__(TILE) layer_norm_parameters(const A *partial, W *dgamma, W *dbeta, Tiles t) {
    __shared__ A buffer[PART * TILE];
    parameter_gradients<PART>(partial, dgamma, dbeta, t, buffer);
}

// ------------------------------------------------------------------ rows that do not fit into registers

extern "C" __global__ void __launch_bounds__(512) layer_norm_long(const T *x, const W *gamma, const W *beta, T *y, W *mean,
                                                                  W *rstd, i64 rows, i32 vectors, i32 team, double eps) {
    __shared__ A scratch[32];
    A count = (A) vectors * V;
    for (i64 row = blockIdx.x; row < rows; row += gridDim.x) {
        const T *from = x + row * vectors * V;
        A s = 0, q = 0;
        for (i32 i = threadIdx.x; i < vectors; i += team) {
            A v[V];
            load_packed<V>(from, i, v);
#pragma unroll
            for (int k = 0; k < V; k++) s += v[k];
        }
        A m = team_sum(s, team, scratch) / count;
        for (i32 i = threadIdx.x; i < vectors; i += team) {
            A v[V];
            load_packed<V>(from, i, v);
#pragma unroll
            for (int k = 0; k < V; k++) q += (v[k] - m) * (v[k] - m);
        }
        A r = rsqrt_of(team_sum(q, team, scratch) / count + (A) eps);
        for (i32 i = threadIdx.x; i < vectors; i += team) {
            A v[V], g[V], b[V];
            load_packed<V>(from, i, v);
            load_wide<V>(gamma, i, g);
            load_wide<V>(beta, i, b);
#pragma unroll
            for (int k = 0; k < V; k++) v[k] = (v[k] - m) * r * g[k] + b[k];
            store_packed<V>(y + row * vectors * V, i, v);
        }
        if (threadIdx.x == 0) {
            mean[row] = from_acc<W>(m);
            rstd[row] = from_acc<W>(r);
        }
    }
}

extern "C" __global__ void __launch_bounds__(512) layer_norm_backward_long(const T *dy, const T *x, const W *gamma,
                                                                           const W *mean, const W *rstd, T *dx, i64 rows,
                                                                           i32 vectors, i32 team) {
    __shared__ A scratch[32];
    A count = (A) vectors * V;
    for (i64 row = blockIdx.x; row < rows; row += gridDim.x) {
        i64 offset = row * vectors * V;
        A m = to_acc(mean[row]), r = to_acc(rstd[row]), se = 0, seh = 0;
        for (i32 i = threadIdx.x; i < vectors; i += team) {
            A f[V], g[V], w[V];
            load_packed<V>(x + offset, i, f);
            load_packed<V>(dy + offset, i, g);
            load_wide<V>(gamma, i, w);
#pragma unroll
            for (int k = 0; k < V; k++) {
                se += g[k] * w[k];
                seh += g[k] * w[k] * (f[k] - m) * r;
            }
        }
        se = team_sum(se, team, scratch) / count;
        seh = team_sum(seh, team, scratch) / count;
        for (i32 i = threadIdx.x; i < vectors; i += team) {
            A f[V], g[V], w[V];
            load_packed<V>(x + offset, i, f);
            load_packed<V>(dy + offset, i, g);
            load_wide<V>(gamma, i, w);
#pragma unroll
            for (int k = 0; k < V; k++) f[k] = r * (g[k] * w[k] - se - (f[k] - m) * r * seh);
            store_packed<V>(dx + offset, i, f);
        }
    }
}

/** Sums of dy and dy * h over all rows of [1, rows, C]; partial: [splits, 2, C]. */
extern "C" __global__ void __launch_bounds__(TILE) layer_norm_sums(const T *dy, const T *x, const W *mean, const W *rstd,
                                                                   W *dgamma, W *dbeta, A *partial, u32 *counters, Tiles t) {
    __shared__ A buffer[2 * V * TILE];
    Cell c = cell_of(t);
    A s[2 * V];
#pragma unroll
    for (int k = 0; k < 2 * V; k++) s[k] = 0;
    if (c.in) {
        EACH_BATCH(r) {
            Vec<T, V> vg[AT_ONCE], vx[AT_ONCE];
            load_rows(dy, t, c, r, vg);
            load_rows(x, t, c, r, vx);
#pragma unroll
            for (int u = 0; u < AT_ONCE; u++) {
                i64 row = r + u * c.ways;
                if (row >= c.end) break;
                A f[V], g[V], m = to_acc(mean[row]), i = to_acc(rstd[row]);
                unpack(vx[u], f);
                unpack(vg[u], g);
#pragma unroll
                for (int k = 0; k < V; k++) {
                    s[k] += g[k];
                    s[V + k] += g[k] * (f[k] - m) * i;
                }
            }
        }
    }
    if (column_sum<2 * V>(s, buffer, partial, counters, t, c)) {
#pragma unroll
        for (int k = 0; k < V; k++) {
            dbeta[c.at * V + k] = from_acc<W>(s[k]);
            dgamma[c.at * V + k] = from_acc<W>(s[V + k]);
        }
    }
}
