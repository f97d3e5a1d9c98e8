// Softmax over rows, its logarithm, and their gradients: a row is read once and stays in registers; one that is too long for
// that is read twice.
// T: element type.  V: elements that are read at once.  LOG: 1 for the logarithm.
// Twin: dev.graft.tensor.reference.ReferenceReduce.
#include "rows.cuh"

typedef acc_t<T> A;

template <int EACH> __device__ __forceinline__ void softmax(const T *x, T *y, i64 rows, i32 vectors, i32 team) {
    __shared__ A scratch[32];
    Place p = place_of(team);
    for (i64 first = (i64) blockIdx.x * p.teams; first < rows; first += (i64) gridDim.x * p.teams) {
        i64 row = first + p.sub;
        i32 end = row < rows ? vectors : 0;
        const T *from = x + row * vectors * V;
        T *to = y + row * vectors * V;
        A v[EACH][V];
        A m = -inf_f();
#pragma unroll
        for (int j = 0; j < EACH; j++) {
            i32 i = p.lane + j * team;
            if (i < end) {
                load_packed<V>(from, i, v[j]);
            } else {
#pragma unroll
                for (int k = 0; k < V; k++) v[j][k] = -inf_f();
            }
        }
#pragma unroll
        for (int j = 0; j < EACH; j++) {
#pragma unroll
            for (int k = 0; k < V; k++) m = max_nan(m, v[j][k]);
        }
        m = team_max(m, team, scratch);
        A s = 0;
#pragma unroll
        for (int j = 0; j < EACH; j++) {
#pragma unroll
            for (int k = 0; k < V; k++) {
                v[j][k] -= m;
                A e = exp_of(v[j][k]);
                s += e;
                if (!LOG) v[j][k] = e;
            }
        }
        s = team_sum(s, team, scratch);
        A by = LOG ? log_of(s) : 1 / s;
#pragma unroll
        for (int j = 0; j < EACH; j++) {
            i32 i = p.lane + j * team;
#pragma unroll
            for (int k = 0; k < V; k++) v[j][k] = LOG ? v[j][k] - by : v[j][k] * by;
            if (i < end) store_packed<V>(to, i, v[j]);
        }
    }
}

template <int EACH> __device__ __forceinline__ void softmax_backward(const T *dy, const T *y, T *dx, i64 rows, i32 vectors,
                                                                     i32 team) {
    __shared__ A scratch[32];
    Place p = place_of(team);
    for (i64 first = (i64) blockIdx.x * p.teams; first < rows; first += (i64) gridDim.x * p.teams) {
        i64 row = first + p.sub;
        i32 end = row < rows ? vectors : 0;
        i64 offset = row * vectors * V;
        Vec<T, V> g[EACH], o[EACH];
#pragma unroll
        for (int j = 0; j < EACH; j++) {
            i32 i = p.lane + j * team;
            if (i < end) {
                g[j] = load_vec<V>(dy + offset, i);
                o[j] = load_vec<V>(y + offset, i);
            }
        }
        A s = 0;
#pragma unroll
        for (int j = 0; j < EACH; j++) {
            if (p.lane + j * team < end) {
                A a[V], b[V];
                unpack(g[j], a);
                unpack(o[j], b);
#pragma unroll
                for (int k = 0; k < V; k++) s += LOG ? a[k] : a[k] * b[k];
            }
        }
        s = team_sum(s, team, scratch);
#pragma unroll
        for (int j = 0; j < EACH; j++) {
            i32 i = p.lane + j * team;
            if (i < end) {
                A a[V], b[V];
                unpack(g[j], a);
                unpack(o[j], b);
#pragma unroll
                for (int k = 0; k < V; k++) a[k] = LOG ? a[k] - exp_of(b[k]) * s : b[k] * (a[k] - s);
                store_packed<V>(dx + offset, i, a);
            }
        }
    }
}

#define KERNELS(NAME, EACH, THREADS) \
    extern "C" __global__ void __launch_bounds__(THREADS) softmax_##NAME(const T *x, T *y, i64 rows, i32 vectors, \
                                                                         i32 team) { \
        softmax<EACH>(x, y, rows, vectors, team); \
    } \
    extern "C" __global__ void __launch_bounds__(THREADS) softmax_backward_##NAME(const T *dy, const T *y, T *dx, i64 rows, \
                                                                                  i32 vectors, i32 team) { \
        softmax_backward<EACH>(dy, y, dx, rows, vectors, team); \
    }
KERNELS(one, 1, 256)
KERNELS(some, 16 / V, 512)
KERNELS(many, 32 / V, 512)

/** One block for each row. */
extern "C" __global__ void __launch_bounds__(512) softmax_long(const T *x, T *y, i64 rows, i32 vectors, i32 team) {
    __shared__ A scratch[32];
    for (i64 row = blockIdx.x; row < rows; row += gridDim.x) {
        const T *from = x + row * vectors * V;
        T *to = y + row * vectors * V;
        A m = -inf_f(), s = 0;                         // s is the sum of exp(v - m) so far
        for (i64 i = threadIdx.x; i < vectors; i += team) {
            A v[V];
            load_packed<V>(from, i, v);
            A now = m;
#pragma unroll
            for (int k = 0; k < V; k++) now = max_nan(now, v[k]);
            if (now != m) s *= exp_of(m - now);
            m = now;
#pragma unroll
            for (int k = 0; k < V; k++) s += m == -inf_f() ? 0 : exp_of(v[k] - m);
        }
        A all = team_max(m, team, scratch);
        s = team_sum(m == all ? s : s * exp_of(m - all), team, scratch);
        A by = LOG ? log_of(s) : 1 / s;
        for (i64 i = threadIdx.x; i < vectors; i += team) {
            A v[V];
            load_packed<V>(from, i, v);
#pragma unroll
            for (int k = 0; k < V; k++) v[k] = LOG ? v[k] - all - by : exp_of(v[k] - all) * by;
            store_packed<V>(to, i, v);
        }
    }
}

extern "C" __global__ void __launch_bounds__(512) softmax_backward_long(const T *dy, const T *y, T *dx, i64 rows,
                                                                        i32 vectors, i32 team) {
    __shared__ A scratch[32];
    for (i64 row = blockIdx.x; row < rows; row += gridDim.x) {
        i64 offset = row * vectors * V;
        A s = 0;
        for (i64 i = threadIdx.x; i < vectors; i += team) {
            A a[V], b[V];
            load_packed<V>(dy + offset, i, a);
            load_packed<V>(y + offset, i, b);
#pragma unroll
            for (int k = 0; k < V; k++) s += LOG ? a[k] : a[k] * b[k];
        }
        s = team_sum(s, team, scratch);
        for (i64 i = threadIdx.x; i < vectors; i += team) {
            A a[V], b[V];
            load_packed<V>(dy + offset, i, a);
            load_packed<V>(y + offset, i, b);
#pragma unroll
            for (int k = 0; k < V; k++) a[k] = LOG ? a[k] - exp_of(b[k]) * s : b[k] * (a[k] - s);
            store_packed<V>(dx + offset, i, a);
        }
    }
}
