// In front of every generated elementwise kernel: mathematics for float and double, and random numbers for N elements.
// FAST_MATH is defined where all values are float16 or bfloat16: the approximations are exact beyond their digits.

__device__ __forceinline__ float m_abs(float x) { return fabsf(x); }
__device__ __forceinline__ double m_abs(double x) { return fabs(x); }
__device__ __forceinline__ i64 m_abs(i64 x) { return x < 0 ? -x : x; }
__device__ __forceinline__ float m_floor(float x) { return floorf(x); }
__device__ __forceinline__ double m_floor(double x) { return floor(x); }
__device__ __forceinline__ float m_ceil(float x) { return ceilf(x); }
__device__ __forceinline__ double m_ceil(double x) { return ceil(x); }
__device__ __forceinline__ float m_rint(float x) { return rintf(x); }
__device__ __forceinline__ double m_rint(double x) { return rint(x); }
__device__ __forceinline__ float m_sqrt(float x) { return sqrtf(x); }
__device__ __forceinline__ double m_sqrt(double x) { return sqrt(x); }
#ifdef FAST_MATH
__device__ __forceinline__ float m_exp(float x) { return __expf(x); }
__device__ __forceinline__ float m_quotient(float x, float y) { return __fdividef(x, y); }
#else
__device__ __forceinline__ float m_exp(float x) { return expf(x); }
__device__ __forceinline__ float m_quotient(float x, float y) { return x / y; }
#endif
__device__ __forceinline__ double m_exp(double x) { return exp(x); }
__device__ __forceinline__ double m_quotient(double x, double y) { return x / y; }
__device__ __forceinline__ float m_expm1(float x) { return expm1f(x); }
__device__ __forceinline__ double m_expm1(double x) { return expm1(x); }
__device__ __forceinline__ float m_log(float x) { return logf(x); }
__device__ __forceinline__ double m_log(double x) { return log(x); }
__device__ __forceinline__ float m_log1p(float x) { return log1pf(x); }
__device__ __forceinline__ double m_log1p(double x) { return log1p(x); }
__device__ __forceinline__ float m_sin(float x) { return sinf(x); }
__device__ __forceinline__ double m_sin(double x) { return sin(x); }
__device__ __forceinline__ float m_cos(float x) { return cosf(x); }
__device__ __forceinline__ double m_cos(double x) { return cos(x); }
__device__ __forceinline__ float m_tanh(float x) { return tanhf(x); }
__device__ __forceinline__ double m_tanh(double x) { return tanh(x); }
__device__ __forceinline__ float m_erf(float x) { return erff(x); }
__device__ __forceinline__ double m_erf(double x) { return erf(x); }
__device__ __forceinline__ float m_pow(float x, float y) { return powf(x, y); }
__device__ __forceinline__ double m_pow(double x, double y) { return pow(x, y); }

/** The quotient's denominator is from 1 to 2. */
template <class A> __device__ __forceinline__ A m_sigmoid(A x) {
    A e = m_exp(-m_abs(x));
    return m_quotient(x >= A(0) ? A(1) : e, A(1) + e);
}
template <class A> __device__ __forceinline__ A m_softplus(A x) { return max_nan(x, A(0)) + m_log1p(m_exp(-m_abs(x))); }
template <class A> __device__ __forceinline__ A m_silu_slope(A x) {
    A s = m_sigmoid(x);
    return s * (A(1) + x * (A(1) - s));
}
template <class A> __device__ __forceinline__ A m_mish_slope(A x) {
    A w = m_tanh(m_softplus(x));
    return w + x * m_sigmoid(x) * (A(1) - w * w);
}
template <class A> __device__ __forceinline__ A m_gelu_tanh(A x) {
    return m_tanh(A(0.79788456080286535588) * (x + A(0.044715) * x * x * x));
}
template <class A> __device__ __forceinline__ A m_gelu_tanh_slope(A x) {
    A t = m_gelu_tanh(x);
    return A(0.5) * (A(1) + t)
            + A(0.5) * x * (A(1) - t * t) * A(0.79788456080286535588) * (A(1) + A(3 * 0.044715) * x * x);
}

/** Integers: what has no result leaves the error's number for the host and gives 0. */
__device__ __forceinline__ i64 m_divide(i64 x, i64 y, i32 *error, i32 number) {
    if (y == 0) {
        *error = number;
        return 0;
    }
    return y == -1 ? (i64) (0 - (u64) x) : x / y;
}
__device__ __forceinline__ i64 m_power(i64 x, i64 y, i32 *error, i32 number) {
    if (y < 0) {
        *error = number;
        return 0;
    }
    u64 z = 1;
    for (u64 b = (u64) x; y > 0; y >>= 1, b *= b) {
        if (y & 1) z *= b;
    }
    return (i64) z;
}

/** Philox words of elements first to first + N; N is 1, 2 or a multiple of 4, first a multiple of N. */
template <int N> __device__ __forceinline__ void philox_words(u64 seed, u64 stream, i64 first, u32 *w) {
    if constexpr (N >= 4) {
#pragma unroll
        for (int k = 0; k < N; k += 4) {
            uint4 block = philox(seed, stream, (u64) (first + k) >> 2);
            w[k] = block.x;
            w[k + 1] = block.y;
            w[k + 2] = block.z;
            w[k + 3] = block.w;
        }
    } else {
        uint4 block = philox(seed, stream, (u64) first >> 2);
#pragma unroll
        for (int k = 0; k < N; k++) w[k] = philox_word(block, (int) (first & 3) + k);
    }
}
