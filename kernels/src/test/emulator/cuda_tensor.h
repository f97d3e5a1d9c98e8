// Twins of the inline PTX that Hopper kernels use: call these where __CUDACC_RTC__ is not defined. Fragment layouts as in
// the PTX ISA, "Matrix fragments for mma.m16n8k16 with floating point type" and "ldmatrix".
#ifndef GRAFT_CUDA_TENSOR_H
#define GRAFT_CUDA_TENSOR_H
#include "runtime.h"

namespace graft_emu {
struct MmaIn {
    unsigned a[4], b[2];
};

inline float bf16(unsigned short b) { return bits<float>(unsigned(b) << 16); }
inline float f16(unsigned short b) { return (float) bits<_Float16>(b); }

/// d = a b + c with a [16, 16], b [16, 8], c and d [16, 8]; all 32 lanes call it. decode makes a float of an element.
template <class Decode> void mma(
    float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], const float (&c)[4], const char *where, Decode decode) {
    MmaIn in{{a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
    const graft_emu_slot *slots = graft_emu_warp(0xffffffffu, &in, sizeof in, where);
    unsigned row = lane() >> 2, column = (lane() & 3) * 2;
    auto of = [&](unsigned l) { return reinterpret_cast<const MmaIn *>(slots[l].bytes); };
    for (unsigned i = 0; i < 4; i++) {
        unsigned r = row + (i & 2 ? 8 : 0), n = column + (i & 1);
        float sum = c[i];
        for (unsigned k = 0; k < 16; k++) {
            unsigned pair = (k & 7) >> 1, high = k >> 3, half = k & 1;
            unsigned x = of((r & 7) * 4 + pair)->a[(r >> 3) + 2 * high] >> 16 * half;
            unsigned y = of(n * 4 + pair)->b[high] >> 16 * half;
            sum += decode((unsigned short) x) * decode((unsigned short) y);
        }
        d[i] = sum;
    }
}
}

/// mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32
inline void emu_mma_m16n8k16_bf16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], const float (&c)[4]) {
    graft_emu::mma(d, a, b, c, "mma.m16n8k16.bf16", graft_emu::bf16);
}

/// mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32
inline void emu_mma_m16n8k16_f16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], const float (&c)[4]) {
    graft_emu::mma(d, a, b, c, "mma.m16n8k16.f16", graft_emu::f16);
}

namespace graft_emu {
template <int MATRICES, bool TRANSPOSED> void ldmatrix(unsigned *r, const void *row) {
    if (reinterpret_cast<uintptr_t>(row) & 15) graft_emu_fail("ldmatrix: the address of a row is not a multiple of 16");
    unsigned char zero[16] = {};
    const graft_emu_slot *slots = graft_emu_warp(0xffffffffu, lane() < 8 * MATRICES ? row : zero, 16, "ldmatrix");
    for (int m = 0; m < MATRICES; m++) {
        unsigned short e[2];
        for (unsigned i = 0; i < 2; i++) {
            unsigned from = TRANSPOSED ? 2 * (lane() & 3) + i : lane() >> 2,
                     at = TRANSPOSED ? lane() >> 2 : 2 * (lane() & 3) + i;
            std::memcpy(&e[i], slots[8 * m + from].bytes + 2 * at, 2);
        }
        r[m] = unsigned(e[1]) << 16 | e[0];
    }
}
}

/// ldmatrix.sync.aligned.m8n8.x4(.trans).shared.b16; row is this lane's row address in shared memory (generic, not 32 bits).
inline void emu_ldmatrix_x4(unsigned (&r)[4], const void *row) { graft_emu::ldmatrix<4, false>(r, row); }
inline void emu_ldmatrix_x4_trans(unsigned (&r)[4], const void *row) { graft_emu::ldmatrix<4, true>(r, row); }
inline void emu_ldmatrix_x2(unsigned (&r)[2], const void *row) { graft_emu::ldmatrix<2, false>(r, row); }
inline void emu_ldmatrix_x2_trans(unsigned (&r)[2], const void *row) { graft_emu::ldmatrix<2, true>(r, row); }

/// cp.async.cg.shared.global [shared], [global], 16, bytes: bytes are copied, the rest up to 16 is zero. Until the wait the
/// destination reads as NaN.
inline void emu_cp_async_16(void *shared, const void *global, unsigned bytes = 16) {
    graft_emu_copy_async(shared, global, 16, bytes);
}
/// cp.async.ca.shared.global of 4 or 8 bytes.
inline void emu_cp_async_8(void *shared, const void *global, unsigned bytes = 8) {
    graft_emu_copy_async(shared, global, 8, bytes);
}
inline void emu_cp_async_4(void *shared, const void *global, unsigned bytes = 4) {
    graft_emu_copy_async(shared, global, 4, bytes);
}
/// cp.async.commit_group
inline void emu_cp_async_commit() { graft_emu_copy_commit(); }
/// cp.async.wait_group N: waits until at most N of this thread's groups are under way.
template <int N> void emu_cp_async_wait() { graft_emu_copy_wait(N); }
/// cp.async.wait_all
inline void emu_cp_async_wait_all() { graft_emu_copy_wait(-1); }
#endif
