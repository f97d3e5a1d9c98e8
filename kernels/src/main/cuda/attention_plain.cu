// Attention in tiles as attention.cu has it, on the ordinary arithmetic units: for float32 and float64, and for 16-bit values
// whose head size tensor cores do not take. Shapes, passes and the order of sums are explained there.
// Defines: T, D (up to 256), TILE (64, 32 or 16; a block owns TILE rows and walks through tiles of TILE rows).
// 256 threads as 16 x 16: a thread has the rows ty·R .. and the columns tx, tx + 16, ... of every product.

typedef acc_t<T> A;

#define R (TILE / 16)
#define LD (D + 1)
#define E ((D + 15) / 16)

__device__ __forceinline__ A infinity() {
    return static_cast<A>(inf_f());
}

/** A tile of TILE rows of one head, as A, zeros behind the end. */
__device__ __forceinline__ void load(A *tile, const T *from, int row, int end, i64 stride) {
    for (int i = threadIdx.x; i < TILE * D; i += blockDim.x) {
        int r = i / D, c = i % D;
        tile[r * LD + c] = row + r < end ? static_cast<A>(to_acc(from[(row + r) * stride + c])) : A(0);
    }
}

/** s = (rows of a) · (rows of b)ᵀ. */
__device__ __forceinline__ void products(A (&s)[R][R], const A *a, const A *b) {
    int tx = threadIdx.x & 15, ty = threadIdx.x >> 4;
    for (int r = 0; r < R; r++) {
        for (int c = 0; c < R; c++) {
            s[r][c] = A(0);
        }
    }
    for (int d = 0; d < D; d++) {
        A x[R];
#pragma unroll
        for (int r = 0; r < R; r++) {
            x[r] = a[(ty * R + r) * LD + d];
        }
#pragma unroll
        for (int c = 0; c < R; c++) {
            A y = b[(tx + 16 * c) * LD + d];
#pragma unroll
            for (int r = 0; r < R; r++) {
                s[r][c] += x[r] * y;
            }
        }
    }
}

/** out += p · b, where p is [TILE][TILE + 1] in shared memory. */
__device__ __forceinline__ void accumulate(A (&out)[R][E], const A *p, const A *b) {
    int tx = threadIdx.x & 15, ty = threadIdx.x >> 4;
    for (int j = 0; j < TILE; j++) {
        A x[R];
#pragma unroll
        for (int r = 0; r < R; r++) {
            x[r] = p[(ty * R + r) * (TILE + 1) + j];
        }
#pragma unroll
        for (int e = 0; e < E; e++) {
            A y = tx + 16 * e < D ? b[j * LD + tx + 16 * e] : A(0);
#pragma unroll
            for (int r = 0; r < R; r++) {
                out[r][e] += x[r] * y;
            }
        }
    }
}

__device__ __forceinline__ void keep(A *p, const A (&s)[R][R]) {
    int tx = threadIdx.x & 15, ty = threadIdx.x >> 4;
    for (int r = 0; r < R; r++) {
        for (int c = 0; c < R; c++) {
            p[(ty * R + r) * (TILE + 1) + tx + 16 * c] = s[r][c];
        }
    }
}

__device__ __forceinline__ void store(T *to, const A (&out)[R][E], int first, int end, i64 stride, const A (&factor)[R]) {
    int tx = threadIdx.x & 15, ty = threadIdx.x >> 4;
    for (int r = 0; r < R; r++) {
        int row = first + ty * R + r;
        for (int e = 0; e < E; e++) {
            if (row < end && tx + 16 * e < D) {
                to[row * stride + tx + 16 * e] = from_acc<T>(out[r][e] * factor[r]);
            }
        }
    }
}

__device__ __forceinline__ bool attends(int i, int j, int lengthT, int lengthS, int causal, const u8 *mask) {
    return i < lengthT && j < lengthS && (!causal || j <= i + lengthS - lengthT) && (mask == nullptr || mask[j] != 0);
}

__device__ __forceinline__ A probability(A s, A l, bool attends) {
    return attends && l != -infinity() ? exp(s - l) : A(0);
}

/** Queries end where the last row of the block sees no further keys. */
__device__ __forceinline__ int lastKey(int first, int lengthT, int lengthS, int causal) {
    int last = first + TILE + lengthS - lengthT;
    return causal && last < lengthS ? last : lengthS;
}

