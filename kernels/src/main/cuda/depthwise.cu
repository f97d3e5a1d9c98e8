// Depthwise convolution: output channel o reads input channel o / MULTIPLIER only. Images [N, H, W, C],
// weights [O, kH, kW, 1]. A thread computes TILE neighbours of a row for V channels at once, so that a loaded pixel serves several windows; a
// block keeps its channels' weights in shared memory, tap by tap.
// T, V as everywhere; KH, KW, SH, SW, DH, DW (kernel, stride, dilation), PT, PL (padding), TILE, MULTIPLIER are constants;
// INDEX: int, or long long where there are more than 2^31 tiles.  KERNEL: 0 forward, with ACT, BIAS and RESIDUAL as in
// epilogue.cu; 1 gradient of the input; 2 gradient of the weights, with ROWS: kernel rows per block.

typedef acc_t<T> A;

struct Sizes {
    int h, w, inChannels;
    int outH, outW, outChannels;
};

#if KERNEL == 0
__device__ __forceinline__ A activate(A x) {
#if ACT == 1
    return x > 0 ? x : x != x ? x : (A) 0;
#elif ACT == 2
    return x != x ? x : x > 0 ? x < 6 ? x : (A) 6 : (A) 0;
#else
    return x;
#endif
}
#endif

/** shared [taps, width] from w [channels, taps], beginning with channel first; ends with a barrier. */
__device__ __forceinline__ void load_weights(const T *w, A *shared, int first, int width, int channels) {
    const int threads = blockDim.x * blockDim.y;
    for (int i = threadIdx.y * blockDim.x + threadIdx.x; i < width * KH * KW; i += threads) {
        int c = i / (KH * KW), tap = i % (KH * KW);
        shared[tap * width + c] = first + c < channels ? to_acc(w[(i64) first * (KH * KW) + i]) : (A) 0;
    }
    __syncthreads();
}

/** V channels of one pixel; x's channel is that of the output divided by MULTIPLIER, which is 1 unless V is. */
__device__ __forceinline__ void load_pixel(const T *image, int pixel, int channels, int c, A *out) {
    unpack(load_vec<V>(image + (i64) pixel * channels + c, 0), out);
}

#if KERNEL == 0
extern "C" __global__ void __launch_bounds__(256) depthwise_forward(const T *x, const T *w, const T *bias, const T *residual,
                                                                    T *y, Sizes s, long long tileCount) {
    DYN_SHARED(A, shared);
    const int width = blockDim.x * V, first = blockIdx.y * width;
    load_weights(w, shared, first, width, s.outChannels);
    const int local = threadIdx.x * V, c = first + local, cx = c / MULTIPLIER;
    if (c >= s.outChannels) return;
    const INDEX tiles = (INDEX) tileCount;
    const int across = (s.outW + TILE - 1) / TILE;
    for (INDEX tile = (INDEX) blockIdx.x * blockDim.y + threadIdx.y; tile < tiles; tile += (INDEX) gridDim.x * blockDim.y) {
        const int ow = (int) (tile % across) * TILE;
        const INDEX row = tile / across;
        const int oh = (int) (row % s.outH);
        const i64 n = row / s.outH;
        const T *image = x + n * s.h * s.w * s.inChannels;
        const int ih0 = oh * SH - PT, iw0 = ow * SW - PL;
        A sum[TILE][V];
#pragma unroll
        for (int k = 0; k < V; k++) {
#if BIAS
            A b = to_acc(bias[c + k]);
#else
            A b = 0;
#endif
#pragma unroll
            for (int t = 0; t < TILE; t++) sum[t][k] = b;
        }
#if KH * KW <= 25
#pragma unroll
#else
#pragma unroll 1
#endif
        for (int kh = 0; kh < KH; kh++) {
            const int ih = ih0 + kh * DH;
            if (ih < 0 || ih >= s.h) continue;
            A weight[KW][V];
#pragma unroll
            for (int kw = 0; kw < KW; kw++) {
#pragma unroll
                for (int k = 0; k < V; k++) weight[kw][k] = shared[(kh * KW + kw) * width + local + k];
            }
#pragma unroll
            for (int col = 0; col <= (TILE - 1) * SW + (KW - 1) * DW; col++) {
                bool used = false;
#pragma unroll
                for (int t = 0; t < TILE; t++) used |= col >= t * SW && (col - t * SW) % DW == 0 && col - t * SW < KW * DW;
                const int iw = iw0 + col;
                if (!used || iw < 0 || iw >= s.w) continue;
                A v[V];
                load_pixel(image, ih * s.w + iw, s.inChannels, cx, v);
#pragma unroll
                for (int t = 0; t < TILE; t++) {
#pragma unroll
                    for (int kw = 0; kw < KW; kw++) {
                        if (t * SW + kw * DW == col) {
#pragma unroll
                            for (int k = 0; k < V; k++) sum[t][k] += v[k] * weight[kw][k];
                        }
                    }
                }
            }
        }
        const i64 at = ((i64) row * s.outW + ow) * s.outChannels + c;
#pragma unroll
        for (int t = 0; t < TILE; t++) {
            if (ow + t >= s.outW) break;
#if RESIDUAL
            A z[V];
            unpack(load_vec<V>(residual + at + (i64) t * s.outChannels, 0), z);
#pragma unroll
            for (int k = 0; k < V; k++) sum[t][k] += z[k];
#endif
#pragma unroll
            for (int k = 0; k < V; k++) sum[t][k] = activate(sum[t][k]);
            store_vec<V>(y + at + (i64) t * s.outChannels, 0, pack<T, V>(sum[t]));
        }
    }
}

