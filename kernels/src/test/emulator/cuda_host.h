// What a kernel file sees in place of the CUDA compiler's built-ins when it is compiled for the emulated device: the
// qualifiers, vector types, thread indices, barriers, warp operations, atomics, intrinsics and tensor-core operations.
// Included in front of every kernel source. What the real compiler does not offer is not offered here either.
#ifndef GRAFT_CUDA_HOST_H
#define GRAFT_CUDA_HOST_H
#define GRAFT_EMULATOR 1

#ifdef GRAFT_EMULATOR_SCAN
// Only looking for the names of the kernels: see libnvrtc.cpp.
#define __global__ __graft_kernel__
#define __launch_bounds__(...) __graft_bounds__(__VA_ARGS__)
#define __device__
#define __host__
#define __constant__
#define __shared__
#define __forceinline__
#define __noinline__
#define __restrict__
#define __align__(n)
#define __grid_constant__
#define __managed__
#define DYN_SHARED(type, name)
#else

#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>
#include "runtime.h"

#define __global__
#define __launch_bounds__(...)
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __align__(n) __attribute__((aligned(n)))
#define __grid_constant__
#define __shared__ static thread_local // one copy per host thread that runs blocks; poisoned before every block
#define DYN_SHARED(type, name) type *name = reinterpret_cast<type *>(graft_emu_now.dynamic)

// ---------------------------------------------------------------- vector types

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

#define GRAFT_EMU_VECTORS(T, N, A2, A4) \
    struct N##1 { T x; }; \
    struct alignas(A2) N##2 { T x, y; }; \
    struct alignas(A4) N##4 { T x, y, z, w; }; \
    inline N##1 make_##N##1(T x) { return {x}; } \
    inline N##2 make_##N##2(T x, T y) { return {x, y}; } \
    inline N##4 make_##N##4(T x, T y, T z, T w) { return {x, y, z, w}; }
GRAFT_EMU_VECTORS(signed char, char, 2, 4)
GRAFT_EMU_VECTORS(unsigned char, uchar, 2, 4)
GRAFT_EMU_VECTORS(short, short, 4, 8)
GRAFT_EMU_VECTORS(unsigned short, ushort, 4, 8)
GRAFT_EMU_VECTORS(int, int, 8, 16)
GRAFT_EMU_VECTORS(unsigned, uint, 8, 16)
GRAFT_EMU_VECTORS(float, float, 8, 16)
GRAFT_EMU_VECTORS(long long, longlong, 16, 16)
GRAFT_EMU_VECTORS(unsigned long long, ulonglong, 16, 16)
GRAFT_EMU_VECTORS(double, double, 16, 16)
#undef GRAFT_EMU_VECTORS
struct float3 {
    float x, y, z;
};
struct int3 {
    int x, y, z;
};
struct longlong3 {
    long long x, y, z;
};
struct double3 {
    double x, y, z;
};
inline float3 make_float3(float x, float y, float z) { return {x, y, z}; }
inline int3 make_int3(int x, int y, int z) { return {x, y, z}; }
inline uint3 make_uint3(unsigned x, unsigned y, unsigned z) { return {x, y, z}; }

constexpr int warpSize = 32;

// ---------------------------------------------------------------- barriers and warps

inline void __syncthreads() { graft_emu_barrier(GRAFT_EMU_PLAIN, 0, "__syncthreads"); }
inline int __syncthreads_count(int p) { return graft_emu_barrier(GRAFT_EMU_COUNT, p, "__syncthreads_count"); }
inline int __syncthreads_and(int p) { return graft_emu_barrier(GRAFT_EMU_AND, p, "__syncthreads_and"); }
inline int __syncthreads_or(int p) { return graft_emu_barrier(GRAFT_EMU_OR, p, "__syncthreads_or"); }
inline void __syncwarp(unsigned mask = 0xffffffffu) { graft_emu_warp(mask, nullptr, 0, "__syncwarp"); }

