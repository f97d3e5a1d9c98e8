// Reading rows or elements at places given by an integer tensor, and adding at such places. A place outside its axis
// reads as 0, is not added, and leaves {@code error} in the device's error flag.
// T: element type (any type of its size where elements are only moved).  I: i32 or i64, the indices.
// V: elements of a row that are read at once.
// Twin: dev.graft.tensor.reference.ReferenceIndex.

typedef acc_t<T> A;

__device__ __forceinline__ bool inside(i64 at, i64 size, i32 *flag, i32 error) {
    if (at >= 0 && at < size) return true;
    atomicExch(flag, error);                 // one of several wrong places wins
    return false;
}

/** out[i] = table[index[i]]: n rows of {@code vectors} vectors. A thread moves four vectors, all under way at once. */
extern "C" __global__ void __launch_bounds__(256) take(const T *table, const I *index, T *out, i64 n, i64 vectors, i64 rows,
                                                       i32 *flag, i32 error) {
    i64 all = n * vectors;
    for (i64 first = (i64) blockIdx.x * 1024 + threadIdx.x; first < all; first += (i64) gridDim.x * 1024) {
        Vec<T, V> v[4];
#pragma unroll
        for (int u = 0; u < 4; u++) {
            i64 i = first + u * 256;
            if (i < all) {
                i64 r = all < 0xffffffffLL ? (i64) ((u32) i / (u32) vectors) : i / vectors;
                i64 at = (i64) index[r];
                v[u].words = {};
                if (inside(at, rows, flag, error)) v[u] = load_vec<V>(table, at * vectors + (i - r * vectors));
            }
        }
#pragma unroll
        for (int u = 0; u < 4; u++) {
            i64 i = first + u * 256;
            if (i < all) store_vec<V>(out, i, v[u]);
        }
    }
}

/** out[o, i, k] = x[o, index[o, i, k], k]: {@code picks} of {@code size} elements along the middle axis. */
extern "C" __global__ void __launch_bounds__(256) take_along(const T *x, const I *index, T *out, i64 n, i64 picks, i64 inner,
                                                             i64 size, i32 *flag, i32 error) {
    GRID_STRIDE(i, n) {
        i64 q = i / inner, k = i - q * inner, o = q / picks;
        i64 at = (i64) index[i];
        Vec<T, 1> v;
        v.words = {};
        if (inside(at, size, flag, error)) v = load_vec<1>(x, (o * size + at) * inner + k);
        store_vec<1>(out, i, v);
    }
}

#ifdef ADDS

__device__ __forceinline__ void add_at(float *p, float x) { atomicAdd(p, x); }
__device__ __forceinline__ void add_at(double *p, double x) { atomicAdd(p, x); }
__device__ __forceinline__ void add_at(i64 *p, i64 x) { atomicAdd(reinterpret_cast<u64 *>(p), (u64) x); }

/** N neighbours, the first aligned to all of them or to 16 bytes. */
template <int N, class S> __device__ __forceinline__ void add_neighbours(S *p, const S *x) {
#pragma unroll
    for (int k = 0; k < N; k++) add_at(p + k, x[k]);
}
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
template <int N> __device__ __forceinline__ void add_neighbours(float *p, const float *x) {
    if constexpr (N % 4 == 0) {
#pragma unroll
        for (int k = 0; k < N; k += 4) {
            asm volatile("red.global.add.v4.f32 [%0], {%1, %2, %3, %4};" :: "l"(__cvta_generic_to_global(p + k)), "f"(x[k]),
                         "f"(x[k + 1]), "f"(x[k + 2]), "f"(x[k + 3]) : "memory");
        }
    } else {
#pragma unroll
        for (int k = 0; k < N; k++) add_at(p + k, x[k]);
    }
}
#endif

/** sum[index[r]] += dy[r] for every row; sums of floats have no fixed order. */
extern "C" __global__ void __launch_bounds__(256) add_rows(const T *dy, const I *index, A *sum, i64 n, i64 vectors, i64 rows,
                                                           i32 *flag, i32 error) {
    GRID_STRIDE(i, n * vectors) {
        i64 r = i / vectors;
        i64 at = (i64) index[r];
        if (inside(at, rows, flag, error)) {
            A x[V];
            load_packed<V>(dy, i, x);
            add_neighbours<V>(sum + (at * vectors + (i - r * vectors)) * V, x);
        }
    }
}

