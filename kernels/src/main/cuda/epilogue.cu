// What comes behind a product or convolution that could not do it itself, in one pass over the result.
// T: element type.  V: elements per access, at most 16 bytes.  ACT: 0 none, 1 ReLU, 2 ReLU6.  RESIDUAL: 0 or 1.

typedef acc_t<T> A;

__device__ __forceinline__ A activate(A x) {
#if ACT == 1
    return x > 0 ? x : x != x ? x : (A) 0;
#elif ACT == 2
    return x != x ? x : x > 0 ? x < 6 ? x : (A) 6 : (A) 0;
#else
    return x;
#endif
}

/** y [rows, packs * V] = activation(y + bias (+ residual)). Threads: x over a row, y over rows. */
extern "C" __global__ void epilogue(T *y, const T *bias, const T *residual, long long rows, int packs) {
    const int c = blockIdx.y * blockDim.x + threadIdx.x;
    if (c >= packs) return;
    A b[V];
#pragma unroll
    for (int k = 0; k < V; k++) b[k] = to_acc(bias[(i64) c * V + k]);
    for (i64 r = (i64) blockIdx.x * blockDim.y + threadIdx.y; r < rows; r += (i64) gridDim.x * blockDim.y) {
        i64 at = r * packs + c;
        Vec<T, V> x = load_vec<V>(y, at);
#if RESIDUAL
        Vec<T, V> z = load_vec<V>(residual, at);
#endif
#pragma unroll
        for (int k = 0; k < V; k++) {
            A s = to_acc(x.v[k]) + b[k];
#if RESIDUAL
            s += to_acc(z.v[k]);
#endif
            x.v[k] = from_acc<T>(activate(s));
        }
        store_vec<V>(y, at, x);
    }
}
