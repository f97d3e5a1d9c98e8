// Tensors from nothing. ELEMENT is the element type; arithmetic is double and never contracted, so that the bits are those
// of the CPU.

#ifdef __CUDACC__
__device__ __forceinline__ double at_step(double start, double step, double i) {
    return __dadd_rn(start, __dmul_rn(step, i));
}
#else
__device__ __forceinline__ double at_step(double start, double step, double i) {
    volatile double product = step * i;
    return start + product;
}
#endif

/** Repeats 8 bytes over {@code bytes} bytes, 16 at a time; y is aligned to 16. */
extern "C" __global__ void fill(u8 *y, u64 pattern, i64 bytes) {
    uint4 wide;
    wide.x = wide.z = (u32) pattern;
    wide.y = wide.w = (u32) (pattern >> 32);
    GRID_STRIDE(i, bytes >> 4) reinterpret_cast<uint4 *>(y)[i] = wide;
    GRID_STRIDE(k, bytes & 15) y[(bytes & ~15LL) + k] = (u8) (pattern >> 8 * (k & 7));
}

#ifdef ELEMENT
typedef ELEMENT T;

extern "C" __global__ void arange(T *y, double start, double step, i64 n) {
    GRID_STRIDE(i, n) y[i] = from_acc<T>(at_step(start, step, (double) i));
}

#ifdef RANDOM
/** The numbers a thread has made, elements 4 * block to 4 * block + 4; y is aligned to 16 bytes. */
__device__ __forceinline__ void store_four(T *y, i64 block, i64 n, const T *v) {
    if (4 * block + 4 <= n) {
        store_chunk<4>(y, block, v);
        return;
    }
#pragma unroll
    for (int k = 0; k < 4; k++) {
        if (4 * block + k < n) y[4 * block + k] = v[k];
    }
}

/** a + (b - a) u for u from 0 to below 1 in steps of 2^-24; what rounds to {@code bound} becomes the number below it. */
extern "C" __global__ void uniform(T *y, u64 seed, u64 stream, const u64 *shift, double a, double range, double bound,
        T below, i64 n) {
    const u64 shifted = stream + *shift;
    GRID_STRIDE(block, (n + 3) >> 2) {
        uint4 w = philox(seed, shifted, (u64) block);
        T v[4];
#pragma unroll
        for (int k = 0; k < 4; k++) {
            v[k] = from_acc<T>(at_step(a, range, (philox_word(w, k) >> 8) * 5.9604644775390625e-8));
            if (v[k] >= bound) v[k] = below;
        }
        store_four(y, block, n, v);
    }
}

/** {@code value} where u < p, else 0; threshold = ceil(p 2^24). */
extern "C" __global__ void bernoulli(T *y, u64 seed, u64 stream, const u64 *shift, u32 threshold, double value, i64 n) {
    const u64 shifted = stream + *shift;
    GRID_STRIDE(block, (n + 3) >> 2) {
        uint4 w = philox(seed, shifted, (u64) block);
        T v[4];
#pragma unroll
        for (int k = 0; k < 4; k++) v[k] = philox_below(philox_word(w, k), threshold) ? (T) value : (T) 0;
        store_four(y, block, n, v);
    }
}

/** a + b z for normal z, by Box and Muller, two at a time. */
extern "C" __global__ void normal(T *y, u64 seed, u64 stream, const u64 *shift, double a, double b, i64 n) {
    const u64 shifted = stream + *shift;
    GRID_STRIDE(block, (n + 3) >> 2) {
        uint4 w = philox(seed, shifted, (u64) block);
        T v[4];
#pragma unroll
        for (int k = 0; k < 4; k += 2) {
            double r = sqrt(-2.0 * log(((double) philox_word(w, k) + 1.0) * 2.3283064365386962890625e-10));
            double t = 6.283185307179586476925 * (philox_word(w, k + 1) * 2.3283064365386962890625e-10);
            v[k] = (T) at_step(a, b, r * cos(t));
            v[k + 1] = (T) at_step(a, b, r * sin(t));
        }
        store_four(y, block, n, v);
    }
}
#endif
#endif
