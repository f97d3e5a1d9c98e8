// Moves of elements that nobody looks into: ELEMENT is an integer type of the element's size, or of several neighbours' size
// where whole runs of elements move together (up to uint4, 16 bytes).

typedef ELEMENT E;

#define UNROLL 4

/** y[i] = x[place of i]. */
extern "C" __global__ void gather(E *__restrict__ y, const E *__restrict__ x, i64 n, i32 rank,
        const __grid_constant__ Axes axes, const __grid_constant__ Steps steps) {
    for (i64 i = (i64) blockIdx.x * blockDim.x * UNROLL + threadIdx.x; i < n; i += (i64) gridDim.x * blockDim.x * UNROLL) {
        E v[UNROLL];
#pragma unroll
        for (int u = 0; u < UNROLL; u++) {
            i64 e = i + u * (int) blockDim.x;
            if (e < n) v[u] = x[place_of(e, n, rank, axes, steps)];
        }
#pragma unroll
        for (int u = 0; u < UNROLL; u++) {
            i64 e = i + u * (int) blockDim.x;
            if (e < n) y[e] = v[u];
        }
    }
}

/** y[place of i] = x[i]. */
extern "C" __global__ void scatter(E *__restrict__ y, const E *__restrict__ x, i64 n, i32 rank,
        const __grid_constant__ Axes axes, const __grid_constant__ Steps steps) {
    for (i64 i = (i64) blockIdx.x * blockDim.x * UNROLL + threadIdx.x; i < n; i += (i64) gridDim.x * blockDim.x * UNROLL) {
        E v[UNROLL];
#pragma unroll
        for (int u = 0; u < UNROLL; u++) {
            i64 e = i + u * (int) blockDim.x;
            if (e < n) v[u] = x[e];
        }
#pragma unroll
        for (int u = 0; u < UNROLL; u++) {
            i64 e = i + u * (int) blockDim.x;
            if (e < n) y[place_of(e, n, rank, axes, steps)] = v[u];
        }
    }
}

#ifdef NARROW
/** y[i] = x[place of i], where x repeats along the innermost axis, whose size is a multiple of 16 bytes. */
extern "C" __global__ void splat(E *__restrict__ y, const E *__restrict__ x, i64 n, i32 rank,
        const __grid_constant__ Axes axes, const __grid_constant__ Steps steps) {
    const int N = 16 / (int) sizeof(E);
    GRID_STRIDE(g, n / N) {
        E v = x[place_of(g * N, n, rank, axes, steps)];
        Vec<E, N> r;
#pragma unroll
        for (int k = 0; k < N; k++) r.v[k] = v;
        store_vec<N>(y, g, r);
    }
}
#endif

/** Elements in front of an axis of the input, its size, and the distance of its elements in the output. */
struct PadAxis { i64 low, size, distance; };
struct Padding { PadAxis axis[8]; };

/** y[i] = x where i lies on an element of x, else {@code value}. */
extern "C" __global__ void pad(E *__restrict__ y, const E *__restrict__ x, E value, i64 n, i32 rank,
        const __grid_constant__ Axes axes, const __grid_constant__ Padding padding) {
    GRID_STRIDE(i, n) {
        i64 rest = i, place = 0, step = 1;
        bool inside = true;
#pragma unroll 1
        for (int a = rank - 1; a >= 0; a--) {
            i64 q = a == 0 ? 0 : n <= 0x7fffffff ? (i64) ((u32) rest / (u32) axes.size[a]) : rest / axes.size[a];
            i64 at = rest - q * axes.size[a] - padding.axis[a].low, distance = padding.axis[a].distance;
            if (distance > 1) {
                inside &= at >= 0 && at % distance == 0;
                at /= distance;
            }
            inside &= at >= 0 && at < padding.axis[a].size;
            place += at * step;
            step *= padding.axis[a].size;
            rest = q;
        }
        y[i] = inside ? x[place] : value;
    }
}

#ifdef NARROW
/**
 * A permutation that moves the input's innermost axis (J elements, step 1 in x, outStepJ in y) away from the innermost
 * place, which another axis takes (C elements, inStepC in x): tiles go through shared memory, so that both sides are walked
 * along their own innermost axis. The other axes are a batch. 32 x 8 threads; a tile has TILE x TILE elements.
 */
#define TILE (sizeof(E) <= 2 ? 64 : 32)
extern "C" __global__ void __launch_bounds__(256) transpose(E *__restrict__ y, const E *__restrict__ x, i64 J,
        i64 outStepJ, i64 C, i64 inStepC, i64 tiles, i64 batches, i32 rank, const __grid_constant__ Axes axes,
        const __grid_constant__ Steps in, const __grid_constant__ Steps out) {
    const int pitch = TILE + (sizeof(E) < 4 ? 4 / sizeof(E) : 1);        // an odd number of banks
    __shared__ E tile[TILE * pitch];
    const i64 across = (C + TILE - 1) / TILE;
    for (i64 t = blockIdx.x; t < tiles; t += gridDim.x) {
        i64 batch = t / (tiles / batches), within = t - batch * (tiles / batches);
        i64 j0 = within / across * TILE, c0 = within % across * TILE;
        const E *from = x + place_of(batch, batches, rank, axes, in);
        E *to = y + place_of(batch, batches, rank, axes, out);
#pragma unroll 4
        for (int c = threadIdx.y; c < TILE; c += 8) {
            for (int j = threadIdx.x; j < TILE; j += 32) {
                if (c0 + c < C && j0 + j < J) tile[c * pitch + j] = from[(c0 + c) * inStepC + j0 + j];
            }
        }
        __syncthreads();
#pragma unroll 4
        for (int j = threadIdx.y; j < TILE; j += 8) {
            for (int c = threadIdx.x; c < TILE; c += 32) {
                if (c0 + c < C && j0 + j < J) to[(j0 + j) * outStepJ + c0 + c] = tile[c * pitch + j];
            }
        }
        __syncthreads();
    }
}
#endif
