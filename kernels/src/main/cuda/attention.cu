// Attention without the matrix of scores in memory: FlashAttention-2 (Dao 2023, arXiv:2307.08691) on tensor cores, for bfloat16
// and float16 with float32 accumulators.
// q, o: [B, T, H, D], k, v: [B, S, H, D], lse and delta: [B, H, T] float32, mask: [B, S] bytes (not 0 = attend) or null.
// The backward pass takes two kernels, one that owns keys (dk, dv) and one that owns queries (dq): a few more products than
// with atomic additions, and the same bits in every run.
// Defines: T (bf16, or half and HALF), D (a multiple of 16 up to 128).  A block has four warps; each owns 16 of its 64 rows.

#define ROWS 64                       // rows a block owns
#define COLS (D <= 64 ? 64 : 32)      // rows of the tiles it walks through
#define LD (D + 8)                    // row stride in shared memory: eight rows of 16 bytes fall into different banks
#define LOG2E 1.4426950408889634f
#define LN2 0.6931471805599453f

struct alignas(16) Eight {
    T v[8];
};

/** Two neighbouring 16-bit values. */
__device__ __forceinline__ u32 pair(const T *p) {
    return *reinterpret_cast<const u32 *>(p);
}

__device__ __forceinline__ u32 pack(float low, float high) {
#ifdef HALF
    return float_to_halfx2(low, high);
#else
    return float_to_bf16x2(low, high);
#endif
}

__device__ __forceinline__ float power2(float x) {
    return exp2f(x);
}

#ifdef __CUDACC__
/** c += a · b for a 16x16 and a 16x8 tile; the fragments' layout is PTX's for mma.m16n8k16. */
__device__ __forceinline__ void mma(float *c, const u32 *a, u32 b0, u32 b1) {
#ifdef HALF
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
#else
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
#endif
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/** Two b fragments of a tile whose rows are the summed axis: rows row .. row+15, columns col .. col+15. */
__device__ __forceinline__ void columns(u32 *b, const T *tile, int row, int col) {
    int lane = threadIdx.x & 31;
    const T *p = tile + (row + (lane & 15)) * LD + col + (lane >> 4) * 8;
    u32 address = static_cast<u32>(__cvta_generic_to_shared(p));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(b[0]), "=r"(b[1]), "=r"(b[2]), "=r"(b[3]) : "r"(address));
}
#else
__device__ __forceinline__ float part(u32 pair, int i) {
    T x;
    x.bits = static_cast<unsigned short>(i ? pair >> 16 : pair & 0xffff);
    return to_float(x);
}

/** The same, lane by lane: row r of a lies in lanes 4(r%8) .. +3, column n of b in lanes 4n .. +3. */
__device__ __forceinline__ void mma(float *c, const u32 *a, u32 b0, u32 b1) {
    int lane = threadIdx.x & 31, g = lane >> 2, t = lane & 3;
    for (int q = 0; q < 4; q++) {                 // which lane of four holds the values of the summed axis
        for (int half = 0; half < 2; half++) {    // the axis' first or last eight
            u32 top = __shfl_sync(FULL_WARP, a[2 * half], 4 * g + q), low = __shfl_sync(FULL_WARP, a[2 * half + 1], 4 * g + q);
            u32 left = __shfl_sync(FULL_WARP, half ? b1 : b0, 8 * t + q);
            u32 right = __shfl_sync(FULL_WARP, half ? b1 : b0, 8 * t + 4 + q);
            for (int i = 0; i < 2; i++) {
                c[0] += part(top, i) * part(left, i);
                c[1] += part(top, i) * part(right, i);
                c[2] += part(low, i) * part(left, i);
                c[3] += part(low, i) * part(right, i);
            }
        }
    }
}

__device__ __forceinline__ void columns(u32 *b, const T *tile, int row, int col) {
    int lane = threadIdx.x & 31, g = lane >> 2, t = lane & 3;
    for (int i = 0; i < 4; i++) {
        const T *p = tile + (row + 2 * t + (i & 1) * 8) * LD + col + (i >> 1) * 8 + g;
        b[i] = static_cast<u32>(p[0].bits) | static_cast<u32>(p[LD].bits) << 16;
    }
}
#endif

/** rows .. rows+COUNT of one head into shared memory, zeros behind the end. */
template <int COUNT>
__device__ __forceinline__ void load(T *tile, const T *from, int row, int end, long long stride) {
    constexpr int PIECES = D / 8;
    for (int i = threadIdx.x; i < COUNT * PIECES; i += blockDim.x) {
        int r = i / PIECES, c = i % PIECES * 8;
        Eight x = {};
        if (row + r < end) {
            x = *reinterpret_cast<const Eight *>(from + (row + r) * stride + c);
        }
        *reinterpret_cast<Eight *>(tile + r * LD + c) = x;
    }
}