/**
 * The same in the order of the rows. A block owns {@code owned} rows of the sum: it looks through all indices for these, a
 * thousand at a time, and adds what it finds one after the other, each thread in columns of its own.
 */
extern "C" __global__ void __launch_bounds__(256) add_rows_in_order(const T *dy, const I *index, A *sum, i64 n, i64 vectors,
                                                                    i64 rows, i64 owned, i32 *flag, i32 error) {
    __shared__ i64 places[1024];       // row of dy and row of the sum behind the first owned
    __shared__ i32 targets[1024];
    __shared__ i32 counts[8];
    i64 first = blockIdx.x * owned, end = first + owned < rows ? first + owned : rows;
    i32 lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    for (i64 from = 0; from < n; from += 1024) {
        i32 found = 0;
        for (i64 part = from; part < n && part < from + 1024; part += 256) {
            i64 r = part + threadIdx.x;
            i64 at = r < n ? (i64) index[r] : -1;
            if (blockIdx.x == 0 && r < n) inside(at, rows, flag, error);
            bool mine = at >= first && at < end;
            u32 votes = __ballot_sync(FULL_WARP, mine);
            if (lane == 0) counts[warp] = __popc(votes);
            __syncthreads();
            i32 before = found;
            for (i32 w = 0; w < 8; w++) {
                if (w == warp) before = found + __popc(votes & ((1u << lane) - 1));
                found += counts[w];
            }
            if (mine) {
                places[before] = r;
                targets[before] = (i32) (at - first);
            }
            __syncthreads();
        }
        for (i64 c = threadIdx.x; c < vectors; c += 256) {
            for (i32 f = 0; f < found; f += 4) {
                Vec<T, V> v[4];
#pragma unroll
                for (int u = 0; u < 4; u++) {
                    if (f + u < found) v[u] = load_vec<V>(dy, places[f + u] * vectors + c);
                }
#pragma unroll
                for (int u = 0; u < 4; u++) {
                    if (f + u >= found) break;
                    A x[V];
                    unpack(v[u], x);
                    A *to = sum + ((first + targets[f + u]) * vectors + c) * V;
#pragma unroll
                    for (int k = 0; k < V; k++) to[k] += x[k];
                }
            }
        }
        __syncthreads();
    }
}

/** sum[o, index[o, i, k], k] += dy[o, i, k]; sums of floats have no fixed order. */
extern "C" __global__ void __launch_bounds__(256) add_along(const T *dy, const I *index, A *sum, i64 n, i64 picks, i64 inner,
                                                            i64 size, i32 *flag, i32 error) {
    GRID_STRIDE(i, n) {
        i64 q = i / inner, k = i - q * inner, o = q / picks;
        i64 at = (i64) index[i];
        if (inside(at, size, flag, error)) add_at(sum + (o * size + at) * inner + k, to_acc(dy[i]));
    }
}

/** The same in the order of the picks: a thread adds all of its line [o, :, k]. */
extern "C" __global__ void __launch_bounds__(256) add_along_in_order(const T *dy, const I *index, A *sum, i64 lines,
                                                                     i64 picks, i64 inner, i64 size, i32 *flag, i32 error) {
    GRID_STRIDE(l, lines) {
        i64 o = l / inner, k = l - o * inner;
        for (i64 p = 0; p < picks; p++) {
            i64 i = (o * picks + p) * inner + k;
            i64 at = (i64) index[i];
            if (inside(at, size, flag, error)) sum[(o * size + at) * inner + k] += to_acc(dy[i]);
        }
    }
}

/** Sums in the type they are stored in. */
extern "C" __global__ void __launch_bounds__(256) store_sums(const A *sum, T *out, i64 n) {
    GRID_STRIDE(i, n) out[i] = from_acc<T>(sum[i]);
}

#endif