namespace graft_emu {
inline unsigned lane() { return graft_emu_now.linear & 31; }

inline bool exists(unsigned lane) {
    unsigned threads = graft_emu_now.blockDim.x * graft_emu_now.blockDim.y * graft_emu_now.blockDim.z;
    return (graft_emu_now.linear & ~31u) + lane < threads;
}

/// The value of another lane; a lane that does not take part is read as all bits set (NaN), for the device leaves it open.
template <class T> T shuffle(unsigned mask, T v, unsigned from, const char *where) {
    static_assert(sizeof(T) <= 64 && std::is_trivially_copyable_v<T>);
    const graft_emu_slot *slots = graft_emu_warp(mask, &v, sizeof(T), where);
    T r;
    if (mask >> from & 1 && exists(from)) std::memcpy(&r, slots[from].bytes, sizeof(T));
    else std::memset(&r, 0xff, sizeof(T));
    return r;
}

template <class T, class F> T fold(unsigned mask, T v, const char *where, F f) {
    const graft_emu_slot *slots = graft_emu_warp(mask, &v, sizeof(T), where);
    bool first = true;
    T r{};
    for (unsigned i = 0; i < 32; i++) {
        if (!(mask >> i & 1) || !exists(i)) continue;
        T x;
        std::memcpy(&x, slots[i].bytes, sizeof(T));
        r = first ? x : f(r, x);
        first = false;
    }
    return r;
}

inline unsigned ballot(unsigned mask, bool bit, const char *where) {
    const graft_emu_slot *slots = graft_emu_warp(mask, &bit, 1, where);
    unsigned r = 0;
    for (unsigned i = 0; i < 32; i++)
        if (mask >> i & 1 && exists(i)) r |= unsigned(slots[i].bytes[0] & 1) << i;
    return r;
}
}

template <class T> T __shfl_sync(unsigned mask, T v, int src, int width = 32) {
    unsigned l = graft_emu::lane();
    return graft_emu::shuffle(mask, v, (l & ~(width - 1u)) + (src & (width - 1u)), "__shfl_sync");
}
template <class T> T __shfl_xor_sync(unsigned mask, T v, int x, int width = 32) {
    unsigned l = graft_emu::lane(), s = l ^ unsigned(x);
    return graft_emu::shuffle(mask, v, (s & ~(width - 1u)) > (l & ~(width - 1u)) || s > 31 ? l : s, "__shfl_xor_sync");
}
template <class T> T __shfl_down_sync(unsigned mask, T v, unsigned d, int width = 32) {
    unsigned l = graft_emu::lane();
    return graft_emu::shuffle(mask, v, (l & (width - 1u)) + d >= unsigned(width) ? l : l + d, "__shfl_down_sync");
}
template <class T> T __shfl_up_sync(unsigned mask, T v, unsigned d, int width = 32) {
    unsigned l = graft_emu::lane();
    return graft_emu::shuffle(mask, v, (l & (width - 1u)) < d ? l : l - d, "__shfl_up_sync");
}
inline unsigned __ballot_sync(unsigned mask, int p) { return graft_emu::ballot(mask, p != 0, "__ballot_sync"); }
inline int __any_sync(unsigned mask, int p) { return graft_emu::ballot(mask, p != 0, "__any_sync") != 0; }
inline int __all_sync(unsigned mask, int p) { return graft_emu::ballot(mask, p == 0, "__all_sync") == 0; }
inline unsigned __activemask() {
    graft_emu_fail("__activemask depends on how the device schedules: use a mask that you know");
}
template <class T> unsigned __match_any_sync(unsigned mask, T v) {
    const graft_emu_slot *slots = graft_emu_warp(mask, &v, sizeof(T), "__match_any_sync");
    unsigned r = 0;
    for (unsigned i = 0; i < 32; i++)
        if (mask >> i & 1 && graft_emu::exists(i) && !std::memcmp(slots[i].bytes, &v, sizeof(T))) r |= 1u << i;
    return r;
}
template <class T> T __reduce_add_sync(unsigned mask, T v) {
    return graft_emu::fold(mask, v, "__reduce_add_sync", [](T a, T b) { return T(a + b); });
}
template <class T> T __reduce_min_sync(unsigned mask, T v) {
    return graft_emu::fold(mask, v, "__reduce_min_sync", [](T a, T b) { return b < a ? b : a; });
}
template <class T> T __reduce_max_sync(unsigned mask, T v) {
    return graft_emu::fold(mask, v, "__reduce_max_sync", [](T a, T b) { return a < b ? b : a; });
}
inline unsigned __reduce_and_sync(unsigned mask, unsigned v) {
    return graft_emu::fold(mask, v, "__reduce_and_sync", [](unsigned a, unsigned b) { return a & b; });
}
inline unsigned __reduce_or_sync(unsigned mask, unsigned v) {
    return graft_emu::fold(mask, v, "__reduce_or_sync", [](unsigned a, unsigned b) { return a | b; });
}
inline unsigned __reduce_xor_sync(unsigned mask, unsigned v) {
    return graft_emu::fold(mask, v, "__reduce_xor_sync", [](unsigned a, unsigned b) { return a ^ b; });
}

