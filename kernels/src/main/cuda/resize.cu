// Resampling of [N, H, W, C] images to another size, nearest or bilinear. A thread computes V neighbouring channels of
// one pixel. Positions are exact fractions of whole numbers, so that no size makes weights inexact; the gradient gathers
// over the output pixels that read an input pixel.
// T: element type.  V: channels of a thread.  I: type that counts the threads' items, u32 or i64.  P: type that holds (2
// * in + 1) * out, u32 or i64.  MODE: 0 nearest, 1 bilinear, 2 bilinear with aligned corners.
// Twin: dev.graft.tensor.reference.ReferenceResize.
#include "pixels.cuh"

typedef acc_t<T> A;

/** One output position of an axis: it reads element low with weight 1 - part and element high with weight part. */
struct Tap { i32 low, high; A part; };

__device__ __forceinline__ Tap tap_of(i32 i, i32 in, i32 out) {
    Tap t;
    t.part = 0;
#if MODE == 0
    t.low = (i32) ((P) i * (P) in / (P) out);
#else
#if MODE == 1
    // (i + 1/2) in / out - 1/2, not below 0
    P n = (2 * (P) i + 1) * (P) in, d = 2 * (P) out;
    n = n > (P) out ? n - (P) out : 0;
#else
    P n = (P) i * (P) (in - 1), d = out > 1 ? (P) (out - 1) : 1;
    if (out == 1) n = 0;
#endif
    P whole = n / d;
    t.low = (i32) whole;
    t.part = (A) (n - whole * d) / (A) d;
#endif
    t.low = t.low < in - 1 ? t.low : in - 1;
    t.high = t.low + 1 < in ? t.low + 1 : in - 1;
    return t;
}

/** First and last output position that may read input element i. */
__device__ __forceinline__ void readers(i32 i, i32 in, i32 out, i32 &first, i32 &last) {
#if MODE == 0
    first = (i32) (((i64) i * out + in - 1) / in);
    last = (i32) (((i64) (i + 1) * out + in - 1) / in) - 1;
#else
#if MODE == 1
    // at(o) > i - 1 and at(o) < i + 1, the bounds rounded away
    i64 from = ((2 * (i64) i - 1) * out - in) / (2 * (i64) in) - 1;
    i64 to = ((2 * (i64) i + 3) * out - in) / (2 * (i64) in) + 1;
#else
    i64 d = in > 1 ? in - 1 : 1;
    i64 from = ((i64) i - 1) * (out - 1) / d - 1, to = ((i64) i + 1) * (out - 1) / d + 1;
#endif
    first = i == 0 || from < 0 ? 0 : (i32) from;
    last = i == in - 1 || to > out - 1 ? out - 1 : (i32) to;
#endif
}

__device__ __forceinline__ A weight_of(Tap t, i32 i) {
    return (t.low == i ? 1 - t.part : 0) + (t.high == i ? t.part : 0);
}

/** Passed by value, in this order. */
struct Sizes { i32 inH, inW, outH, outW, vectors; };

extern "C" __global__ void __launch_bounds__(256) resize(const T *x, T *y, i64 items, Sizes s) {
    GRID_STRIDE(i, items) {
        Pixel o = pixel_of((I) i, s.outH, s.outW, s.vectors);
        Tap h = tap_of(o.h, s.inH, s.outH), w = tap_of(o.w, s.inW, s.outW);
        i64 low = (o.image * s.inH + h.low) * s.inW;
#if MODE == 0
        store_vec<V>(y, i, load_vec<V>(x, (low + w.low) * s.vectors + o.v));
#else
        i64 high = (o.image * s.inH + h.high) * s.inW;
        A a[V], b[V], c[V], d[V];
        load_packed<V>(x, (low + w.low) * s.vectors + o.v, a);
        load_packed<V>(x, (low + w.high) * s.vectors + o.v, b);
        load_packed<V>(x, (high + w.low) * s.vectors + o.v, c);
        load_packed<V>(x, (high + w.high) * s.vectors + o.v, d);
        A p = 1 - h.part, q = 1 - w.part;
#pragma unroll
        for (int k = 0; k < V; k++) a[k] = p * (q * a[k] + w.part * b[k]) + h.part * (q * c[k] + w.part * d[k]);
        store_packed<V>(y, i, a);
#endif
    }
}

extern "C" __global__ void __launch_bounds__(256) resize_backward(const T *dy, T *dx, i64 items, Sizes s) {
    GRID_STRIDE(i, items) {
        Pixel o = pixel_of((I) i, s.inH, s.inW, s.vectors);
        i32 top, bottom, left, right;
        readers(o.h, s.inH, s.outH, top, bottom);
        readers(o.w, s.inW, s.outW, left, right);
        A sum[V];
#pragma unroll
        for (int k = 0; k < V; k++) sum[k] = 0;
        for (i32 a = top; a <= bottom; a++) {
            A row = MODE == 0 ? 1 : weight_of(tap_of(a, s.inH, s.outH), o.h);
            if (row == 0) continue;
            for (i32 b = left; b <= right; b++) {
                A by = MODE == 0 ? 1 : row * weight_of(tap_of(b, s.inW, s.outW), o.w);
                if (by == 0) continue;
                A g[V];
                load_packed<V>(dy, ((o.image * s.outH + a) * s.outW + b) * s.vectors + o.v, g);
#pragma unroll
                for (int k = 0; k < V; k++) sum[k] += g[k] * by;
            }
        }
        store_packed<V>(dx, i, sum);
    }
}
