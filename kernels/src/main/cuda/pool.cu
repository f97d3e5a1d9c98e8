// Pooling of [N, H, W, C] images. A thread computes V neighbouring channels of one pixel; the gradients gather over the
// windows that cover a pixel, so nothing is added in memory and the order of sums is fixed.
// T: element type.  V: channels of a thread.  I: type that counts the threads' items, u32 or i64.
// KERNEL: size of the window if it is square and should be unrolled, else 0.
// Twin: dev.graft.tensor.reference.ReferencePool.
#include "pixels.cuh"

typedef acc_t<T> A;

/** How windows walk along one axis. */
struct Axis {
    i32 size;       // of the image
    i32 out;        // windows
    i32 kernel;
    i32 stride;
    i32 before;     // padding
    i32 after;
};

/** Passed by value, in this order. */
struct Pool {
    Axis h, w;
    i32 vectors;    // of the channels
    i32 counts;     // whether a mean's divisor counts padding
};

/** Elements begin to end of an axis, and the factor of the mean's divisor. */
struct Window { i32 begin, end, divisor; };

template <bool ADAPTIVE> __device__ __forceinline__ Window window_of(Axis a, i32 i, i32 counts) {
    Window w;
    if (ADAPTIVE) {
        w.begin = (i32) ((i64) i * a.size / a.out);
        w.end = (i32) (((i64) (i + 1) * a.size + a.out - 1) / a.out);
        w.divisor = w.end - w.begin;
    } else {
        i32 begin = i * a.stride - a.before;
        i32 end = begin + a.kernel < a.size + a.after ? begin + a.kernel : a.size + a.after;
        w.begin = begin > 0 ? begin : 0;
        w.end = end < a.size ? end : a.size;
        w.divisor = counts ? end - begin : w.end - w.begin;
    }
    return w;
}

/** The first and last window that cover element i. */
template <bool ADAPTIVE> __device__ __forceinline__ Window covering(Axis a, i32 i) {
    Window w;
    if (ADAPTIVE) {
        w.begin = (i32) ((i64) i * a.out / a.size);
        w.end = (i32) (((i64) (i + 1) * a.out + a.size - 1) / a.size) - 1;
    } else {
        i32 from = i + a.before - a.kernel + 1;
        i32 last = (i + a.before) / a.stride;
        w.begin = from > 0 ? (from + a.stride - 1) / a.stride : 0;
        w.end = last < a.out ? last : a.out - 1;
    }
    w.divisor = 1;
    return w;
}

__device__ __forceinline__ void take_larger(A *best, i32 *winner, Vec<T, V> x, i32 place) {
    A f[V];
    unpack(x, f);
#pragma unroll
    for (int k = 0; k < V; k++) {
        if (f[k] > best[k] || (f[k] != f[k] && best[k] == best[k])) {
            best[k] = f[k];
            winner[k] = place;
        }
    }
}

__device__ __forceinline__ void store_places(i32 *p, i64 i, const i32 *x) {
    constexpr int M = V < 4 ? V : 4;
#pragma unroll
    for (int j = 0; j < V / M; j++) {
        Vec<i32, M> r;
#pragma unroll
        for (int k = 0; k < M; k++) r.v[k] = x[j * M + k];
        store_vec<M>(p, i * (V / M) + j, r);
    }
}
__device__ __forceinline__ void load_places(const i32 *p, i64 i, i32 *x) {
    constexpr int M = V < 4 ? V : 4;
#pragma unroll
    for (int j = 0; j < V / M; j++) {
        Vec<i32, M> r = load_vec<M>(p, i * (V / M) + j);
#pragma unroll
        for (int k = 0; k < M; k++) x[j * M + k] = r.v[k];
    }
}

/** The first of the largest elements, NaN above all, and its place h * W + w. */
extern "C" __global__ void __launch_bounds__(256) max_pool(const T *x, T *y, i32 *places, i64 items, Pool p) {
    GRID_STRIDE(i, items) {
        Pixel o = pixel_of((I) i, p.h.out, p.w.out, p.vectors);
        Window h = window_of<false>(p.h, o.h, 0), w = window_of<false>(p.w, o.w, 0);
        i64 image = o.image * p.h.size * p.w.size;
        i32 first = h.begin * p.w.size + w.begin;
        A best[V];
        i32 winner[V];
        load_packed<V>(x, (image + first) * p.vectors + o.v, best);
#pragma unroll
        for (int k = 0; k < V; k++) winner[k] = first;
#if KERNEL
        Vec<T, V> in[KERNEL * KERNEL];
#pragma unroll
        for (int a = 0; a < KERNEL; a++) {
#pragma unroll
            for (int b = 0; b < KERNEL; b++) {
                if (h.begin + a < h.end && w.begin + b < w.end) {
                    in[a * KERNEL + b] = load_vec<V>(x, (image + first + a * p.w.size + b) * p.vectors + o.v);
                }
            }
        }
#pragma unroll
        for (int a = 0; a < KERNEL; a++) {
#pragma unroll
            for (int b = 0; b < KERNEL; b++) {
                if (h.begin + a < h.end && w.begin + b < w.end) {
                    take_larger(best, winner, in[a * KERNEL + b], first + a * p.w.size + b);
                }
            }
        }
#else
        for (i32 a = h.begin; a < h.end; a++) {
            for (i32 b = w.begin; b < w.end; b++) {
                i32 place = a * p.w.size + b;
                take_larger(best, winner, load_vec<V>(x, (image + place) * p.vectors + o.v), place);
            }
        }
#endif
        store_packed<V>(y, i, best);
        store_places(places, i, winner);
    }
}