extern "C" __global__ void __launch_bounds__(256) attention_forward(const T *q, const T *k, const T *v, const u8 *mask, T *o,
        A *lse, int lengthT, int lengthS, int heads, double scale, int causal) {
    DYN_SHARED(A, shared);
    A *tileQ = shared, *tileK = tileQ + TILE * LD, *tileV = tileK + TILE * LD, *p = tileV + TILE * LD;
    int h = blockIdx.y, b = blockIdx.z, first = blockIdx.x * TILE, tx = threadIdx.x & 15, ty = threadIdx.x >> 4;
    i64 stride = static_cast<i64>(heads) * D;
    q += b * lengthT * stride + h * D;
    o += b * lengthT * stride + h * D;
    k += b * lengthS * stride + h * D;
    v += b * lengthS * stride + h * D;
    if (mask != nullptr) mask += static_cast<i64>(b) * lengthS;
    load(tileQ, q, first, lengthT, stride);
    A out[R][E] = {}, best[R], sum[R], s[R][R];
    for (int r = 0; r < R; r++) {
        best[r] = -infinity();
        sum[r] = A(0);
    }
    int end = lastKey(first, lengthT, lengthS, causal);
    for (int from = 0; from < end; from += TILE) {
        __syncthreads();
        load(tileK, k, from, lengthS, stride);
        load(tileV, v, from, lengthS, stride);
        __syncthreads();
        products(s, tileQ, tileK);
#pragma unroll
        for (int r = 0; r < R; r++) {
            A high = -infinity();
            for (int c = 0; c < R; c++) {
                s[r][c] = attends(first + ty * R + r, from + tx + 16 * c, lengthT, lengthS, causal, mask)
                        ? s[r][c] * static_cast<A>(scale) : -infinity();
                high = s[r][c] > high ? s[r][c] : high;
            }
            for (int w = 8; w > 0; w >>= 1) {
                A other = __shfl_xor_sync(FULL_WARP, high, w);
                high = other > high ? other : high;
            }
            A now = high > best[r] ? high : best[r];
            A base = now == -infinity() ? A(0) : now;
            A shrink = exp(best[r] - base), part = A(0);
            best[r] = now;
            for (int c = 0; c < R; c++) {
                s[r][c] = exp(s[r][c] - base);
                part += s[r][c];
            }
            for (int w = 8; w > 0; w >>= 1) {
                part += __shfl_xor_sync(FULL_WARP, part, w);
            }
            sum[r] = sum[r] * shrink + part;
            for (int e = 0; e < E; e++) {
                out[r][e] *= shrink;
            }
        }
        keep(p, s);
        __syncthreads();
        accumulate(out, p, tileV);
    }
    A inverse[R];
    for (int r = 0; r < R; r++) {
        inverse[r] = sum[r] > A(0) ? A(1) / sum[r] : A(0);
        int row = first + ty * R + r;
        if (tx == 0 && row < lengthT) {
            lse[(static_cast<i64>(b) * heads + h) * lengthT + row] = sum[r] > A(0) ? best[r] + log(sum[r]) : -infinity();
        }
    }
    store(o, out, first, lengthT, stride, inverse);
}

/** delta = Σ dout·o over D, one warp for each query and head. */
extern "C" __global__ void __launch_bounds__(128) attention_delta(const T *dout, const T *o, A *delta, int lengthT, int heads,
        i64 rows) {
    i64 r = static_cast<i64>(blockIdx.x) * 4 + (threadIdx.x >> 5);
    if (r >= rows) {
        return;
    }
    int lane = threadIdx.x & 31;
    A sum = A(0);
    for (int d = lane; d < D; d += 32) {
        sum += static_cast<A>(to_acc(dout[r * D + d])) * static_cast<A>(to_acc(o[r * D + d]));
    }
    for (int w = 16; w > 0; w >>= 1) {
        sum += __shfl_xor_sync(FULL_WARP, sum, w);
    }
    if (lane == 0) {
        i64 h = r % heads, t = r / heads % lengthT, b = r / heads / lengthT;
        delta[(b * heads + h) * lengthT + t] = sum;
    }
}

