// The matrix product behind the stand-ins: packed blocks and one small register tile, so that a test is not slow.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

namespace standin {

template <class T> struct Tile {
    // as wide as the registers are: a vector that the compiler has to take apart is many times slower
#ifdef __AVX__
    static constexpr int bytes = 32;
#else
    static constexpr int bytes = 16;
#endif
    static constexpr int rows = 6, lanes = bytes / int(sizeof(T)), columns = 2 * lanes;
    typedef T Vector __attribute__((vector_size(bytes)));
};

/// c[rows][columns] += a (depth x rows, packed) times b (depth x columns, packed); only mr x nr of it is stored.
template <class T> void tile_product(int64_t depth, const T *a, const T *b, T *c, int64_t ldc, int mr, int nr) {
    using V = typename Tile<T>::Vector;
    constexpr int MR = Tile<T>::rows, NR = Tile<T>::columns, L = Tile<T>::lanes;
    V sum[MR][2] = {};
    for (int64_t p = 0; p < depth; p++, a += MR, b += NR) {
        V b0, b1;
        __builtin_memcpy(&b0, b, sizeof b0);
        __builtin_memcpy(&b1, b + L, sizeof b1);
#pragma GCC unroll 6
        for (int i = 0; i < MR; i++) {
            sum[i][0] += a[i] * b0;
            sum[i][1] += a[i] * b1;
        }
    }
    alignas(64) T all[MR][NR];
    __builtin_memcpy(all, sum, sizeof all);
    for (int i = 0; i < mr; i++)
        for (int j = 0; j < nr; j++) c[i * ldc + j] += all[i][j];
}

/// c (m x n, row-major, leading dimension ldc) += sum over p < k of a(i, p) b(p, j); a and b are called once or a few times
/// for each element and may convert, transpose or gather.
template <class T, class A, class B>
void matmul(int64_t m, int64_t n, int64_t k, const A &a, const B &b, T *c, int64_t ldc) {
    constexpr int MR = Tile<T>::rows, NR = Tile<T>::columns;
    constexpr int64_t MC = 16 * MR, KC = 256, NC = 2048;
    std::vector<T> packed_a(size_t(MC * KC)), packed_b(size_t(std::min<int64_t>((n + NR - 1) / NR * NR, NC)) * KC);
    for (int64_t p0 = 0; p0 < k; p0 += KC) {
        int64_t kb = std::min(KC, k - p0);
        for (int64_t j0 = 0; j0 < n; j0 += NC) {
            int64_t nb = std::min(NC, n - j0);
            T *to = packed_b.data();
            for (int64_t j = 0; j < nb; j += NR)
                for (int64_t p = 0; p < kb; p++)
                    for (int64_t q = 0; q < NR; q++) *to++ = j + q < nb ? b(p0 + p, j0 + j + q) : T(0);
            for (int64_t i0 = 0; i0 < m; i0 += MC) {
                int64_t mb = std::min(MC, m - i0);
                to = packed_a.data();
                for (int64_t i = 0; i < mb; i += MR)
                    for (int64_t p = 0; p < kb; p++)
                        for (int64_t q = 0; q < MR; q++) *to++ = i + q < mb ? a(i0 + i + q, p0 + p) : T(0);
                for (int64_t j = 0; j < nb; j += NR)
                    for (int64_t i = 0; i < mb; i += MR)
                        tile_product<T>(kb, packed_a.data() + i * kb, packed_b.data() + j * kb, c + (i0 + i) * ldc + j0 + j,
                                ldc, int(std::min<int64_t>(MR, mb - i)), int(std::min<int64_t>(NR, nb - j)));
            }
        }
    }
}

}  // namespace standin
