// Cross-entropy of logits [N, C] and class numbers [N] in one pass over the logits, and its gradient in another.
// With smoothing e the target distribution is (1 - e) at the class plus e / C everywhere (Szegedy et al. 2016,
// arXiv:1512.00567), so loss = lse - (1 - e) x[t] - e / C sum(x), gradient = softmax(x) - (1 - e) [i = t] - e / C.
// T: element type.  I: i32 or i64, the class numbers.  V: elements that are read at once.
#include "rows.cuh"

typedef acc_t<T> A;

/** Leaves {@code error} in the flag when t is no class. */
__device__ __forceinline__ bool valid(i64 t, i64 classes, i32 *flag, i32 error, i32 lane) {
    bool ok = t >= 0 && t < classes;
    if (!ok && lane == 0) atomicExch(flag, error);
    return ok;
}

extern "C" __global__ void __launch_bounds__(512) cross_entropy(const T *x, const I *target, A *loss, A *logsumexp, i64 rows,
                                                                i32 vectors, i32 team, double smoothing, i64 ignore,
                                                                i32 *flag, i32 error) {
    __shared__ A scratch[32];
    Place p = place_of(team);
    for (i64 first = (i64) blockIdx.x * p.teams; first < rows; first += (i64) gridDim.x * p.teams) {
        i64 row = first + p.sub;
        i32 end = row < rows ? vectors : 0;
        const T *from = x + row * vectors * V;
        A m = -inf_f(), s = 0, sum = 0;                // s is the sum of exp(v - m) so far
        i32 i = p.lane;
        for (; i + 3 * team < end; i += 4 * team) {
            A v[4][V];
            A now = m;
#pragma unroll
            for (int u = 0; u < 4; u++) load_packed<V>(from, i + u * team, v[u]);
#pragma unroll
            for (int u = 0; u < 4; u++) {
#pragma unroll
                for (int k = 0; k < V; k++) {
                    now = max_nan(now, v[u][k]);
                    sum += v[u][k];
                }
            }
            if (now != m) s *= exp_of(m - now);
            m = now;
#pragma unroll
            for (int u = 0; u < 4; u++) {
#pragma unroll
                for (int k = 0; k < V; k++) s += m == -inf_f() ? 0 : exp_of(v[u][k] - m);
            }
        }
        for (; i < end; i += team) {
            A v[V];
            load_packed<V>(from, i, v);
            A now = m;
#pragma unroll
            for (int k = 0; k < V; k++) {
                now = max_nan(now, v[k]);
                sum += v[k];
            }
            if (now != m) s *= exp_of(m - now);
            m = now;
#pragma unroll
            for (int k = 0; k < V; k++) s += m == -inf_f() ? 0 : exp_of(v[k] - m);
        }
        A all = team_max(m, team, scratch);
        s = team_sum(m == all ? s : s * exp_of(m - all), team, scratch);
        sum = team_sum(sum, team, scratch);
        if (row < rows && p.lane == 0) {
            i64 t = (i64) target[row];
            A above = log_of(s);                       // of lse over the maximum
            A l = 0;
            if (t != ignore) {
                if (valid(t, (i64) vectors * V, flag, error, 0)) {
                    A e = (A) smoothing;
                    l = (1 - e) * (above - (to_acc(from[t]) - all));
                    if (e != 0) l += e * (above - (sum / ((A) vectors * V) - all));
                } else {
                    l = (A) nan_f();
                }
            }
            loss[row] = l;
            logsumexp[row] = all + above;
        }
    }
}

extern "C" __global__ void __launch_bounds__(512) cross_entropy_backward(const A *dloss, const T *x, const I *target,
                                                                         const A *logsumexp, T *dx, i64 rows, i32 vectors,
                                                                         i32 team, double smoothing, i64 ignore, i32 *flag,
                                                                         i32 error) {
    Place p = place_of(team);
    for (i64 first = (i64) blockIdx.x * p.teams; first < rows; first += (i64) gridDim.x * p.teams) {
        i64 row = first + p.sub;
        if (row >= rows) continue;                     // no shuffle and no barrier follows
        const T *from = x + row * vectors * V;
        T *to = dx + row * vectors * V;
        i64 t = (i64) target[row];
        bool counts = t != ignore && valid(t, (i64) vectors * V, flag, error, p.lane);
        A g = counts ? dloss[row] : 0, lse = logsumexp[row], e = (A) smoothing, share = e / ((A) vectors * V);
        for (i32 i = p.lane; i < vectors; i += 4 * team) {
            Vec<T, V> in[4];
#pragma unroll
            for (int u = 0; u < 4; u++) {
                if (counts && i + u * team < vectors) in[u] = load_vec<V>(from, i + u * team);
            }
#pragma unroll
            for (int u = 0; u < 4; u++) {
                i32 at = i + u * team;
                if (at >= vectors) break;
                A v[V];
                if (counts) unpack(in[u], v);
#pragma unroll
                for (int k = 0; k < V; k++) {
                    A d = exp_of(v[k] - lse) - share;
                    if ((i64) at * V + k == t) d -= 1 - e;
                    v[k] = counts ? g * d : 0;
                }
                store_packed<V>(to, at, v);
            }
        }
    }
}
