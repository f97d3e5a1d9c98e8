// Sum, maximum, minimum and their places over the middle axis of [outer, rows, inner]. Java takes axes apart into such
// passes.
// IN, OUT: element types.  FN: 0 sum, 1 max, 2 min, 3 argmax, 4 argmin.  V: elements that are read at once.
// Twin: dev.graft.tensor.reference.ReferenceReduce. NaN wins in 1 to 4; 3 and 4 give the first of equals.
#include "rows.cuh"
#include "tiles.cuh"

typedef acc_t<IN> A;

#if FN <= 2
typedef A Part;
#if FN == 0
__device__ __forceinline__ Part empty_part() { return (A) 0; }
__device__ __forceinline__ Part merge(Part a, Part b) { return a + b; }
#else
template <class T> __device__ __forceinline__ T worst(T *) { return FN == 1 ? (T) -inf_f() : (T) inf_f(); }
__device__ __forceinline__ i64 worst(i64 *) { return FN == 1 ? -0x7fffffffffffffffLL - 1 : 0x7fffffffffffffffLL; }
__device__ __forceinline__ Part empty_part() { return worst((A *) 0); }
__device__ __forceinline__ Part merge(Part a, Part b) { return FN == 1 ? max_nan(a, b) : min_nan(a, b); }
#endif
__device__ __forceinline__ Part part_of(A x, i64) { return x; }
__device__ __forceinline__ Part part_xor(Part a, i32 o) { return __shfl_xor_sync(FULL_WARP, a, o); }
__device__ __forceinline__ Part read_part(const Part *p) { return __ldcg(p); }
#if FN == 0
__device__ __forceinline__ OUT result(Part a, double divisor) {
    return from_acc<OUT>(is_float_type<IN>::value ? (A) (a / (A) divisor) : a);
}
#else
__device__ __forceinline__ OUT result(Part a, double) { return from_acc<OUT>(a); }
#endif
#else
/** A value and its place along the axis. */
struct Part { A value; i64 at; };
template <class T> __device__ __forceinline__ T worst(T *) { return FN == 3 ? (T) -inf_f() : (T) inf_f(); }
__device__ __forceinline__ i64 worst(i64 *) { return FN == 3 ? -0x7fffffffffffffffLL - 1 : 0x7fffffffffffffffLL; }
__device__ __forceinline__ Part part_of(A x, i64 at) { Part p; p.value = x; p.at = at; return p; }
__device__ __forceinline__ Part empty_part() { return part_of(worst((A *) 0), 0x7fffffffffffffffLL); }
__device__ __forceinline__ Part merge(Part a, Part b) {
    bool an = a.value != a.value, bn = b.value != b.value;
    bool better = FN == 3 ? a.value > b.value : a.value < b.value;
    bool equal = a.value == b.value;
    bool first = an != bn ? an : an || equal ? a.at < b.at : better;
    return first ? a : b;
}
__device__ __forceinline__ Part part_xor(Part a, i32 o) {
    return part_of(__shfl_xor_sync(FULL_WARP, a.value, o), __shfl_xor_sync(FULL_WARP, a.at, o));
}
__device__ __forceinline__ Part read_part(const Part *p) { return part_of(__ldcg(&p->value), __ldcg(&p->at)); }
__device__ __forceinline__ OUT result(Part a, double) { return from_acc<OUT>(a.at); }
#endif

/** Merges the vectors from, from + step, ... below {@code to} into p: four loads are under way at a time. */
__device__ __forceinline__ Part merge_vectors(Part p, const IN *row, i64 from, i64 to, i64 step) {
    i64 i = from;
    for (; i + 3 * step < to; i += 4 * step) {
        Vec<IN, V> v[4];
#pragma unroll
        for (int u = 0; u < 4; u++) v[u] = load_vec<V>(row, i + u * step);
#pragma unroll
        for (int u = 0; u < 4; u++) {
            A x[V];
            unpack(v[u], x);
#pragma unroll
            for (int k = 0; k < V; k++) p = merge(p, part_of(x[k], (i + u * step) * V + k));
        }
    }
    for (; i < to; i += step) {
        A x[V];
        load_packed<V>(row, i, x);
#pragma unroll
        for (int k = 0; k < V; k++) p = merge(p, part_of(x[k], i * V + k));
    }
    return p;
}

/** Rows of {@code vectors} vectors, each reduced by a team of at most 32 lanes. */
extern "C" __global__ void __launch_bounds__(256) reduce_short_rows(const IN *x, OUT *y, i64 rows, i64 vectors, i32 team,
                                                                    double divisor) {
    Place p = place_of(team);
    for (i64 first = (i64) blockIdx.x * p.teams; first < rows; first += (i64) gridDim.x * p.teams) {
        i64 row = first + p.sub;
        Part a = empty_part();
        if (row < rows) a = merge_vectors(a, x + row * vectors * V, p.lane, vectors, team);
        for (i32 o = team >> 1; o > 0; o >>= 1) a = merge(a, part_xor(a, o));
        if (row < rows && p.lane == 0) y[row] = result(a, divisor);
    }
}

