// Batch norm over [rows, C] (all axes of an image but the last), with an optional residual and activation behind it.
// Forward: one pass for the statistics, one for the result. Backward: one for the two sums per channel, one for dx (and
// dresidual, which is dy where the activation passed).
// Ioffe and Szegedy 2015, arXiv:1502.03167.
// T: element type of x.  W: that of scale, shift and statistics.  V: channels that are read at once.
// ACT: 0 none, 1 relu, 2 relu6.  RESIDUAL: 0 or 1.
// Twin: dev.graft.tensor.reference.ReferenceNorm.
#include "rows.cuh"
#include "tiles.cuh"

typedef acc_t<T> A;

/** statistics: [2, C], mean and 1/sqrt(var + eps) as they were computed; mean and invstd are the same in W. */
extern "C" __global__ void __launch_bounds__(TILE) batch_norm_statistics(const T *x, W *mean, W *invstd, A *statistics,
                                                                         A *partial, u32 *counters, Tiles t, double eps) {
    __shared__ A buffer[(2 * V + 1) * TILE];
    Cell c = cell_of(t);
    Moments<V, A> m;
    A pivot[V];
    if (all_moments<V>(x, pivot, m, buffer, partial, counters, t, c)) {
#pragma unroll
        for (int k = 0; k < V; k++) {
            i64 channel = c.at * V + k;
            A r = rsqrt_of(m.m2[k] / (A) t.rows + (A) eps), middle = pivot[k] + m.mean[k];
            statistics[channel] = middle;
            statistics[t.columns * V + channel] = r;
            mean[channel] = from_acc<W>(middle);
            invstd[channel] = from_acc<W>(r);
        }
    }
}

__device__ __forceinline__ A activation(A x) {
    return ACT == 0 ? x : x != x ? x : ACT == 1 ? (x > 0 ? x : 0) : x < 0 ? 0 : x > 6 ? 6 : x;
}

extern "C" __global__ void __launch_bounds__(TILE) batch_norm_apply(const T *x, const T *residual, const W *gamma,
                                                                    const W *beta, const A *statistics, T *y, Tiles t) {
    Cell c = cell_of(t);
    if (!c.in) return;
    A mean[V], scale[V], shift[V];
    load_wide<V>(statistics, c.at, mean);
    load_wide<V>(statistics + t.columns * V, c.at, scale);
    load_wide<V>(gamma, c.at, shift);
#pragma unroll
    for (int k = 0; k < V; k++) scale[k] *= shift[k];
    load_wide<V>(beta, c.at, shift);
    EACH_BATCH(r) {
        Vec<T, V> vx[AT_ONCE], vr[AT_ONCE];
        load_rows(x, t, c, r, vx);
        if (RESIDUAL) load_rows(residual, t, c, r, vr);
#pragma unroll
        for (int u = 0; u < AT_ONCE; u++) {
            i64 row = r + u * c.ways;
            if (row >= c.end) break;
            A f[V], more[V];
            unpack(vx[u], f);
            if (RESIDUAL) unpack(vr[u], more);
#pragma unroll
            for (int k = 0; k < V; k++) {
                A z = (f[k] - mean[k]) * scale[k] + shift[k];
                f[k] = activation(RESIDUAL ? z + more[k] : z);
            }
            store_packed<V>(y, c.base + row * t.inner, f);
        }
    }
}

/** dy where the activation passed, by the forward result. */
__device__ __forceinline__ A passed(A dy, A y) { return ACT == 0 || (y > 0 && (ACT == 1 || y < 6)) ? dy : 0; }

/** sums: [2, C], of g and of g * (x - mean) * invstd, where g is dy behind the activation. */
extern "C" __global__ void __launch_bounds__(TILE) batch_norm_sums(const T *dy, const T *x, const T *y, const W *mean,
                                                                   const W *invstd, A *sums, W *dgamma, W *dbeta,
                                                                   A *partial, u32 *counters, Tiles t) {
    __shared__ A buffer[2 * V * TILE];
    Cell c = cell_of(t);
    A s[2 * V], m[V];
#pragma unroll
    for (int k = 0; k < 2 * V; k++) s[k] = 0;
    if (c.in) {
        load_wide<V>(mean, c.at, m);
        EACH_BATCH(r) {
            Vec<T, V> vg[AT_ONCE], vx[AT_ONCE], vy[AT_ONCE];
            load_rows(dy, t, c, r, vg);
            load_rows(x, t, c, r, vx);
            if (ACT != 0) load_rows(y, t, c, r, vy);
#pragma unroll
            for (int u = 0; u < AT_ONCE; u++) {
                if (r + u * c.ways >= c.end) break;
                A g[V], f[V], o[V];
                unpack(vg[u], g);
                unpack(vx[u], f);
                if (ACT != 0) unpack(vy[u], o);
#pragma unroll
                for (int k = 0; k < V; k++) {
                    if (ACT != 0) g[k] = passed(g[k], o[k]);
                    s[k] += g[k];
                    s[V + k] += g[k] * (f[k] - m[k]);
                }
            }
        }
    }
    if (column_sum<2 * V>(s, buffer, partial, counters, t, c)) {
#pragma unroll
        for (int k = 0; k < V; k++) {
            i64 channel = c.at * V + k;
            A scaled = s[V + k] * to_acc(invstd[channel]);
            sums[channel] = s[k];
            sums[t.columns * V + channel] = scaled;
            dbeta[channel] = from_acc<W>(s[k]);
            dgamma[channel] = from_acc<W>(scaled);
        }
    }
}

/** dx = gamma * invstd * (g - mean(g) - h * mean(g h)), with h = (x - mean) * invstd. */
extern "C" __global__ void __launch_bounds__(TILE) batch_norm_gradient(const T *dy, const T *x, const T *y, const W *gamma,
                                                                       const W *mean, const W *invstd, const A *sums, T *dx,
                                                                       T *dresidual, Tiles t) {
    Cell c = cell_of(t);
    if (!c.in) return;
    A m[V], scale[V], a[V], b[V];                      // dx = scale * (g - a - (x - m) * b)
    A share = 1 / (A) t.rows;
    load_wide<V>(mean, c.at, m);
    load_wide<V>(invstd, c.at, scale);
    load_wide<V>(sums + t.columns * V, c.at, b);
    load_wide<V>(gamma, c.at, a);
#pragma unroll
    for (int k = 0; k < V; k++) {
        b[k] *= scale[k] * share;
        scale[k] *= a[k];
    }
    load_wide<V>(sums, c.at, a);
#pragma unroll
    for (int k = 0; k < V; k++) a[k] *= share;
    EACH_BATCH(r) {
        Vec<T, V> vg[AT_ONCE], vx[AT_ONCE], vy[AT_ONCE];
        load_rows(dy, t, c, r, vg);
        load_rows(x, t, c, r, vx);
        if (ACT != 0) load_rows(y, t, c, r, vy);
#pragma unroll
        for (int u = 0; u < AT_ONCE; u++) {
            i64 row = r + u * c.ways;
            if (row >= c.end) break;
            A g[V], f[V], o[V];
            unpack(vg[u], g);
            unpack(vx[u], f);
            if (ACT != 0) unpack(vy[u], o);
#pragma unroll
            for (int k = 0; k < V; k++) {
                if (ACT != 0) g[k] = passed(g[k], o[k]);
                f[k] = scale[k] * (g[k] - a[k] - (f[k] - m[k]) * b[k]);
            }
            store_packed<V>(dx, c.base + row * t.inner, f);
            if (RESIDUAL) store_packed<V>(dresidual, c.base + row * t.inner, g);
        }
    }
}