#elif KERNEL == 1
/** a / b rounded down, b > 0. */
__device__ __forceinline__ constexpr int floor_div(int a, int b) { return a >= 0 ? a / b : -((-a + b - 1) / b); }

/** dx gathers the windows that read it: for each, which of them do so is known when compiling. TILE is a multiple of SW. */
extern "C" __global__ void __launch_bounds__(256) depthwise_backward_input(const T *dy, const T *w, T *dx, Sizes s,
                                                                           long long tileCount) {
    DYN_SHARED(A, shared);
    const int width = blockDim.x * V * MULTIPLIER, first = blockIdx.y * width;      // channels of dy
    load_weights(w, shared, first, width, s.outChannels);
    const int local = threadIdx.x * V * MULTIPLIER, c = (first + local) / MULTIPLIER;
    if (c >= s.inChannels) return;
    const INDEX tiles = (INDEX) tileCount;
    const int across = (s.w + TILE - 1) / TILE;
    const int low = floor_div(PL - (KW - 1) * DW, SW), high = floor_div(TILE - 1 + PL, SW);
    for (INDEX tile = (INDEX) blockIdx.x * blockDim.y + threadIdx.y; tile < tiles; tile += (INDEX) gridDim.x * blockDim.y) {
        const int iw = (int) (tile % across) * TILE;
        const INDEX row = tile / across;
        const int ih = (int) (row % s.h);
        const i64 n = row / s.h;
        const T *image = dy + n * s.outH * s.outW * s.outChannels;
        const int ow0 = iw / SW;
        A sum[TILE][V];
#pragma unroll
        for (int t = 0; t < TILE; t++) {
#pragma unroll
            for (int k = 0; k < V; k++) sum[t][k] = 0;
        }
#if KH * KW <= 25
#pragma unroll
#else
#pragma unroll 1
#endif
        for (int kh = 0; kh < KH; kh++) {
            const int dh = ih + PT - kh * DH, oh = dh / SH;
            if (dh < 0 || oh * SH != dh || oh >= s.outH) continue;
#pragma unroll
            for (int m = 0; m < MULTIPLIER; m++) {
                A weight[KW][V];
#pragma unroll
                for (int kw = 0; kw < KW; kw++) {
#pragma unroll
                    for (int k = 0; k < V; k++) weight[kw][k] = shared[(kh * KW + kw) * width + local + m + k];
                }
#pragma unroll
                for (int col = low; col <= high; col++) {
                    bool used = false;
#pragma unroll
                    for (int t = 0; t < TILE; t++) {
#pragma unroll
                        for (int kw = 0; kw < KW; kw++) used |= t + PL - kw * DW == col * SW;
                    }
                    const int ow = ow0 + col;
                    if (!used || ow < 0 || ow >= s.outW) continue;
                    A v[V];
                    load_pixel(image, oh * s.outW + ow, s.outChannels, c * MULTIPLIER + m, v);
#pragma unroll
                    for (int t = 0; t < TILE; t++) {
#pragma unroll
                        for (int kw = 0; kw < KW; kw++) {
                            if (t + PL - kw * DW == col * SW) {
#pragma unroll
                                for (int k = 0; k < V; k++) sum[t][k] += v[k] * weight[kw][k];
                            }
                        }
                    }
                }
            }
        }
        const i64 at = ((i64) row * s.w + iw) * s.inChannels + c;
#pragma unroll
        for (int t = 0; t < TILE; t++) {
            if (iw + t >= s.w) break;
            store_vec<V>(dx + at + (i64) t * s.inChannels, 0, pack<T, V>(sum[t]));
        }
    }
}

