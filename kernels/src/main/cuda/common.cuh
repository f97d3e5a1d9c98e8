// What every kernel file begins with. It includes nothing: NVRTC has no headers; the emulated device (GRAFT_EMULATOR) has
// put its own definitions of the CUDA language in front. Functions here are __device__; a struct has no member functions, so
// that the same text is plain C++.

typedef signed char i8;
typedef short i16;
typedef int i32;
typedef long long i64;
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

/** bfloat16 and float16 as 16 bits; arithmetic is done in float. */
struct bf16 { u16 bits; };
struct half { u16 bits; };
/** A byte that is 0 or 1: DType.BOOL, apart from u8 for its conversions. */
struct bool8 { u8 bits; };

#ifndef DYN_SHARED
/** type *name = the block's dynamic shared memory, aligned to 16 bytes. */
#define DYN_SHARED(type, name) \
    extern __shared__ __align__(16) unsigned char dyn_shared_bytes[]; \
    type *name = reinterpret_cast<type *>(dyn_shared_bytes)
#endif

/** for every i below n, over the whole one-dimensional grid. */
#define GRID_STRIDE(i, n) \
    for (i64 i = (i64) blockIdx.x * blockDim.x + threadIdx.x, i##_step = (i64) gridDim.x * blockDim.x; i < (n); \
            i += i##_step)

#define FULL_WARP 0xffffffffu

__device__ __forceinline__ float inf_f() { return __int_as_float(0x7f800000); }
__device__ __forceinline__ float nan_f() { return __int_as_float(0x7fc00000); }

// ------------------------------------------------------------------ accumulators

/** What a type is computed and summed in: float; double for double; 64-bit integers for integers and bool. */
template <class T> struct acc { typedef i64 type; };
template <> struct acc<float> { typedef float type; };
template <> struct acc<double> { typedef double type; };
template <> struct acc<bf16> { typedef float type; };
template <> struct acc<half> { typedef float type; };
template <class T> using acc_t = typename acc<T>::type;

template <class T> struct is_float_type { static const bool value = false; };
template <> struct is_float_type<float> { static const bool value = true; };
template <> struct is_float_type<double> { static const bool value = true; };
template <> struct is_float_type<bf16> { static const bool value = true; };
template <> struct is_float_type<half> { static const bool value = true; };

// ------------------------------------------------------------------ float16 and bfloat16

__device__ __forceinline__ float bf16_to_float(u16 b) { return __int_as_float((int) ((u32) b << 16)); }

#ifdef __CUDACC__
__device__ __forceinline__ float half_to_float(u16 h) {
    float f;
    asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(h));
    return f;
}
__device__ __forceinline__ u16 float_to_half(float f) {
    u16 h;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h) : "f"(f));
    return h;
}
__device__ __forceinline__ u16 double_to_half(double d) {
    u16 h;
    asm("cvt.rn.f16.f64 %0, %1;" : "=h"(h) : "d"(d));
    return h;
}
#else
/** Exact: a subnormal half is its 10 bits times 2^-24. */
__device__ __forceinline__ float half_to_float(u16 h) {
    u32 sign = (u32) (h & 0x8000) << 16, magnitude = h & 0x7fff;
    if (magnitude >= 0x7c00) return __int_as_float((int) (sign | 0x7f800000 | (magnitude & 0x3ff) << 13));
    if (magnitude >= 0x0400) return __int_as_float((int) (sign | (magnitude + 0x1c000) << 13));
    return (sign ? -1.0f : 1.0f) * (magnitude * 5.9604644775390625e-8f);
}
/** Half to even, also below the smallest normal half. */
__device__ __forceinline__ u16 float_to_half(float f) {
    u32 bits = (u32) __float_as_int(f), sign = bits >> 16 & 0x8000, x = bits & 0x7fffffff;
    if (x > 0x7f800000) return (u16) (sign | 0x7e00);
    if (x >= 0x477ff000) return (u16) (sign | 0x7c00);                      // 65520 and more
    if (x >= 0x38800000) return (u16) (sign | (x - 0x38000000 + 0xfff + (x >> 13 & 1)) >> 13);
    if (x < 0x33000000) return (u16) sign;                                   // below 2^-25
    u32 shift = 126 - (x >> 23), mantissa = (x & 0x7fffff) | 0x800000;      // in units of 2^-24 after the shift
    u32 whole = mantissa >> shift, rest = mantissa & ((1u << shift) - 1), tie = 1u << (shift - 1);
    return (u16) (sign | (whole + (rest > tie || (rest == tie && (whole & 1)) ? 1 : 0)));
}
#endif