/** acc[n] = (this warp's 16 rows of a) · (rows of b)ᵀ, both tiles with the summed axis D along their rows. */
template <int N>
__device__ __forceinline__ void products(float (&acc)[N][4], const T *a, const T *b) {
    int lane = threadIdx.x & 31, g = lane >> 2, t = lane & 3;
    const T *rows = a + ((threadIdx.x >> 5) * 16 + g) * LD + 2 * t;
#pragma unroll
    for (int n = 0; n < N; n++) {
        acc[n][0] = acc[n][1] = acc[n][2] = acc[n][3] = 0.0f;
    }
#pragma unroll
    for (int d = 0; d < D; d += 16) {
        u32 f[4] = {pair(rows + d), pair(rows + 8 * LD + d), pair(rows + d + 8), pair(rows + 8 * LD + d + 8)};
#pragma unroll
        for (int n = 0; n < N; n++) {
            const T *p = b + (n * 8 + g) * LD + d + 2 * t;
            mma(acc[n], f, pair(p), pair(p + 8));
        }
    }
}

/** out += p · b: p are accumulators over a tile's rows, b that tile. */
template <int N>
__device__ __forceinline__ void accumulate(float (&out)[D / 8][4], const float (&p)[N][4], const T *b) {
#pragma unroll
    for (int j = 0; j < N / 2; j++) {
        u32 f[4] = {pack(p[2 * j][0], p[2 * j][1]), pack(p[2 * j][2], p[2 * j][3]), pack(p[2 * j + 1][0], p[2 * j + 1][1]),
                    pack(p[2 * j + 1][2], p[2 * j + 1][3])};
#pragma unroll
        for (int d = 0; d < D; d += 16) {
            u32 c[4];
            columns(c, b, j * 16, d);
            mma(out[d / 8], f, c[0], c[1]);
            mma(out[d / 8 + 1], f, c[2], c[3]);
        }
    }
}

/** This warp's 16 rows of a result, multiplied by two factors, one for each of the lane's rows. */
__device__ __forceinline__ void store(T *to, const float (&acc)[D / 8][4], int row, int end, long long stride, float f0, float f1) {
    int lane = threadIdx.x & 31, r = row + (threadIdx.x >> 5) * 16 + (lane >> 2), c = 2 * (lane & 3);
#pragma unroll
    for (int n = 0; n < D / 8; n++) {
        if (r < end) {
            *reinterpret_cast<u32 *>(to + r * stride + n * 8 + c) = pack(acc[n][0] * f0, acc[n][1] * f0);
        }
        if (r + 8 < end) {
            *reinterpret_cast<u32 *>(to + (r + 8) * stride + n * 8 + c) = pack(acc[n][2] * f1, acc[n][3] * f1);
        }
    }
}

/** Key j attends query i. */
__device__ __forceinline__ bool attends(int i, int j, int lengthT, int lengthS, int causal, const u8 *mask) {
    return i < lengthT && j < lengthS && (!causal || j <= i + lengthS - lengthT) && (mask == nullptr || mask[j] != 0);
}

__device__ __forceinline__ float fourMax(float x) {
    x = fmaxf(x, __shfl_xor_sync(FULL_WARP, x, 1));
    return fmaxf(x, __shfl_xor_sync(FULL_WARP, x, 2));
}

__device__ __forceinline__ float fourSum(float x) {
    x += __shfl_xor_sync(FULL_WARP, x, 1);
    return x + __shfl_xor_sync(FULL_WARP, x, 2);
}