/** Each place must lie in its window. */
extern "C" __global__ void __launch_bounds__(256) max_pool_backward(const T *dy, T *dx, const i32 *places, i64 items,
                                                                    Pool p) {
    GRID_STRIDE(i, items) {
        Pixel o = pixel_of((I) i, p.h.size, p.w.size, p.vectors);
        Window h = covering<false>(p.h, o.h), w = covering<false>(p.w, o.w);
        i32 place = o.h * p.w.size + o.w;
        A s[V];
#pragma unroll
        for (int k = 0; k < V; k++) s[k] = 0;
        for (i32 a = h.begin; a <= h.end; a++) {
            for (i32 b = w.begin; b <= w.end; b++) {
                i64 at = ((o.image * p.h.out + a) * p.w.out + b) * p.vectors + o.v;
                A g[V];
                i32 from[V];
                load_packed<V>(dy, at, g);
                load_places(places, at, from);
#pragma unroll
                for (int k = 0; k < V; k++) s[k] += from[k] == place ? g[k] : 0;
            }
        }
        store_packed<V>(dx, i, s);
    }
}

template <bool ADAPTIVE> __device__ __forceinline__ void mean_pool(const T *x, T *y, i64 items, Pool p) {
    GRID_STRIDE(i, items) {
        Pixel o = pixel_of((I) i, p.h.out, p.w.out, p.vectors);
        Window h = window_of<ADAPTIVE>(p.h, o.h, p.counts), w = window_of<ADAPTIVE>(p.w, o.w, p.counts);
        A s[V];
#pragma unroll
        for (int k = 0; k < V; k++) s[k] = 0;
        for (i32 a = h.begin; a < h.end; a++) {
            i64 row = (o.image * p.h.size + a) * p.w.size;
            for (i32 b = w.begin; b < w.end; b += 4) {
                Vec<T, V> in[4];
#pragma unroll
                for (int u = 0; u < 4; u++) {
                    if (b + u < w.end) in[u] = load_vec<V>(x, (row + b + u) * p.vectors + o.v);
                }
#pragma unroll
                for (int u = 0; u < 4; u++) {
                    if (b + u >= w.end) break;
                    A f[V];
                    unpack(in[u], f);
#pragma unroll
                    for (int k = 0; k < V; k++) s[k] += f[k];
                }
            }
        }
        A by = 1 / ((A) h.divisor * (A) w.divisor);
#pragma unroll
        for (int k = 0; k < V; k++) s[k] *= by;
        store_packed<V>(y, i, s);
    }
}

template <bool ADAPTIVE> __device__ __forceinline__ void mean_pool_backward(const T *dy, T *dx, i64 items, Pool p) {
    GRID_STRIDE(i, items) {
        Pixel o = pixel_of((I) i, p.h.size, p.w.size, p.vectors);
        Window h = covering<ADAPTIVE>(p.h, o.h), w = covering<ADAPTIVE>(p.w, o.w);
        A s[V];
#pragma unroll
        for (int k = 0; k < V; k++) s[k] = 0;
        for (i32 a = h.begin; a <= h.end; a++) {
            A rows = (A) window_of<ADAPTIVE>(p.h, a, p.counts).divisor;
            for (i32 b = w.begin; b <= w.end; b++) {
                A by = 1 / (rows * (A) window_of<ADAPTIVE>(p.w, b, p.counts).divisor);
                A g[V];
                load_packed<V>(dy, ((o.image * p.h.out + a) * p.w.out + b) * p.vectors + o.v, g);
#pragma unroll
                for (int k = 0; k < V; k++) s[k] += g[k] * by;
            }
        }
        store_packed<V>(dx, i, s);
    }
}

extern "C" __global__ void __launch_bounds__(256) avg_pool(const T *x, T *y, i64 items, Pool p) {
    mean_pool<false>(x, y, items, p);
}
extern "C" __global__ void __launch_bounds__(256) avg_pool_backward(const T *dy, T *dx, i64 items, Pool p) {
    mean_pool_backward<false>(dy, dx, items, p);
}
extern "C" __global__ void __launch_bounds__(256) adaptive_pool(const T *x, T *y, i64 items, Pool p) {
    mean_pool<true>(x, y, items, p);
}
extern "C" __global__ void __launch_bounds__(256) adaptive_pool_backward(const T *dy, T *dx, i64 items, Pool p) {
    mean_pool_backward<true>(dy, dx, items, p);
}
