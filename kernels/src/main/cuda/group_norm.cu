// Group norm of [N, pixels, C]: per image over the pixels and the C / groups channels of a group (Wu and He 2018,
// arXiv:1803.08494). Statistics are taken for every channel of an image first, as in batch norm, then merged.
// T: element type of x.  W: that of scale, shift and statistics.  V: channels that are read at once.
// Twin: dev.graft.tensor.reference.ReferenceNorm.
#include "rows.cuh"
#include "tiles.cuh"

typedef acc_t<T> A;

/** moments: [2, N * C], mean less the first pixel and sum of squared deviations of every channel of every image. */
extern "C" __global__ void __launch_bounds__(TILE) group_norm_moments(const T *x, A *moments, A *partial, u32 *counters,
                                                                      Tiles t) {
    __shared__ A buffer[(2 * V + 1) * TILE];
    Cell c = cell_of(t);
    Moments<V, A> m;
    A pivot[V];
    if (all_moments<V>(x, pivot, m, buffer, partial, counters, t, c)) {
        store_wide<V>(moments, c.column, m.mean);
        store_wide<V>(moments + t.columns * V, c.column, m.m2);
    }
}

/**
 * One warp for each group of an image; statistics: [2, N * groups], as computed, mean and rstd in W. Means are merged
 * relative to the group's first element, so that a mean far from zero costs no digits.
 */
extern "C" __global__ void __launch_bounds__(256) group_norm_merge(const T *x, const A *moments, A *statistics, W *mean,
                                                                   W *rstd, i64 groups, i32 perImage, i64 width, i64 pixels,
                                                                   double eps) {
    i64 g = ((i64) blockIdx.x * blockDim.x + threadIdx.x) >> 5;
    i32 lane = threadIdx.x & 31;
    if (g >= groups) return;                           // a whole warp
    const A *means = moments + g * width, *m2 = moments + (groups + g) * width;
    const T *first = x + g / perImage * (pixels - 1) * perImage * width + g * width;
    A pivot = to_acc(first[0]), s = 0, q = 0;
    for (i64 i = lane; i < width; i += 32) s += means[i] + (to_acc(first[i]) - pivot);
    A m = warp_sum(s) / (A) width;
    for (i64 i = lane; i < width; i += 32) {
        A d = means[i] + (to_acc(first[i]) - pivot) - m;
        q += m2[i] + d * d * (A) pixels;
    }
    A r = rsqrt_of(warp_sum(q) / ((A) width * (A) pixels) + (A) eps);
    if (lane == 0) {
        statistics[g] = pivot + m;
        statistics[groups + g] = r;
        mean[g] = from_acc<W>(pivot + m);
        rstd[g] = from_acc<W>(r);
    }
}

/** {@code width}: channels of a group; inner vectors make the C channels. */
extern "C" __global__ void __launch_bounds__(TILE) group_norm_apply(const T *x, const W *gamma, const W *beta,
                                                                    const A *statistics, T *y, i64 groups, i32 width,
                                                                    Tiles t) {
    Cell c = cell_of(t);
    if (!c.in) return;
    A mean[V], scale[V], shift[V];
    load_wide<V>(gamma, c.at, scale);
    load_wide<V>(beta, c.at, shift);
    i64 perImage = t.inner * V / width;
#pragma unroll
    for (int k = 0; k < V; k++) {
        i64 g = c.outer * perImage + (i32) (c.at * V + k) / width;
        mean[k] = statistics[g];
        scale[k] *= statistics[groups + g];
    }
    EACH_BATCH(r) {
        Vec<T, V> vx[AT_ONCE];
        load_rows(x, t, c, r, vx);
#pragma unroll
        for (int u = 0; u < AT_ONCE; u++) {
            i64 row = r + u * c.ways;
            if (row >= c.end) break;
            A f[V];
            unpack(vx[u], f);
#pragma unroll
            for (int k = 0; k < V; k++) f[k] = (f[k] - mean[k]) * scale[k] + shift[k];
            store_packed<V>(y, c.base + row * t.inner, f);
        }
    }
}