// ---------------------------------------------------------------- memory

// Blocks of a large launch may run on two host threads, hence true atomics. Loads and stores in between are plain.
inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
inline void __threadfence_block() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
inline void __threadfence_system() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

namespace graft_emu {
template <class T, class F> T update(T *p, F f) {
    static_assert(sizeof(T) == 4 || sizeof(T) == 8);
    using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
    Bits *q = reinterpret_cast<Bits *>(p), old = __atomic_load_n(q, __ATOMIC_SEQ_CST), next;
    T t;
    do {
        std::memcpy(&t, &old, sizeof t);
        T n = f(t);
        std::memcpy(&next, &n, sizeof n);
    } while (!__atomic_compare_exchange_n(q, &old, next, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    return t;
}
}

#define GRAFT_EMU_ATOMIC(T) \
    inline T atomicAdd(T *p, T v) { \
        return graft_emu::update(p, [=](T o) { return static_cast<T>(o + v); }); \
    } \
    inline T atomicExch(T *p, T v) { \
        return graft_emu::update(p, [=](T) { return v; }); \
    }
#define GRAFT_EMU_ATOMIC_INT(T) \
    GRAFT_EMU_ATOMIC(T) \
    inline T atomicSub(T *p, T v) { \
        return graft_emu::update(p, [=](T o) { return static_cast<T>(o - v); }); \
    } \
    inline T atomicMax(T *p, T v) { \
        return graft_emu::update(p, [=](T o) { return v > o ? v : o; }); \
    } \
    inline T atomicMin(T *p, T v) { \
        return graft_emu::update(p, [=](T o) { return v < o ? v : o; }); \
    } \
    inline T atomicAnd(T *p, T v) { \
        return graft_emu::update(p, [=](T o) { return static_cast<T>(o & v); }); \
    } \
    inline T atomicOr(T *p, T v) { \
        return graft_emu::update(p, [=](T o) { return static_cast<T>(o | v); }); \
    } \
    inline T atomicXor(T *p, T v) { \
        return graft_emu::update(p, [=](T o) { return static_cast<T>(o ^ v); }); \
    } \
    inline T atomicCAS(T *p, T c, T v) { \
        return graft_emu::update(p, [=](T o) { return o == c ? v : o; }); \
    }
GRAFT_EMU_ATOMIC(float)
GRAFT_EMU_ATOMIC(double)
GRAFT_EMU_ATOMIC_INT(int)
GRAFT_EMU_ATOMIC_INT(unsigned)
GRAFT_EMU_ATOMIC_INT(unsigned long long)
#undef GRAFT_EMU_ATOMIC
#undef GRAFT_EMU_ATOMIC_INT
inline long long atomicMax(long long *p, long long v) {
    return graft_emu::update(p, [=](long long o) { return v > o ? v : o; });
}
inline long long atomicMin(long long *p, long long v) {
    return graft_emu::update(p, [=](long long o) { return v < o ? v : o; });
}
inline unsigned atomicInc(unsigned *p, unsigned v) {
    return graft_emu::update(p, [=](unsigned o) { return o >= v ? 0u : o + 1; });
}
inline unsigned atomicDec(unsigned *p, unsigned v) {
    return graft_emu::update(p, [=](unsigned o) { return o == 0 || o > v ? v : o - 1; });
}

template <class T> T __ldg(const T *p) { return *p; }
template <class T> T __ldcg(const T *p) { return *p; }
template <class T> T __ldcs(const T *p) { return *p; }
template <class T> void __stcg(T *p, T v) { *p = v; }
template <class T> void __stcs(T *p, T v) { *p = v; }

// ---------------------------------------------------------------- arithmetic

namespace graft_emu {
template <class To, class From> To bits(From f) {
    static_assert(sizeof(To) == sizeof(From));
    To t;
    std::memcpy(&t, &f, sizeof t);
    return t;
}
}
inline int __float_as_int(float f) { return graft_emu::bits<int>(f); }
inline float __int_as_float(int i) { return graft_emu::bits<float>(i); }
inline unsigned __float_as_uint(float f) { return graft_emu::bits<unsigned>(f); }
inline float __uint_as_float(unsigned i) { return graft_emu::bits<float>(i); }
inline long long __double_as_longlong(double f) { return graft_emu::bits<long long>(f); }
inline double __longlong_as_double(long long i) { return graft_emu::bits<double>(i); }
inline int __double2hiint(double d) { return int(graft_emu::bits<long long>(d) >> 32); }
inline int __double2loint(double d) { return int(graft_emu::bits<long long>(d)); }
inline double __hiloint2double(int hi, int lo) {
    return graft_emu::bits<double>((long long) (unsigned long long) hi << 32 | unsigned(lo));
}

inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
inline float __frsqrt_rn(float x) { return float(1.0 / std::sqrt(double(x))); }
inline float __expf(float x) { return std::exp(x); }
inline float __exp10f(float x) { return std::pow(10.0f, x); }
inline float exp10f(float x) { return std::pow(10.0f, x); }
inline float __logf(float x) { return std::log(x); }
inline float __log2f(float x) { return std::log2(x); }
inline float __log10f(float x) { return std::log10(x); }
inline float __powf(float x, float y) { return std::pow(x, y); }
inline float __sinf(float x) { return std::sin(x); }
inline float __cosf(float x) { return std::cos(x); }
inline float __tanf(float x) { return std::tan(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __frcp_rn(float a) { return 1.0f / a; }
inline float __fsqrt_rn(float a) { return std::sqrt(a); }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline double __fma_rn(double a, double b, double c) { return std::fma(a, b, c); }
// The _rn forms are never contracted into an fma; the barrier keeps g++ from it.
inline float __fmul_rn(float a, float b) {
    float r = a * b;
    asm("" : "+x"(r));
    return r;
}
inline float __fadd_rn(float a, float b) {
    asm("" : "+x"(a), "+x"(b));
    return a + b;
}
inline float __fsub_rn(float a, float b) {
    asm("" : "+x"(a), "+x"(b));
    return a - b;
}
inline double __dmul_rn(double a, double b) {
    double r = a * b;
    asm("" : "+x"(r));
    return r;
}
inline double __dadd_rn(double a, double b) {
    asm("" : "+x"(a), "+x"(b));
    return a + b;
}
inline double __dsub_rn(double a, double b) {
    asm("" : "+x"(a), "+x"(b));
    return a - b;
}
inline double __ddiv_rn(double a, double b) { return a / b; }
inline double __dsqrt_rn(double a) { return std::sqrt(a); }
inline float __saturatef(float a) { return !(a > 0) ? 0.0f : a > 1 ? 1.0f : a; }
inline void sincosf(float x, float *s, float *c) {
    *s = std::sin(x);
    *c = std::cos(x);
}
inline void __sincosf(float x, float *s, float *c) {
    *s = std::sin(x);
    *c = std::cos(x);
}
inline void sincospif(float x, float *s, float *c) {
    *s = float(std::sin(M_PI * x));
    *c = float(std::cos(M_PI * x));
}
inline float normcdff(float x) { return 0.5f * std::erfc(-x * 0.70710678118654752f); }
inline double normcdf(double x) { return 0.5 * std::erfc(-x * 0.70710678118654752); }

inline int __float2int_rn(float f) { return int(std::nearbyint(f)); }
inline int __float2int_rz(float f) { return int(f); }
inline int __float2int_rd(float f) { return int(std::floor(f)); }
inline int __float2int_ru(float f) { return int(std::ceil(f)); }
inline unsigned __float2uint_rn(float f) { return unsigned(std::nearbyint(f)); }
inline unsigned __float2uint_rz(float f) { return unsigned(f); }
inline float __int2float_rn(int i) { return float(i); }
inline float __uint2float_rn(unsigned i) { return float(i); }
inline float __ll2float_rn(long long i) { return float(i); }
inline float __ull2float_rn(unsigned long long i) { return float(i); }
inline float __double2float_rn(double d) { return float(d); }

inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x ? __builtin_clz(unsigned(x)) : 32; }
inline int __clzll(long long x) { return x ? __builtin_clzll((unsigned long long) x) : 64; }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline unsigned __brev(unsigned x) {
    unsigned r = 0;
    for (int i = 0; i < 32; i++) r |= (x >> i & 1) << (31 - i);
    return r;
}
inline unsigned __umulhi(unsigned a, unsigned b) { return unsigned((unsigned long long) a * b >> 32); }
inline int __mulhi(int a, int b) { return int((long long) a * b >> 32); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return (unsigned long long) ((unsigned __int128) a * b >> 64);
}
inline long long __mul64hi(long long a, long long b) { return (long long) ((__int128) a * b >> 64); }
inline unsigned __funnelshift_l(unsigned lo, unsigned hi, unsigned s) {
    return unsigned(((unsigned long long) hi << 32 | lo) << (s & 31) >> 32);
}
inline unsigned __funnelshift_r(unsigned lo, unsigned hi, unsigned s) {
    return unsigned(((unsigned long long) hi << 32 | lo) >> (s & 31));
}
inline unsigned __byte_perm(unsigned a, unsigned b, unsigned s) {
    unsigned long long all = (unsigned long long) b << 32 | a;
    unsigned r = 0;
    for (int i = 0; i < 4; i++) r |= unsigned(all >> 8 * (s >> 4 * i & 7) & 0xff) << 8 * i;
    return r;
}

#define GRAFT_EMU_MINMAX(T) \
    inline T min(T a, T b) { return b < a ? b : a; } \
    inline T max(T a, T b) { return a < b ? b : a; }
GRAFT_EMU_MINMAX(int)
GRAFT_EMU_MINMAX(unsigned)
GRAFT_EMU_MINMAX(long)
GRAFT_EMU_MINMAX(unsigned long)
GRAFT_EMU_MINMAX(long long)
GRAFT_EMU_MINMAX(unsigned long long)
#undef GRAFT_EMU_MINMAX
inline float min(float a, float b) { return std::fmin(a, b); }
inline float max(float a, float b) { return std::fmax(a, b); }
inline double min(double a, double b) { return std::fmin(a, b); }
inline double max(double a, double b) { return std::fmax(a, b); }
inline unsigned min(int a, unsigned b) { return min(unsigned(a), b); }
inline unsigned min(unsigned a, int b) { return min(a, unsigned(b)); }
inline unsigned max(int a, unsigned b) { return max(unsigned(a), b); }
inline unsigned max(unsigned a, int b) { return max(a, unsigned(b)); }
inline int __min(int a, int b) { return min(a, b); }

// std's overloads in the global namespace, as the CUDA compiler has them.
using std::abs;
using std::isfinite;
using std::isinf;
using std::isnan;
using std::signbit;

// ---------------------------------------------------------------- 16-bit floats, conversions only

struct __nv_bfloat16 {
    unsigned short bits;
};
struct __half {
    unsigned short bits;
};
inline __nv_bfloat16 __float2bfloat16(float f) {
    unsigned u = __float_as_uint(f);
    if ((u & 0x7fffffff) > 0x7f800000) return {0x7fff};
    return {(unsigned short) ((u + 0x7fff + (u >> 16 & 1)) >> 16)};
}
inline float __bfloat162float(__nv_bfloat16 b) { return __uint_as_float(unsigned(b.bits) << 16); }
inline __half __float2half(float f) { return {graft_emu::bits<unsigned short>((_Float16) f)}; }
inline float __half2float(__half h) { return (float) graft_emu::bits<_Float16>(h.bits); }

#include "cuda_tensor.h"

// ---------------------------------------------------------------- the table of kernels

namespace graft_emu {
template <auto K> struct Launch;
template <class... A, void (*K)(A...)> struct Launch<K> {
    static constexpr unsigned sizes[] = {sizeof(A)..., 0};
    static constexpr bool pointers[] = {std::is_pointer_v<A>..., false};
    // The parameters lie in memory of the host, which a checked kernel may not touch.
    template <size_t... I>
    __attribute__((no_sanitize("thread", "undefined"))) static void call(void **p, std::index_sequence<I...>) {
        K(*static_cast<std::remove_cv_t<A> *>(p[I])...);
    }
    static void run(void **p) { call(p, std::index_sequence_for<A...>{}); }
    static constexpr graft_emu_kernel entry(const char *name, unsigned maxThreads) {
        return {name, run, sizeof...(A), sizes, pointers, maxThreads};
    }
};
inline constexpr unsigned bounds(unsigned maxThreads = 1024, unsigned = 0, unsigned = 0) { return maxThreads; }
}
#define threadIdx (graft_emu_now.threadIdx)
#define blockIdx (graft_emu_now.blockIdx)
#define blockDim (graft_emu_now.blockDim)
#define gridDim (graft_emu_now.gridDim)

#define GRAFT_EMU_KERNEL(name, ...) graft_emu::Launch<name>::entry(#name, graft_emu::bounds(__VA_ARGS__)),

#endif // GRAFT_EMULATOR_SCAN
#endif