extern "C" __global__ void __launch_bounds__(128) attention_forward(const T *q, const T *k, const T *v, const u8 *mask, T *o,
        float *lse, int lengthT, int lengthS, int heads, float scale, int causal) {
    DYN_SHARED(T, shared);
    T *tileQ = shared, *tileK = tileQ + ROWS * LD, *tileV = tileK + COLS * LD;
    constexpr int N = COLS / 8;
    int h = blockIdx.y, b = blockIdx.z, first = blockIdx.x * ROWS;
    long long stride = static_cast<long long>(heads) * D;
    q += b * lengthT * stride + h * D;
    o += b * lengthT * stride + h * D;
    k += b * lengthS * stride + h * D;
    v += b * lengthS * stride + h * D;
    if (mask != nullptr) mask += static_cast<long long>(b) * lengthS;
    int lane = threadIdx.x & 31, row = first + (threadIdx.x >> 5) * 16 + (lane >> 2);
    load<ROWS>(tileQ, q, first, lengthT, stride);
    float out[D / 8][4] = {}, best[2] = {-inf_f(), -inf_f()}, sum[2] = {0.0f, 0.0f};
    float toLog2 = scale * LOG2E;
    int end = lengthS;
    if (causal) {
        int last = first + ROWS + lengthS - lengthT;
        end = last < end ? last : end;
    }
    for (int from = 0; from < end; from += COLS) {
        __syncthreads();
        load<COLS>(tileK, k, from, lengthS, stride);
        load<COLS>(tileV, v, from, lengthS, stride);
        __syncthreads();
        float s[N][4];
        products(s, tileQ, tileK);
        float high[2] = {-inf_f(), -inf_f()};
#pragma unroll
        for (int n = 0; n < N; n++) {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                int j = from + n * 8 + 2 * (lane & 3) + (i & 1);
                s[n][i] = attends(row + (i >> 1) * 8, j, lengthT, lengthS, causal, mask) ? s[n][i] * toLog2 : -inf_f();
                high[i >> 1] = fmaxf(high[i >> 1], s[n][i]);
            }
        }
        float shrink[2], base[2];
#pragma unroll
        for (int i = 0; i < 2; i++) {
            float now = fmaxf(best[i], fourMax(high[i]));
            base[i] = now == -inf_f() ? 0.0f : now;          // nothing to attend yet: every term is exp2(-inf) = 0
            shrink[i] = power2(best[i] - base[i]);
            best[i] = now;
            sum[i] *= shrink[i];
        }
#pragma unroll
        for (int n = 0; n < N; n++) {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                s[n][i] = power2(s[n][i] - base[i >> 1]);
                sum[i >> 1] += s[n][i];
            }
        }
#pragma unroll
        for (int n = 0; n < D / 8; n++) {
            out[n][0] *= shrink[0];
            out[n][1] *= shrink[0];
            out[n][2] *= shrink[1];
            out[n][3] *= shrink[1];
        }
        accumulate(out, s, tileV);
    }
    sum[0] = fourSum(sum[0]);
    sum[1] = fourSum(sum[1]);
    store(o, out, first, lengthT, stride, sum[0] > 0.0f ? 1.0f / sum[0] : 0.0f, sum[1] > 0.0f ? 1.0f / sum[1] : 0.0f);
    if ((lane & 3) == 0) {
        float *l = lse + (static_cast<long long>(b) * heads + h) * lengthT;
#pragma unroll
        for (int i = 0; i < 2; i++) {
            if (row + 8 * i < lengthT) {
                l[row + 8 * i] = sum[i] > 0.0f ? (best[i] + log2f(sum[i])) * LN2 : -inf_f();
            }
        }
    }
}

/** delta = Σ dout·o over D, one warp for each query and head. */
extern "C" __global__ void __launch_bounds__(128) attention_delta(const T *dout, const T *o, float *delta, int lengthT, int heads,
        long long rows) {
    long long r = static_cast<long long>(blockIdx.x) * 4 + (threadIdx.x >> 5);
    if (r >= rows) {
        return;
    }
    int lane = threadIdx.x & 31;
    float sum = 0.0f;
    for (int d = lane; d < D; d += 32) {
        sum += to_float(dout[r * D + d]) * to_float(o[r * D + d]);
    }
    for (int w = 16; w > 0; w >>= 1) {
        sum += __shfl_xor_sync(FULL_WARP, sum, w);
    }
    if (lane == 0) {
        long long h = r % heads, t = r / heads % lengthT, b = r / heads / lengthT;
        delta[(b * heads + h) * lengthT + t] = sum;
    }
}

/** exp(s·scale − lse), 0 where the key does not attend. */
__device__ __forceinline__ float probability(float s, float toLog2, float l, bool attends) {
    return attends && l != -inf_f() ? power2(s * toLog2 - l * LOG2E) : 0.0f;
}