#else
/**
 * First of two stages: partial [slices, KH * KW, outChannels], each slice over its share of the tiles of dy. Block: x over
 * packs of channels, y over the tiles of the slice; grid: slices, channels, groups of ROWS kernel rows.
 */
extern "C" __global__ void __launch_bounds__(128) depthwise_backward_weight(const T *x, const T *dy, A *partial, Sizes s,
                                                                            long long tileCount) {
    DYN_SHARED(A, shared);                                       // [blockDim.y, ROWS * KW, width]
    const int width = blockDim.x * V, first = blockIdx.y * width, local = threadIdx.x * V;
    const int c = first + local, cx = c / MULTIPLIER, kh0 = blockIdx.z * ROWS;
    A sum[ROWS * KW][V];
#pragma unroll
    for (int i = 0; i < ROWS * KW; i++) {
#pragma unroll
        for (int k = 0; k < V; k++) sum[i][k] = 0;
    }
    const INDEX tiles = (INDEX) tileCount;
    const int across = (s.outW + TILE - 1) / TILE;
    if (c < s.outChannels) {
        for (INDEX tile = (INDEX) blockIdx.x * blockDim.y + threadIdx.y; tile < tiles;
             tile += (INDEX) gridDim.x * blockDim.y) {
            const int ow = (int) (tile % across) * TILE;
            const INDEX row = tile / across;
            const int oh = (int) (row % s.outH);
            const i64 n = row / s.outH;
            const T *image = x + n * s.h * s.w * s.inChannels;
            const int ih0 = oh * SH - PT, iw0 = ow * SW - PL;
            A g[TILE][V];
#pragma unroll
            for (int t = 0; t < TILE; t++) {
                if (ow + t < s.outW) {
                    unpack(load_vec<V>(dy + ((i64) row * s.outW + ow + t) * s.outChannels + c, 0), g[t]);
                } else {
#pragma unroll
                    for (int k = 0; k < V; k++) g[t][k] = 0;
                }
            }
#pragma unroll
            for (int r = 0; r < ROWS; r++) {
                const int kh = kh0 + r, ih = ih0 + kh * DH;
                if (kh >= KH || ih < 0 || ih >= s.h) continue;
#pragma unroll
                for (int col = 0; col <= (TILE - 1) * SW + (KW - 1) * DW; col++) {
                    bool used = false;
#pragma unroll
                    for (int t = 0; t < TILE; t++) {
                        used |= col >= t * SW && (col - t * SW) % DW == 0 && col - t * SW < KW * DW;
                    }
                    const int iw = iw0 + col;
                    if (!used || iw < 0 || iw >= s.w) continue;
                    A v[V];
                    load_pixel(image, ih * s.w + iw, s.inChannels, cx, v);
#pragma unroll
                    for (int t = 0; t < TILE; t++) {
#pragma unroll
                        for (int kw = 0; kw < KW; kw++) {
                            if (t * SW + kw * DW == col) {
#pragma unroll
                                for (int k = 0; k < V; k++) sum[r * KW + kw][k] += v[k] * g[t][k];
                            }
                        }
                    }
                }
            }
        }
    }
#pragma unroll
    for (int i = 0; i < ROWS * KW; i++) {
#pragma unroll
        for (int k = 0; k < V; k++) shared[(threadIdx.y * (ROWS * KW) + i) * width + local + k] = sum[i][k];
    }
    __syncthreads();
    const int threads = blockDim.x * blockDim.y;
    for (int i = threadIdx.y * blockDim.x + threadIdx.x; i < ROWS * KW * width; i += threads) {
        const int tap = kh0 * KW + i / width, channel = first + i % width;
        if (tap >= KH * KW || channel >= s.outChannels) continue;
        A total = 0;
        for (int row = 0; row < (int) blockDim.y; row++) total += shared[row * (ROWS * KW * width) + i];
        partial[((i64) blockIdx.x * (KH * KW) + tap) * s.outChannels + channel] = total;
    }
}

/**
 * Second stage: dw [channels, taps] = the sum of partial [slices, taps, channels]. Block 32 x 16, always in the same order.
 */
extern "C" __global__ void depthwise_sum(const A *partial, T *dw, int slices, int taps, int channels) {
    __shared__ A shared[16][33];
    const int i = blockIdx.x * 32 + threadIdx.x;                 // tap * channels + channel
    A sum = 0;
    if (i < taps * channels) {
        for (int slice = threadIdx.y; slice < slices; slice += 16) sum += partial[(i64) slice * taps * channels + i];
    }
    shared[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0 && i < taps * channels) {
        for (int r = 1; r < 16; r++) sum += shared[r][threadIdx.x];
        dw[(i64) (i % channels) * taps + i / channels] = from_acc<T>(sum);
    }
}
#endif