/** sums: [2, N * C], of dy and of dy * (x - mean) * rstd for every channel of every image. */
extern "C" __global__ void __launch_bounds__(TILE) group_norm_sums(const T *dy, const T *x, const W *mean, const W *rstd,
                                                                   A *sums, A *partial, u32 *counters, i32 width, Tiles t) {
    __shared__ A buffer[2 * V * TILE];
    Cell c = cell_of(t);
    A s[2 * V], m[V], scale[V];
#pragma unroll
    for (int k = 0; k < 2 * V; k++) s[k] = 0;
    if (c.in) {
        i64 perImage = t.inner * V / width;
#pragma unroll
        for (int k = 0; k < V; k++) {
            i64 g = c.outer * perImage + (i32) (c.at * V + k) / width;
            m[k] = to_acc(mean[g]);
            scale[k] = to_acc(rstd[g]);
        }
        EACH_BATCH(r) {
            Vec<T, V> vg[AT_ONCE], vx[AT_ONCE];
            load_rows(dy, t, c, r, vg);
            load_rows(x, t, c, r, vx);
#pragma unroll
            for (int u = 0; u < AT_ONCE; u++) {
                if (r + u * c.ways >= c.end) break;
                A g[V], f[V];
                unpack(vg[u], g);
                unpack(vx[u], f);
#pragma unroll
                for (int k = 0; k < V; k++) {
                    s[k] += g[k];
                    s[V + k] += g[k] * (f[k] - m[k]);
                }
            }
        }
#pragma unroll
        for (int k = 0; k < V; k++) s[V + k] *= scale[k];
    }
    if (column_sum<2 * V>(s, buffer, partial, counters, t, c)) {
        store_wide<V>(sums, c.column, s);
        store_wide<V>(sums + t.columns * V, c.column, s + V);
    }
}

/** One warp for each group of an image; means: [2, N * groups], of dy * gamma and of dy * gamma * h. */
extern "C" __global__ void __launch_bounds__(256) group_norm_means(const A *sums, const W *gamma, A *means, i64 groups,
                                                                   i32 perImage, i64 width, i64 pixels) {
    i64 g = ((i64) blockIdx.x * blockDim.x + threadIdx.x) >> 5;
    i32 lane = threadIdx.x & 31;
    if (g >= groups) return;                           // a whole warp
    const W *w = gamma + (g % perImage) * width;
    const A *s = sums + g * width, *h = sums + (groups + g) * width;
    A e = 0, eh = 0;
    for (i64 i = lane; i < width; i += 32) {
        e += s[i] * to_acc(w[i]);
        eh += h[i] * to_acc(w[i]);
    }
    A count = (A) width * (A) pixels;
    e = warp_sum(e) / count;
    eh = warp_sum(eh) / count;
    if (lane == 0) {
        means[g] = e;
        means[groups + g] = eh;
    }
}

#define PART (V < wide<A>::n ? V : wide<A>::n)

extern "C" __global__ void __launch_bounds__(TILE) group_norm_parameters(const A *sums, W *dgamma, W *dbeta, Tiles t) {
    __shared__ A buffer[PART * TILE];
    parameter_gradients<PART>(sums, dgamma, dbeta, t, buffer);
}

/** dx = rstd * (dy * gamma - mean(dy gamma) - h * mean(dy gamma h)), with h = (x - mean) * rstd. */
extern "C" __global__ void __launch_bounds__(TILE) group_norm_gradient(const T *dy, const T *x, const W *gamma,
                                                                       const W *mean, const W *rstd, const A *means, T *dx,
                                                                       i64 groups, i32 width, Tiles t) {
    Cell c = cell_of(t);
    if (!c.in) return;
    A m[V], w[V], scale[V], a[V], b[V];                // dx = scale * (dy * w - a - (x - m) * b)
    load_wide<V>(gamma, c.at, w);
    i64 perImage = t.inner * V / width;
#pragma unroll
    for (int k = 0; k < V; k++) {
        i64 g = c.outer * perImage + (i32) (c.at * V + k) / width;
        m[k] = to_acc(mean[g]);
        scale[k] = to_acc(rstd[g]);
        a[k] = means[g];
        b[k] = scale[k] * means[groups + g];
    }
    EACH_BATCH(r) {
        Vec<T, V> vg[AT_ONCE], vx[AT_ONCE];
        load_rows(dy, t, c, r, vg);
        load_rows(x, t, c, r, vx);
#pragma unroll
        for (int u = 0; u < AT_ONCE; u++) {
            i64 row = r + u * c.ways;
            if (row >= c.end) break;
            A g[V], f[V];
            unpack(vg[u], g);
            unpack(vx[u], f);
#pragma unroll
            for (int k = 0; k < V; k++) f[k] = scale[k] * (g[k] * w[k] - a[k] - (f[k] - m[k]) * b[k]);
            store_packed<V>(dx, c.base + row * t.inner, f);
        }
    }
}
