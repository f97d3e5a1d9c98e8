// Optimizer updates of many tensors in one launch. Every block works on one chunk of one tensor; what can change from step to
// step (rates, corrections) is read from the table, so that a captured step can be replayed with other values.
// OP: 0 axpby, 1 sgd, 2 adam, 3 rmsprop.  T: float or double.
// dev.graft.tensor.reference.ReferenceUpdate has the formulas in double precision.

struct Entry {
    T *p;                // the parameter
    const T *g;          // its gradient
    T *s0;               // first state, or null
    T *s1;               // second state, or null
    long long n;
    double a[8];         // scalars, in the order of UpdateScalars
};

struct Piece {
    int entry;
    int index;
};

struct alignas(16) Packet {
    T v[16 / sizeof(T)];
};

__device__ __forceinline__ void change(T &p, T g, T &s0, T &s1, bool hasS0, bool hasS1, const T *a) {
#if OP == 0
    p = a[0] * p + a[1] * g;
#elif OP == 1        // lr, momentum, 1 - dampening, weight decay, nesterov, first
    g += a[3] * p;
    if (hasS0) {
        s0 = a[5] != T(0) ? g : a[1] * s0 + a[2] * g;
        g = a[4] != T(0) ? g + a[1] * s0 : s0;
    }
    p -= a[0] * g;
#elif OP == 2        // lr / correction1, 1 / sqrt(correction2), beta1, beta2, eps, factor of p, coupled decay, -
    p *= a[5];
    g += a[6] * p;
    s0 = a[2] * s0 + (T(1) - a[2]) * g;
    s1 = a[3] * s1 + (T(1) - a[3]) * g * g;
    p -= a[0] * s0 / (sqrt(s1) * a[1] + a[4]);
#else                // lr, alpha, eps, weight decay, momentum
    g += a[3] * p;
    s0 = a[1] * s0 + (T(1) - a[1]) * g * g;
    T step = g / (sqrt(s0) + a[2]);
    if (hasS1) {
        s1 = a[4] * s1 + step;
        step = s1;
    }
    p -= a[0] * step;
#endif
}

__device__ __forceinline__ bool aligned(const void *p) {
    return (reinterpret_cast<unsigned long long>(p) & 15) == 0;
}

// A gradient clipped by value; NaN stays NaN.
__device__ __forceinline__ T within(T g, T limit) {
    return g > limit ? limit : g < -limit ? -limit : g;
}

extern "C" __global__ void __launch_bounds__(256) update(const Entry *entries, const Piece *chunks, const float *scale,
                                                         double limit, int chunkSize) {
    float factor = scale == nullptr ? 1.0f : *scale;
    if (!(factor - factor == 0.0f)) {
        return;                                     // NaN or infinite: the step is left out
    }
    Piece c = chunks[blockIdx.x];
    Entry e = entries[c.entry];
    T a[8];
#pragma unroll
    for (int i = 0; i < 8; i++) {
        a[i] = static_cast<T>(e.a[i]);
    }
    long long begin = static_cast<long long>(c.index) * chunkSize;
    long long end = begin + chunkSize < e.n ? begin + chunkSize : e.n;
    bool s0 = e.s0 != nullptr, s1 = e.s1 != nullptr;
    constexpr int W = 16 / sizeof(T);
    long long body = begin;
    if (aligned(e.p) && aligned(e.g) && aligned(e.s0) && aligned(e.s1)) {
        body = begin + (end - begin) / W * W;
        for (long long i = begin + static_cast<long long>(threadIdx.x) * W; i < body;
             i += static_cast<long long>(blockDim.x) * W) {
            Packet p = *reinterpret_cast<const Packet *>(e.p + i), g = *reinterpret_cast<const Packet *>(e.g + i);
            Packet x = {}, y = {};
            if (s0) x = *reinterpret_cast<const Packet *>(e.s0 + i);
            if (s1) y = *reinterpret_cast<const Packet *>(e.s1 + i);
#pragma unroll
            for (int k = 0; k < W; k++) {
                change(p.v[k], within(g.v[k] * T(factor), T(limit)), x.v[k], y.v[k], s0, s1, a);
            }
            *reinterpret_cast<Packet *>(e.p + i) = p;
            if (s0) *reinterpret_cast<Packet *>(e.s0 + i) = x;
            if (s1) *reinterpret_cast<Packet *>(e.s1 + i) = y;
        }
    }
    for (long long i = body + threadIdx.x; i < end; i += blockDim.x) {
        T p = e.p[i], x = s0 ? e.s0[i] : T(0), y = s1 ? e.s1[i] : T(0);
        change(p, within(e.g[i] * T(factor), T(limit)), x, y, s0, s1, a);
        e.p[i] = p;
        if (s0) e.s0[i] = x;
        if (s1) e.s1[i] = y;
    }
}