__device__ __forceinline__ Part block_merge(Part a) {
    __shared__ Part scratch[8];
    i32 lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    for (i32 o = 16; o > 0; o >>= 1) a = merge(a, part_xor(a, o));
    if (lane == 0) scratch[warp] = a;
    __syncthreads();
    a = lane < 8 ? scratch[lane] : empty_part();
    for (i32 o = 4; o > 0; o >>= 1) a = merge(a, part_xor(a, o));
    __syncthreads();
    return a;
}

/** A row per block of 256 threads, or per {@code splits} blocks of which each takes {@code chunk} vectors. */
extern "C" __global__ void __launch_bounds__(256) reduce_long_rows(const IN *x, OUT *y, Part *partial, u32 *counters,
                                                                   i64 vectors, i32 splits, i64 chunk, double divisor) {
    i64 row = blockIdx.x / (u32) splits;
    i32 split = (i32) (blockIdx.x % (u32) splits);
    i64 begin = split * chunk, end = begin + chunk < vectors ? begin + chunk : vectors;
    Part a = block_merge(merge_vectors(empty_part(), x + row * vectors * V, begin + threadIdx.x, end, 256));
    if (splits > 1) {
        if (threadIdx.x == 0) partial[row * splits + split] = a;
        if (!last_block(counters + row, (u32) splits)) return;
        a = empty_part();
        for (i32 s = (i32) threadIdx.x; s < splits; s += 256) a = merge(a, read_part(partial + row * splits + s));
        a = block_merge(a);
    }
    if (threadIdx.x == 0) y[row] = result(a, divisor);
}

__device__ __forceinline__ void tile_merge(Part *a, Part *buffer, Cell c) {
#pragma unroll
    for (int k = 0; k < V; k++) buffer[k * TILE + threadIdx.x] = a[k];
    for (i32 half = c.ways >> 1; half > 0; half >>= 1) {
        __syncthreads();
        if (c.y < half) {
#pragma unroll
            for (int k = 0; k < V; k++) {
                buffer[k * TILE + threadIdx.x] =
                        merge(buffer[k * TILE + threadIdx.x], buffer[k * TILE + threadIdx.x + half * c.lanes]);
            }
        }
    }
    __syncthreads();
#pragma unroll
    for (int k = 0; k < V; k++) a[k] = buffer[k * TILE + threadIdx.x];
    __syncthreads();
}

/** Columns of [outer, rows, inner]; partial: [columns * V, splits]. */
extern "C" __global__ void __launch_bounds__(TILE) reduce_columns(const IN *x, OUT *y, Part *partial, u32 *counters, Tiles t,
                                                                  double divisor) {
    __shared__ Part buffer[V * TILE];
    Cell c = cell_of(t);
    Part a[V];
#pragma unroll
    for (int k = 0; k < V; k++) a[k] = empty_part();
    if (c.in) {
        i64 r = c.begin + c.y;
        i64 step = c.ways;
        for (; r + 3 * step < c.end; r += 4 * step) {
            Vec<IN, V> v[4];
#pragma unroll
            for (int u = 0; u < 4; u++) v[u] = load_vec<V>(x, c.base + (r + u * step) * t.inner);
#pragma unroll
            for (int u = 0; u < 4; u++) {
                A f[V];
                unpack(v[u], f);
#pragma unroll
                for (int k = 0; k < V; k++) a[k] = merge(a[k], part_of(f[k], r + u * step));
            }
        }
        for (; r < c.end; r += step) {
            A f[V];
            load_packed<V>(x, c.base + r * t.inner, f);
#pragma unroll
            for (int k = 0; k < V; k++) a[k] = merge(a[k], part_of(f[k], r));
        }
    }
    tile_merge(a, buffer, c);
    if (t.splits > 1) {
        if (c.y == 0 && c.in) {
#pragma unroll
            for (int k = 0; k < V; k++) partial[((i64) c.split * t.columns + c.column) * V + k] = a[k];
        }
        if (!last_block(counters + c.tile, (u32) t.splits)) return;
#pragma unroll
        for (int k = 0; k < V; k++) a[k] = empty_part();
        if (c.in) {
            for (i64 s = c.y; s < t.splits; s += c.ways) {
#pragma unroll
                for (int k = 0; k < V; k++) a[k] = merge(a[k], read_part(partial + (s * t.columns + c.column) * V + k));
            }
        }
        tile_merge(a, buffer, c);
    }
    if (c.y == 0 && c.in) {
#pragma unroll
        for (int k = 0; k < V; k++) y[c.column * V + k] = result(a[k], divisor);
    }
}