extern "C" __global__ void __launch_bounds__(128) attention_backward_keys(const T *dout, const T *q, const T *k, const T *v,
        const u8 *mask, const float *lse, const float *delta, T *dk, T *dv, int lengthT, int lengthS, int heads, float scale,
        int causal) {
    DYN_SHARED(T, shared);
    T *tileK = shared, *tileV = tileK + ROWS * LD, *tileQ = tileV + ROWS * LD, *tileO = tileQ + COLS * LD;
    float *rowLse = reinterpret_cast<float *>(tileO + COLS * LD), *rowDelta = rowLse + COLS;
    constexpr int N = COLS / 8;
    int h = blockIdx.y, b = blockIdx.z, first = blockIdx.x * ROWS;
    long long stride = static_cast<long long>(heads) * D;
    q += b * lengthT * stride + h * D;
    dout += b * lengthT * stride + h * D;
    k += b * lengthS * stride + h * D;
    v += b * lengthS * stride + h * D;
    dk += b * lengthS * stride + h * D;
    dv += b * lengthS * stride + h * D;
    lse += (static_cast<long long>(b) * heads + h) * lengthT;
    delta += (static_cast<long long>(b) * heads + h) * lengthT;
    if (mask != nullptr) mask += static_cast<long long>(b) * lengthS;
    int lane = threadIdx.x & 31, row = first + (threadIdx.x >> 5) * 16 + (lane >> 2);
    load<ROWS>(tileK, k, first, lengthS, stride);
    load<ROWS>(tileV, v, first, lengthS, stride);
    float sumK[D / 8][4] = {}, sumV[D / 8][4] = {};
    int begin = causal ? first - (lengthS - lengthT) : 0;             // earlier queries see none of these keys
    begin = begin < 0 ? 0 : begin / COLS * COLS;
    for (int from = begin; from < lengthT; from += COLS) {
        __syncthreads();
        load<COLS>(tileQ, q, from, lengthT, stride);
        load<COLS>(tileO, dout, from, lengthT, stride);
        for (int i = threadIdx.x; i < COLS; i += blockDim.x) {
            rowLse[i] = from + i < lengthT ? lse[from + i] : -inf_f();
            rowDelta[i] = from + i < lengthT ? delta[from + i] : 0.0f;
        }
        __syncthreads();
        float s[N][4], g[N][4];
        products(s, tileK, tileQ);
        products(g, tileV, tileO);
#pragma unroll
        for (int n = 0; n < N; n++) {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                int c = n * 8 + 2 * (lane & 3) + (i & 1);
                float p = probability(s[n][i], scale * LOG2E, rowLse[c],
                                      attends(from + c, row + (i >> 1) * 8, lengthT, lengthS, causal, mask));
                s[n][i] = p;
                g[n][i] = p * (g[n][i] - rowDelta[c]);
            }
        }
        accumulate(sumV, s, tileO);
        accumulate(sumK, g, tileQ);
    }
    store(dk, sumK, first, lengthS, stride, scale, scale);
    store(dv, sumV, first, lengthS, stride, 1.0f, 1.0f);
}

extern "C" __global__ void __launch_bounds__(128) attention_backward_queries(const T *dout, const T *q, const T *k, const T *v,
        const u8 *mask, const float *lse, const float *delta, T *dq, int lengthT, int lengthS, int heads, float scale, int causal) {
    DYN_SHARED(T, shared);
    T *tileQ = shared, *tileO = tileQ + ROWS * LD, *tileK = tileO + ROWS * LD, *tileV = tileK + COLS * LD;
    constexpr int N = COLS / 8;
    int h = blockIdx.y, b = blockIdx.z, first = blockIdx.x * ROWS;
    long long stride = static_cast<long long>(heads) * D;
    q += b * lengthT * stride + h * D;
    dout += b * lengthT * stride + h * D;
    dq += b * lengthT * stride + h * D;
    k += b * lengthS * stride + h * D;
    v += b * lengthS * stride + h * D;
    lse += (static_cast<long long>(b) * heads + h) * lengthT;
    delta += (static_cast<long long>(b) * heads + h) * lengthT;
    if (mask != nullptr) mask += static_cast<long long>(b) * lengthS;
    int lane = threadIdx.x & 31, row = first + (threadIdx.x >> 5) * 16 + (lane >> 2);
    load<ROWS>(tileQ, q, first, lengthT, stride);
    load<ROWS>(tileO, dout, first, lengthT, stride);
    float l[2], del[2];
#pragma unroll
    for (int i = 0; i < 2; i++) {
        l[i] = row + 8 * i < lengthT ? lse[row + 8 * i] : -inf_f();
        del[i] = row + 8 * i < lengthT ? delta[row + 8 * i] : 0.0f;
    }
    float sum[D / 8][4] = {};
    int end = lengthS;
    if (causal) {
        int last = first + ROWS + lengthS - lengthT;
        end = last < end ? last : end;
    }
    for (int from = 0; from < end; from += COLS) {
        __syncthreads();
        load<COLS>(tileK, k, from, lengthS, stride);
        load<COLS>(tileV, v, from, lengthS, stride);
        __syncthreads();
        float s[N][4], g[N][4];
        products(s, tileQ, tileK);
        products(g, tileO, tileV);
#pragma unroll
        for (int n = 0; n < N; n++) {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                int j = from + n * 8 + 2 * (lane & 3) + (i & 1);
                float p = probability(s[n][i], scale * LOG2E, l[i >> 1],
                                      attends(row + (i >> 1) * 8, j, lengthT, lengthS, causal, mask));
                g[n][i] = p * (g[n][i] - del[i >> 1]);
            }
        }
        accumulate(sum, g, tileK);
    }
    store(dq, sum, first, lengthT, stride, scale, scale);
}