extern "C" __global__ void __launch_bounds__(256) attention_backward_keys(const T *dout, const T *q, const T *k, const T *v,
        const u8 *mask, const A *lse, const A *delta, T *dk, T *dv, int lengthT, int lengthS, int heads, double scale, int causal) {
    DYN_SHARED(A, shared);
    A *tileK = shared, *tileV = tileK + TILE * LD, *tileQ = tileV + TILE * LD, *tileO = tileQ + TILE * LD, *p = tileO + TILE * LD;
    A *g = p + TILE * (TILE + 1);
    int h = blockIdx.y, b = blockIdx.z, first = blockIdx.x * TILE, tx = threadIdx.x & 15, ty = threadIdx.x >> 4;
    i64 stride = static_cast<i64>(heads) * D;
    q += b * lengthT * stride + h * D;
    dout += b * lengthT * stride + h * D;
    k += b * lengthS * stride + h * D;
    v += b * lengthS * stride + h * D;
    dk += b * lengthS * stride + h * D;
    dv += b * lengthS * stride + h * D;
    lse += (static_cast<i64>(b) * heads + h) * lengthT;
    delta += (static_cast<i64>(b) * heads + h) * lengthT;
    if (mask != nullptr) mask += static_cast<i64>(b) * lengthS;
    load(tileK, k, first, lengthS, stride);
    load(tileV, v, first, lengthS, stride);
    A sumK[R][E] = {}, sumV[R][E] = {}, s[R][R], ds[R][R];
    int begin = causal ? first - (lengthS - lengthT) : 0;
    begin = begin < 0 ? 0 : begin / TILE * TILE;
    for (int from = begin; from < lengthT; from += TILE) {
        __syncthreads();
        load(tileQ, q, from, lengthT, stride);
        load(tileO, dout, from, lengthT, stride);
        __syncthreads();
        products(s, tileK, tileQ);
        products(ds, tileV, tileO);
#pragma unroll
        for (int c = 0; c < R; c++) {
            int i = from + tx + 16 * c;
            A l = i < lengthT ? lse[i] : -infinity(), del = i < lengthT ? delta[i] : A(0);
#pragma unroll
            for (int r = 0; r < R; r++) {
                s[r][c] = probability(s[r][c] * static_cast<A>(scale), l,
                                      attends(i, first + ty * R + r, lengthT, lengthS, causal, mask));
                ds[r][c] = s[r][c] * (ds[r][c] - del);
            }
        }
        keep(p, s);
        keep(g, ds);
        __syncthreads();
        accumulate(sumV, p, tileO);
        accumulate(sumK, g, tileQ);
    }
    A one[R], factor[R];
    for (int r = 0; r < R; r++) {
        one[r] = A(1);
        factor[r] = static_cast<A>(scale);
    }
    store(dk, sumK, first, lengthS, stride, factor);
    store(dv, sumV, first, lengthS, stride, one);
}

extern "C" __global__ void __launch_bounds__(256) attention_backward_queries(const T *dout, const T *q, const T *k, const T *v,
        const u8 *mask, const A *lse, const A *delta, T *dq, int lengthT, int lengthS, int heads, double scale, int causal) {
    DYN_SHARED(A, shared);
    A *tileQ = shared, *tileO = tileQ + TILE * LD, *tileK = tileO + TILE * LD, *tileV = tileK + TILE * LD, *g = tileV + TILE * LD;
    int h = blockIdx.y, b = blockIdx.z, first = blockIdx.x * TILE, tx = threadIdx.x & 15, ty = threadIdx.x >> 4;
    i64 stride = static_cast<i64>(heads) * D;
    q += b * lengthT * stride + h * D;
    dout += b * lengthT * stride + h * D;
    dq += b * lengthT * stride + h * D;
    k += b * lengthS * stride + h * D;
    v += b * lengthS * stride + h * D;
    lse += (static_cast<i64>(b) * heads + h) * lengthT;
    delta += (static_cast<i64>(b) * heads + h) * lengthT;
    if (mask != nullptr) mask += static_cast<i64>(b) * lengthS;
    load(tileQ, q, first, lengthT, stride);
    load(tileO, dout, first, lengthT, stride);
    A sum[R][E] = {}, s[R][R], ds[R][R];
    int end = lastKey(first, lengthT, lengthS, causal);
    for (int from = 0; from < end; from += TILE) {
        __syncthreads();
        load(tileK, k, from, lengthS, stride);
        load(tileV, v, from, lengthS, stride);
        __syncthreads();
        products(s, tileQ, tileK);
        products(ds, tileO, tileV);
#pragma unroll
        for (int r = 0; r < R; r++) {
            int i = first + ty * R + r;
            A l = i < lengthT ? lse[i] : -infinity(), del = i < lengthT ? delta[i] : A(0);
#pragma unroll
            for (int c = 0; c < R; c++) {
                A prob = probability(s[r][c] * static_cast<A>(scale), l,
                                     attends(i, from + tx + 16 * c, lengthT, lengthS, causal, mask));
                ds[r][c] = prob * (ds[r][c] - del);
            }
        }
        keep(g, ds);
        __syncthreads();
        accumulate(sum, g, tileK);
    }
    A factor[R];
    for (int r = 0; r < R; r++) {
        factor[r] = static_cast<A>(scale);
    }
    store(dq, sum, first, lengthT, stride, factor);
}