#if defined(__CUDACC__) && (!defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800)
__device__ __forceinline__ u16 float_to_bf16(float f) {
    u16 b;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(b) : "f"(f));
    return b;
}
/** Two conversions in one instruction; {@code low} goes into the lower 16 bits. */
__device__ __forceinline__ u32 float_to_bf16x2(float low, float high) {
    u32 b;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(b) : "f"(high), "f"(low));
    return b;
}
__device__ __forceinline__ u32 float_to_halfx2(float low, float high) {
    u32 h;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(h) : "f"(high), "f"(low));
    return h;
}
#else
__device__ __forceinline__ u16 float_to_bf16(float f) {
    u32 bits = (u32) __float_as_int(f);
    if ((bits & 0x7fffffff) > 0x7f800000) return (u16) (bits >> 16 | 0x40);  // a quiet NaN
    return (u16) ((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
__device__ __forceinline__ u32 float_to_bf16x2(float low, float high) {
    return (u32) float_to_bf16(low) | (u32) float_to_bf16(high) << 16;
}
__device__ __forceinline__ u32 float_to_halfx2(float low, float high) {
    return (u32) float_to_half(low) | (u32) float_to_half(high) << 16;
}
#endif

/**
 * The float beside d whose last bit is 1, or d itself if it is a float: rounded again to fewer bits it gives what rounding
 * d once would (Boldo and Melquiond 2005, "When double rounding is odd").
 */
__device__ __forceinline__ float round_to_odd(double d) {
    float f = (float) d;
    if ((double) f == d || f != f) return f;
    int bits = __float_as_int(f);
    double m = f < 0 ? -(double) f : (double) f, a = d < 0 ? -d : d;
    return __int_as_float((m > a ? bits - 1 : bits) | 1);
}
#ifndef __CUDACC__
__device__ __forceinline__ u16 double_to_half(double d) { return float_to_half(round_to_odd(d)); }
#endif

// ------------------------------------------------------------------ any type to a number and back

__device__ __forceinline__ float to_float(float x) { return x; }
__device__ __forceinline__ float to_float(double x) { return (float) x; }
__device__ __forceinline__ float to_float(bf16 x) { return bf16_to_float(x.bits); }
__device__ __forceinline__ float to_float(half x) { return half_to_float(x.bits); }
__device__ __forceinline__ float to_float(bool8 x) { return (float) x.bits; }
template <class T> __device__ __forceinline__ float to_float(T x) { return (float) x; }

/** The value in the type it is computed in: float, double or i64. */
__device__ __forceinline__ float to_acc(float x) { return x; }
__device__ __forceinline__ double to_acc(double x) { return x; }
__device__ __forceinline__ float to_acc(bf16 x) { return bf16_to_float(x.bits); }
__device__ __forceinline__ float to_acc(half x) { return half_to_float(x.bits); }
__device__ __forceinline__ i64 to_acc(bool8 x) { return (i64) x.bits; }
template <class T> __device__ __forceinline__ i64 to_acc(T x) { return (i64) x; }

// Java's (int) and (long): truncated and saturated, NaN is 0. Written out, since C++ leaves it open and chips differ.
__device__ __forceinline__ i64 truncate(double d) {
    return d != d ? 0 : d >= 9223372036854775808.0 ? 0x7fffffffffffffffLL
            : d < -9223372036854775808.0 ? -0x7fffffffffffffffLL - 1 : (i64) d;
}
__device__ __forceinline__ i64 truncate(float f) {
    return f != f ? 0 : f >= 9223372036854775808.0f ? 0x7fffffffffffffffLL
            : f < -9223372036854775808.0f ? -0x7fffffffffffffffLL - 1 : (i64) f;
}
template <class F> __device__ __forceinline__ i32 truncate_between(F x, i32 low, i32 high) {
    return x != x ? 0 : x >= (F) high ? high : x <= (F) low ? low : (i32) x;
}

// store_as((T *) 0, x): x of type float, double or i64 as a T. Fewer bits round half to even; a float becomes an integer as
// above; an integer keeps its low bits; bool8 is 0 for zero, else 1.
__device__ __forceinline__ float store_as(float *, float x) { return x; }
__device__ __forceinline__ float store_as(float *, double x) { return (float) x; }
__device__ __forceinline__ float store_as(float *, i64 x) { return (float) x; }
__device__ __forceinline__ double store_as(double *, float x) { return (double) x; }
__device__ __forceinline__ double store_as(double *, double x) { return x; }
__device__ __forceinline__ double store_as(double *, i64 x) { return (double) x; }
__device__ __forceinline__ bf16 store_as(bf16 *, float x) { bf16 r; r.bits = float_to_bf16(x); return r; }
__device__ __forceinline__ bf16 store_as(bf16 *, double x) { bf16 r; r.bits = float_to_bf16(round_to_odd(x)); return r; }
__device__ __forceinline__ bf16 store_as(bf16 *, i64 x) { return store_as((bf16 *) 0, (double) x); }
__device__ __forceinline__ half store_as(half *, float x) { half r; r.bits = float_to_half(x); return r; }
__device__ __forceinline__ half store_as(half *, double x) { half r; r.bits = double_to_half(x); return r; }
__device__ __forceinline__ half store_as(half *, i64 x) { return store_as((half *) 0, (double) x); }
template <class A> __device__ __forceinline__ bool8 store_as(bool8 *, A x) { bool8 r; r.bits = x != 0 ? 1 : 0; return r; }
__device__ __forceinline__ i64 store_as(i64 *, i64 x) { return x; }
__device__ __forceinline__ i32 store_as(i32 *, i64 x) { return (i32) x; }
__device__ __forceinline__ i16 store_as(i16 *, i64 x) { return (i16) x; }
__device__ __forceinline__ i8 store_as(i8 *, i64 x) { return (i8) x; }
__device__ __forceinline__ u8 store_as(u8 *, i64 x) { return (u8) x; }
template <class F> __device__ __forceinline__ i64 store_as(i64 *, F x) { return truncate(x); }
template <class F> __device__ __forceinline__ i32 store_as(i32 *, F x) {
    return truncate_between(x, -0x7fffffff - 1, 0x7fffffff);
}
template <class F> __device__ __forceinline__ i16 store_as(i16 *, F x) { return (i16) truncate_between(x, -32768, 32767); }
template <class F> __device__ __forceinline__ i8 store_as(i8 *, F x) { return (i8) truncate_between(x, -128, 127); }
template <class F> __device__ __forceinline__ u8 store_as(u8 *, F x) { return (u8) truncate_between(x, 0, 255); }

/** float, double or i64 to any type. */
template <class T, class A> __device__ __forceinline__ T from_acc(A x) { return store_as((T *) 0, x); }
template <class T> __device__ __forceinline__ T from_float(float x) { return store_as((T *) 0, x); }

// ------------------------------------------------------------------ 16-byte accesses

/** N elements that are loaded and stored as one; N * sizeof(T) is 1, 2, 4, 8 or 16. */
template <int BYTES> struct words_of;
template <> struct words_of<1> { typedef u8 type; };
template <> struct words_of<2> { typedef u16 type; };
template <> struct words_of<4> { typedef u32 type; };
template <> struct words_of<8> { typedef uint2 type; };
template <> struct words_of<16> { typedef uint4 type; };

template <class T, int N> union Vec {
    typename words_of<(int) sizeof(T) * N>::type words;
    u32 pairs[((int) sizeof(T) * N + 3) / 4];
    T v[N];
};

/** Elements in 16 bytes. */
template <class T> struct wide { static const int n = 16 / (int) sizeof(T); };

/** The N elements from p[i * N] on; p is aligned to N * sizeof(T) bytes. */
template <int N, class T> __device__ __forceinline__ Vec<T, N> load_vec(const T *p, i64 i) {
    Vec<T, N> r;
    r.words = reinterpret_cast<const typename words_of<(int) sizeof(T) * N>::type *>(p)[i];
    return r;
}
template <int N, class T> __device__ __forceinline__ void store_vec(T *p, i64 i, Vec<T, N> x) {
    reinterpret_cast<typename words_of<(int) sizeof(T) * N>::type *>(p)[i] = x.words;
}

/** x[k] in the type it is computed in. */
template <class T, int N> __device__ __forceinline__ void unpack(Vec<T, N> x, acc_t<T> *out) {
#pragma unroll
    for (int k = 0; k < N; k++) out[k] = to_acc(x.v[k]);
}
template <int N> __device__ __forceinline__ void unpack(Vec<bf16, N> x, float *out) {
#pragma unroll
    for (int k = 0; k < N; k++) {
        const u32 pair = x.pairs[k / 2];
        out[k] = N == 1 ? to_acc(x.v[0]) : __int_as_float((int) (k & 1 ? pair & 0xffff0000u : pair << 16));
    }
}
template <class T, int N> __device__ __forceinline__ Vec<T, N> pack(const acc_t<T> *x) {
    Vec<T, N> r;
#pragma unroll
    for (int k = 0; k < N; k++) r.v[k] = from_acc<T>(x[k]);
    return r;
}
__device__ __forceinline__ u32 pair_of(bf16 *, float low, float high) { return float_to_bf16x2(low, high); }
__device__ __forceinline__ u32 pair_of(half *, float low, float high) { return float_to_halfx2(low, high); }
template <class T, int N> struct packs_pairs { static const bool value = false; };
template <int N> struct packs_pairs<bf16, N> { static const bool value = N % 2 == 0; };
template <int N> struct packs_pairs<half, N> { static const bool value = N % 2 == 0; };

/** Stores x[0 .. N) as elements i * N and following of p, which is aligned to N elements. */
template <int N, class T> __device__ __forceinline__ void store_packed(T *p, i64 i, const acc_t<T> *x) {
    if constexpr (packs_pairs<T, N>::value) {
        Vec<T, N> r;
#pragma unroll
        for (int k = 0; k < N / 2; k++) r.pairs[k] = pair_of((T *) 0, x[2 * k], x[2 * k + 1]);
        store_vec<N>(p, i, r);
    } else {
        store_vec<N>(p, i, pack<T, N>(x));
    }
}
/** Elements i * N and following of p, which is aligned to N elements, in the type they are computed in. */
template <int N, class T> __device__ __forceinline__ void load_packed(const T *p, i64 i, acc_t<T> *x) {
    unpack(load_vec<N>(p, i), x);
}

// ------------------------------------------------------------------ N elements at a time

/** N elements in as many 16-byte words as they need; a power of two. */
template <class T, int N> struct Chunk {
    static const int parts = (int) sizeof(T) * N > 16 ? (int) sizeof(T) * N / 16 : 1;
    Vec<T, N / parts> part[parts];
};

/** Elements i * N and following. */
template <int N, class T> __device__ __forceinline__ Chunk<T, N> load_chunk(const T *p, i64 i) {
    Chunk<T, N> c;
#pragma unroll
    for (int j = 0; j < Chunk<T, N>::parts; j++) {
        c.part[j] = load_vec<N / Chunk<T, N>::parts>(p, i * Chunk<T, N>::parts + j);
    }
    return c;
}
/** N elements from {@code p} on if {@code step} is 1; *p again and again if it is 0. */
template <int N, class T> __device__ __forceinline__ Chunk<T, N> load_strided(const T *p, i64 step) {
    if (step != 0) return load_chunk<N>(p, 0);
    Chunk<T, N> c;
    T x = *p;
#pragma unroll
    for (int j = 0; j < Chunk<T, N>::parts; j++) {
#pragma unroll
        for (int k = 0; k < N / Chunk<T, N>::parts; k++) c.part[j].v[k] = x;
    }
    return c;
}
template <class T, int N> __device__ __forceinline__ void unpack_chunk(Chunk<T, N> c, acc_t<T> *x) {
#pragma unroll
    for (int j = 0; j < Chunk<T, N>::parts; j++) unpack(c.part[j], x + j * (N / Chunk<T, N>::parts));
}
template <int N, class T> __device__ __forceinline__ void store_chunk(T *p, i64 i, const acc_t<T> *x) {
    const int parts = Chunk<T, N>::parts;
#pragma unroll
    for (int j = 0; j < parts; j++) store_packed<N / parts>(p, i * parts + j, x + j * (N / parts));
}

// ------------------------------------------------------------------ axes

/** Sizes of up to 8 axes, outermost first, and the steps in elements along them in some tensor. */
struct Axes { i64 size[8]; };
struct Steps { i64 at[8]; };

/** Place of element e of a tensor of {@code n} elements and these axes in another, which walks them with {@code steps}. */
__device__ __forceinline__ i64 place_of(i64 e, i64 n, i32 rank, const Axes &axes, const Steps &steps) {
    i64 place = 0;
#pragma unroll 1
    for (int a = rank - 1; a > 0; a--) {
        i64 q = n <= 0x7fffffff ? (i64) ((u32) e / (u32) axes.size[a]) : e / axes.size[a];
        place += (e - q * axes.size[a]) * steps.at[a];
        e = q;
    }
    return place + e * steps.at[0];
}

// ------------------------------------------------------------------ reductions

/** op(every lane's v) in every lane; all 32 lanes must come here. op is a function or lambda of two values. */
template <class A, class Op> __device__ __forceinline__ A warp_reduce(A v, Op op) {
#pragma unroll
    for (int o = 16; o > 0; o >>= 1) v = op(v, __shfl_xor_sync(FULL_WARP, v, o));
    return v;
}
template <class A> __device__ __forceinline__ A warp_sum(A v) {
    return warp_reduce(v, [](A a, A b) { return a + b; });
}
/** NaN wins, as in Math.max. */
template <class A> __device__ __forceinline__ A max_nan(A a, A b) { return a > b || a != a ? a : b; }
template <class A> __device__ __forceinline__ A min_nan(A a, A b) { return a < b || a != a ? a : b; }
template <class A> __device__ __forceinline__ A warp_max(A v) {
    return warp_reduce(v, [](A a, A b) { return max_nan(a, b); });
}

/**
 * op(every thread's v) in every thread of a one-dimensional block whose size is a multiple of 32. {@code scratch} holds 32
 * values in shared memory; {@code empty} is op's neutral element. Always in the same order. Ends with a barrier, so that
 * scratch may be used again at once.
 */
template <class A, class Op> __device__ __forceinline__ A block_reduce(A v, A *scratch, A empty, Op op) {
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, warps = (int) (blockDim.x + 31) >> 5;
    v = warp_reduce(v, op);
    if (lane == 0) scratch[warp] = v;
    __syncthreads();
    v = warp_reduce(lane < warps ? scratch[lane] : empty, op);
    __syncthreads();
    return v;
}
template <class A> __device__ __forceinline__ A block_sum(A v, A *scratch) {
    return block_reduce(v, scratch, (A) 0, [](A a, A b) { return a + b; });
}
template <class A> __device__ __forceinline__ A block_max(A v, A *scratch) {
    return block_reduce(v, scratch, (A) -inf_f(), [](A a, A b) { return max_nan(a, b); });
}

// ------------------------------------------------------------------ random numbers

/**
 * Block {@code block} of Philox4x32-10 (Salmon et al. 2011), the same words as dev.graft.tensor.Philox gives: element i of a
 * random op is word i % 4 of block i / 4.
 */
__device__ __forceinline__ uint4 philox(u64 seed, u64 stream, u64 block) {
    u32 c0 = (u32) block, c1 = (u32) (block >> 32), c2 = (u32) stream, c3 = (u32) (stream >> 32);
    u32 k0 = (u32) seed, k1 = (u32) (seed >> 32);
#pragma unroll
    for (int round = 0; round < 10; round++) {
        u32 h0 = __umulhi(0xD2511F53u, c0), l0 = 0xD2511F53u * c0;
        u32 h1 = __umulhi(0xCD9E8D57u, c2), l1 = 0xCD9E8D57u * c2;
        c0 = h1 ^ c1 ^ k0;
        c1 = l1;
        c2 = h0 ^ c3 ^ k1;
        c3 = l0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    uint4 r;
    r.x = c0;
    r.y = c1;
    r.z = c2;
    r.w = c3;
    return r;
}
__device__ __forceinline__ u32 philox_word(uint4 w, int lane) {
    return lane == 0 ? w.x : lane == 1 ? w.y : lane == 2 ? w.z : w.w;
}
/**
 * Whether an element is kept: u < p for the element's uniform number u. {@code threshold} is ceil(p * 2^24), made on the
 * host in double precision, so that every device decides alike.
 */
__device__ __forceinline__ bool philox_below(u32 word, u32 threshold) { return word >> 8 < threshold; }
