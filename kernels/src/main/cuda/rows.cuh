// Rows that lie in memory one after the other, each worked on by a team of threads: a power of two of at most 32
// neighbouring lanes (then a block has several teams), or the whole block. Lane i of a team takes the vectors i, i +
// team, ... of its row. A kernel gets the number of teams in step through {@code for (first = ...; first < rows; ...)}
// with the same bounds in every thread, so that all threads of a block take part in every shuffle and barrier.

/** Where a thread stands in its team. */
struct Place {
    i32 team;      // threads of the team
    i32 lane;      // this thread's number in it
    i32 sub;       // the team's number in its block
    i32 teams;     // teams of a block
};

__device__ __forceinline__ Place place_of(i32 team) {
    Place p;
    bool whole = team > 32;
    i32 shift = 31 - __clz(team);
    p.team = team;
    p.lane = whole ? (i32) threadIdx.x : (i32) threadIdx.x & (team - 1);
    p.sub = whole ? 0 : (i32) threadIdx.x >> shift;
    p.teams = whole ? 1 : (i32) blockDim.x >> shift;
    return p;
}

/** op(every lane's v) in all lanes of the team; {@code scratch} holds 32 values in shared memory. */
template <class A, class Op> __device__ __forceinline__ A team_reduce(A v, i32 team, A *scratch, A empty, Op op) {
    if (team > 32) return block_reduce(v, scratch, empty, op);
    for (i32 o = team >> 1; o > 0; o >>= 1) v = op(v, __shfl_xor_sync(FULL_WARP, v, o));
    return v;
}
template <class A> __device__ __forceinline__ A team_sum(A v, i32 team, A *scratch) {
    return team_reduce(v, team, scratch, (A) 0, [](A a, A b) { return a + b; });
}
template <class A> __device__ __forceinline__ A team_max(A v, i32 team, A *scratch) {
    return team_reduce(v, team, scratch, (A) -inf_f(), [](A a, A b) { return max_nan(a, b); });
}

/** Elements i * N and following of parameters that may be wider than the data, so that N of them can exceed 16 bytes. */
template <int N, class P> __device__ __forceinline__ void load_wide(const P *p, i64 i, acc_t<P> *x) {
    constexpr int M = N < wide<P>::n ? N : wide<P>::n;
#pragma unroll
    for (int k = 0; k < N / M; k++) load_packed<M>(p, i * (N / M) + k, x + k * M);
}
template <int N, class P> __device__ __forceinline__ void store_wide(P *p, i64 i, const acc_t<P> *x) {
    constexpr int M = N < wide<P>::n ? N : wide<P>::n;
#pragma unroll
    for (int k = 0; k < N / M; k++) store_packed<M>(p, i * (N / M) + k, x + k * M);
}

__device__ __forceinline__ float exp_of(float x) { return __expf(x); }
__device__ __forceinline__ double exp_of(double x) { return exp(x); }
__device__ __forceinline__ float log_of(float x) { return logf(x); }
__device__ __forceinline__ double log_of(double x) { return log(x); }
__device__ __forceinline__ float rsqrt_of(float x) { return 1.0f / sqrtf(x); }
__device__ __forceinline__ double rsqrt_of(double x) { return 1.0 / sqrt(x); }
