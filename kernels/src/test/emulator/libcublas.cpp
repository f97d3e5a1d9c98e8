// A stand-in for libcublas.so.13: matrix products on the host which take and refuse what cuBLAS 13 documents.
// Left out on purpose: integer and complex products (refused), and the speed-dependent alignment rules.
#include "matmul.h"
#include "stand_in.h"

using namespace standin;

namespace {

enum Status {
    SUCCESS = 0,
    NOT_INITIALIZED = 1,
    INVALID_VALUE = 7,
    EXECUTION_FAILED = 13,
    INTERNAL_ERROR = 14,
    NOT_SUPPORTED = 15
};
enum DataType { R_32F = 0, R_64F = 1, R_16F = 2, R_16BF = 14 };
enum Compute {
    C_16F = 64,
    C_16F_PEDANTIC = 65,
    C_32F = 68,
    C_32F_PEDANTIC = 69,
    C_64F = 70,
    C_64F_PEDANTIC = 71,
    C_32F_FAST_16F = 74,
    C_32F_FAST_16BF = 75,
    C_32F_FAST_TF32 = 77
};
enum MathMode { MATH_DEFAULT = 0, MATH_TENSOR_OP = 1, MATH_PEDANTIC = 2, MATH_TF32 = 3, MATH_NO_REDUCED_REDUCTION = 16 };
enum class Round { none, tf32, half, bf16 };

constexpr int VERSION = 130000, CUDART = 13000;

struct Handle {
    void *stream = nullptr;
    void *workspace = nullptr;
    size_t workspaceBytes = 0;
    int mathMode = MATH_DEFAULT;
    int pointerMode = 0;
    int atomicsMode = 0;
};

Live<Handle> &handles() {
    static Live<Handle> &all = *new Live<Handle>();     // never destroyed: threads may still come when the process ends
    return all;
}

/// One product as it waits in a stream: no pointer to host memory, so that a recorded one can be replayed later.
struct Product {
    int64_t m, n, k, lda, ldb, ldc, strideA, strideB, strideC, batch;
    const void *a, *b;
    void *c;
    const void *alphaOnDevice, *betaOnDevice;
    void *workspace;
    size_t workspaceBytes;
    double alpha, beta;
    int abType, cType, compute;
    bool transA, transB;
    Round round;
};

size_t width(int type) { return type == R_64F ? 8 : type == R_32F ? 4 : 2; }

int scalarType(int compute) {
    return compute == C_64F || compute == C_64F_PEDANTIC    ? R_64F
            : compute == C_16F || compute == C_16F_PEDANTIC ? R_16F
                                                            : R_32F;
}

double scalar(const void *at, int compute) {
    switch (scalarType(compute)) {
        case R_64F: {
            double v;
            std::memcpy(&v, at, 8);
            return v;
        }
        case R_16F: {
            half16 v;
            std::memcpy(&v, at, 2);
            return to_float(v);
        }
        default: {
            float v;
            std::memcpy(&v, at, 4);
            return v;
        }
    }
}

template <class Acc, class In, class Out> void multiply(const Product &g) {
    double alpha = g.alphaOnDevice ? scalar(g.alphaOnDevice, g.compute) : g.alpha;
    double beta = g.betaOnDevice ? scalar(g.betaOnDevice, g.compute) : g.beta;
    std::vector<Acc> sum(size_t(g.m * g.n));
    auto factor = [&](const In *from, int64_t index) {
        Acc v = widen<Acc>(from[index]);
        switch (g.round) {
            case Round::tf32: return Acc(round_tf32(float(v)));
            case Round::half: return Acc(to_float(round_half(float(v))));
            case Round::bf16: return Acc(to_float(round_bf16(float(v))));
            default: return v;
        }
    };
    for (int64_t batch = 0; batch < g.batch; batch++) {
        const In *a = static_cast<const In *>(g.a) + batch * g.strideA;
        const In *b = static_cast<const In *>(g.b) + batch * g.strideB;
        Out *c = static_cast<Out *>(g.c) + batch * g.strideC;
        int64_t ai = g.transA ? g.lda : 1, ap = g.transA ? 1 : g.lda, bp = g.transB ? g.ldb : 1, bj = g.transB ? 1 : g.ldb;
        std::fill(sum.begin(), sum.end(), Acc(0));
        // the result is column-major, the inner product row-major: C^T = B^T A^T
        if (alpha != 0)
            matmul<Acc>(
                    g.n, g.m, g.k, [&](int64_t j, int64_t p) { return factor(b, p * bp + j * bj); },
                    [&](int64_t p, int64_t i) { return factor(a, i * ai + p * ap); }, sum.data(), g.m);
        bool halfSum = scalarType(g.compute) == R_16F;
        for (int64_t j = 0; j < g.n; j++)
            for (int64_t i = 0; i < g.m; i++) {
                Acc v = sum[size_t(j * g.m + i)];
                if (halfSum) v = Acc(to_float(round_half(float(v))));
                v *= Acc(alpha);
                Out &to = c[i + j * g.ldc];
                if (beta != 0) v += Acc(beta) * widen<Acc>(to);      // with beta 0 C may hold anything, NaN too
                to = narrow<Out>(v);
            }
    }
}

size_t span(int64_t rows, int64_t columns, int64_t ld) {
    return rows == 0 || columns == 0 ? 0 : size_t((columns - 1) * ld + rows);
}

/// All batches of one factor or of the result lie in device memory.
bool readable(const void *base, int64_t rows, int64_t columns, int64_t ld, int64_t stride, int64_t batch, size_t bytes) {
    size_t one = span(rows, columns, ld);
    if (one == 0 || batch == 0) return true;
    int64_t last = (batch - 1) * stride, first = std::min<int64_t>(0, last);
    if (uint64_t(base) % bytes != 0) return false;
    return good(static_cast<const char *>(base) + first * int64_t(bytes), (one + size_t(std::max(last, -last))) * bytes);
}

bool inMemory(const Product &g) {
    size_t bytes = width(g.abType);
    bool scalars = (g.alphaOnDevice == nullptr || good(g.alphaOnDevice, width(scalarType(g.compute))))
            && (g.betaOnDevice == nullptr || good(g.betaOnDevice, width(scalarType(g.compute))));
    return scalars && good(g.workspace, g.workspaceBytes)
            && readable(g.c, g.m, g.n, g.ldc, g.strideC, g.batch, width(g.cType))
            && readable(g.a, g.transA ? g.k : g.m, g.transA ? g.m : g.k, g.lda, g.strideA, g.batch, bytes)
            && readable(g.b, g.transB ? g.n : g.k, g.transB ? g.k : g.n, g.ldb, g.strideB, g.batch, bytes);
}

void run(Product *g) {
    // a replayed product may meet memory that has been freed since it was recorded
    if (!inMemory(*g)) {
        fault("a cuBLAS product touches memory that is not allocated");
        return;
    }
    // the library writes into its workspace: whoever keeps something there shall notice
    if (g->workspaceBytes > 0) std::memset(g->workspace, 0xff, std::min<size_t>(g->workspaceBytes, 4096));
    switch (g->abType) {
        case R_64F: return multiply<double, double, double>(*g);
        case R_32F: return multiply<float, float, float>(*g);
        case R_16F: return g->cType == R_16F ? multiply<float, half16, half16>(*g) : multiply<float, half16, float>(*g);
        default: return g->cType == R_16BF ? multiply<float, bf16, bf16>(*g) : multiply<float, bf16, float>(*g);
    }
}

/// The table of cublasGemmEx: which types go with which arithmetic.
bool supported(int a, int b, int c, int compute) {
    if (a != b) return false;
    switch (compute) {
        case C_16F:
        case C_16F_PEDANTIC: return a == R_16F && c == R_16F;
        case C_64F:
        case C_64F_PEDANTIC: return a == R_64F && c == R_64F;
        case C_32F_FAST_16F:
        case C_32F_FAST_16BF:
        case C_32F_FAST_TF32: return a == R_32F && c == R_32F;
        case C_32F:
        case C_32F_PEDANTIC: return (a == R_16F || a == R_16BF || a == R_32F) && (c == a || c == R_32F);
        default: return false;
    }
}

bool knownAlgorithm(int algo) { return algo == -1 || (algo >= 0 && algo <= 23) || (algo >= 99 && algo <= 115); }

int gemm(const char *name, void *handle, int transA, int transB, int64_t m, int64_t n, int64_t k, const void *alpha,
        const void *a, int aType, int64_t lda, int64_t strideA, const void *b, int bType, int64_t ldb, int64_t strideB,
        const void *beta, void *c, int cType, int64_t ldc, int64_t strideC, int64_t batch, int compute, int algo) {
    Handle *h = handles().find(handle);
    if (h == nullptr) return NOT_INITIALIZED;
    if (transA < 0 || transA > 2 || transB < 0 || transB > 2 || m < 0 || n < 0 || k < 0 || batch < 0) return INVALID_VALUE;
    if (lda < std::max<int64_t>(1, transA ? k : m) || ldb < std::max<int64_t>(1, transB ? n : k)
            || ldc < std::max<int64_t>(1, m))
        return INVALID_VALUE;
    if (alpha == nullptr || beta == nullptr || !knownAlgorithm(algo)) return INVALID_VALUE;
    if (!supported(aType, bType, cType, compute)) return NOT_SUPPORTED;
    if (m == 0 || n == 0 || batch == 0) return SUCCESS;
    Product g{m, n, k, lda, ldb, ldc, strideA, strideB, strideC, batch, a, b, c, nullptr, nullptr, h->workspace,
            h->workspaceBytes, 0, 0, aType, cType, compute, transA != 0, transB != 0, Round::none};
    if (h->pointerMode == 1) {
        g.alphaOnDevice = alpha;
        g.betaOnDevice = beta;
    } else {
        g.alpha = scalar(alpha, compute);
        g.beta = scalar(beta, compute);
    }
    if (compute == C_32F_FAST_TF32 || (compute == C_32F && aType == R_32F && (h->mathMode & 15) == MATH_TF32))
        g.round = Round::tf32;
    if (compute == C_32F_FAST_16F) g.round = Round::half;
    if (compute == C_32F_FAST_16BF) g.round = Round::bf16;
    if (broken() || !inMemory(g)) return EXECUTION_FAILED;
    // apart from each other, or side by side within the same rows
    int64_t step = std::max(strideC, -strideC);
    bool apart = size_t(step) >= span(m, n, ldc) || (step >= m && (batch - 1) * step + m <= ldc);
    if (batch > 1 && !apart) {
        complain("cublasGemmStridedBatched: the results of the batch overlap");
        return EXECUTION_FAILED;
    }
    return enqueue(h->stream, name, run, g) == 0 ? SUCCESS : EXECUTION_FAILED;
}

const char *statusName(int status) {
    switch (status) {
        case SUCCESS: return "CUBLAS_STATUS_SUCCESS";
        case NOT_INITIALIZED: return "CUBLAS_STATUS_NOT_INITIALIZED";
        case 3: return "CUBLAS_STATUS_ALLOC_FAILED";
        case INVALID_VALUE: return "CUBLAS_STATUS_INVALID_VALUE";
        case 8: return "CUBLAS_STATUS_ARCH_MISMATCH";
        case 11: return "CUBLAS_STATUS_MAPPING_ERROR";
        case EXECUTION_FAILED: return "CUBLAS_STATUS_EXECUTION_FAILED";
        case INTERNAL_ERROR: return "CUBLAS_STATUS_INTERNAL_ERROR";
        case NOT_SUPPORTED: return "CUBLAS_STATUS_NOT_SUPPORTED";
        case 16: return "CUBLAS_STATUS_LICENSE_ERROR";
        default: return "CUBLAS_STATUS_UNKNOWN";
    }
}

}  // namespace

STAND_IN_API int cublasCreate_v2(void **handle) {
    if (handle == nullptr) return INVALID_VALUE;
    *handle = handles().make();
    return SUCCESS;
}

STAND_IN_API int cublasDestroy_v2(void *handle) { return handles().destroy(handle) ? SUCCESS : NOT_INITIALIZED; }

STAND_IN_API int cublasGetVersion_v2(void *handle, int *version) {
    if (version == nullptr) return INVALID_VALUE;
    if (handle != nullptr && handles().find(handle) == nullptr) return NOT_INITIALIZED;
    *version = VERSION;
    return SUCCESS;
}

STAND_IN_API int cublasGetProperty(int type, int *value) {
    if (value == nullptr || type < 0 || type > 2) return INVALID_VALUE;
    *value = type == 0 ? VERSION / 10000 : type == 1 ? VERSION / 100 % 100 : VERSION % 100;
    return SUCCESS;
}

STAND_IN_API size_t cublasGetCudartVersion() { return CUDART; }

STAND_IN_API const char *cublasGetStatusName(int status) { return statusName(status); }

STAND_IN_API const char *cublasGetStatusString(int status) {
    switch (status) {
        case SUCCESS: return "success";
        case NOT_INITIALIZED: return "the library was not initialized";
        case INVALID_VALUE: return "an unsupported value or parameter was passed to the function";
        case EXECUTION_FAILED: return "the function failed to launch on the GPU";
        case NOT_SUPPORTED: return "the functionality requested is not supported";
        default: return statusName(status);
    }
}

STAND_IN_API int cublasSetStream_v2(void *handle, void *stream) {
    Handle *h = handles().find(handle);
    if (h == nullptr) return NOT_INITIALIZED;
    h->stream = stream;
    h->workspace = nullptr;       // documented: a change of stream goes back to the library's own workspace
    h->workspaceBytes = 0;
    return SUCCESS;
}

STAND_IN_API int cublasGetStream_v2(void *handle, void **stream) {
    Handle *h = handles().find(handle);
    if (h == nullptr) return NOT_INITIALIZED;
    if (stream == nullptr) return INVALID_VALUE;
    *stream = h->stream;
    return SUCCESS;
}

STAND_IN_API int cublasSetWorkspace_v2(void *handle, void *workspace, size_t bytes) {
    Handle *h = handles().find(handle);
    if (h == nullptr) return NOT_INITIALIZED;
    if (uint64_t(workspace) % 256 != 0 || !good(workspace, bytes)) return INVALID_VALUE;
    h->workspace = workspace;
    h->workspaceBytes = bytes;
    return SUCCESS;
}

STAND_IN_API int cublasSetMathMode(void *handle, int mode) {
    Handle *h = handles().find(handle);
    if (h == nullptr) return NOT_INITIALIZED;
    if ((mode & ~MATH_NO_REDUCED_REDUCTION) < 0 || (mode & ~MATH_NO_REDUCED_REDUCTION) > MATH_TF32) return INVALID_VALUE;
    h->mathMode = mode;
    return SUCCESS;
}

STAND_IN_API int cublasGetMathMode(void *handle, int *mode) {
    Handle *h = handles().find(handle);
    if (h == nullptr) return NOT_INITIALIZED;
    if (mode == nullptr) return INVALID_VALUE;
    *mode = h->mathMode;
    return SUCCESS;
}

STAND_IN_API int cublasSetPointerMode_v2(void *handle, int mode) {
    Handle *h = handles().find(handle);
    if (h == nullptr) return NOT_INITIALIZED;
    if (mode != 0 && mode != 1) return INVALID_VALUE;
    h->pointerMode = mode;
    return SUCCESS;
}

STAND_IN_API int cublasGetPointerMode_v2(void *handle, int *mode) {
    Handle *h = handles().find(handle);
    if (h == nullptr) return NOT_INITIALIZED;
    if (mode == nullptr) return INVALID_VALUE;
    *mode = h->pointerMode;
    return SUCCESS;
}

STAND_IN_API int cublasSetAtomicsMode(void *handle, int mode) {
    Handle *h = handles().find(handle);
    if (h == nullptr) return NOT_INITIALIZED;
    if (mode != 0 && mode != 1) return INVALID_VALUE;
    h->atomicsMode = mode;
    return SUCCESS;
}

STAND_IN_API int cublasGetAtomicsMode(void *handle, int *mode) {
    Handle *h = handles().find(handle);
    if (h == nullptr) return NOT_INITIALIZED;
    if (mode == nullptr) return INVALID_VALUE;
    *mode = h->atomicsMode;
    return SUCCESS;
}

// Each product in two forms: sizes as int, and as int64_t (_64).
#define GRAFT_PRODUCTS(Suffix, Int) \
    STAND_IN_API int cublasSgemm_v2##Suffix(void *h, int ta, int tb, Int m, Int n, Int k, const float *alpha, \
            const float *a, Int lda, const float *b, Int ldb, const float *beta, float *c, Int ldc) { \
        return gemm("cublasSgemm_v2", h, ta, tb, m, n, k, alpha, a, R_32F, lda, 0, b, R_32F, ldb, 0, beta, c, R_32F, ldc, \
                0, 1, C_32F, -1); \
    } \
    STAND_IN_API int cublasDgemm_v2##Suffix(void *h, int ta, int tb, Int m, Int n, Int k, const double *alpha, \
            const double *a, Int lda, const double *b, Int ldb, const double *beta, double *c, Int ldc) { \
        return gemm("cublasDgemm_v2", h, ta, tb, m, n, k, alpha, a, R_64F, lda, 0, b, R_64F, ldb, 0, beta, c, R_64F, ldc, \
                0, 1, C_64F, -1); \
    } \
    STAND_IN_API int cublasSgemmStridedBatched##Suffix(void *h, int ta, int tb, Int m, Int n, Int k, const float *alpha, \
            const float *a, Int lda, long long sa, const float *b, Int ldb, long long sb, const float *beta, float *c, \
            Int ldc, long long sc, Int batch) { \
        return gemm("cublasSgemmStridedBatched", h, ta, tb, m, n, k, alpha, a, R_32F, lda, sa, b, R_32F, ldb, sb, beta, c, \
                R_32F, ldc, sc, batch, C_32F, -1); \
    } \
    STAND_IN_API int cublasDgemmStridedBatched##Suffix(void *h, int ta, int tb, Int m, Int n, Int k, const double *alpha, \
            const double *a, Int lda, long long sa, const double *b, Int ldb, long long sb, const double *beta, double *c, \
            Int ldc, long long sc, Int batch) { \
        return gemm("cublasDgemmStridedBatched", h, ta, tb, m, n, k, alpha, a, R_64F, lda, sa, b, R_64F, ldb, sb, beta, c, \
                R_64F, ldc, sc, batch, C_64F, -1); \
    } \
    STAND_IN_API int cublasGemmEx##Suffix(void *h, int ta, int tb, Int m, Int n, Int k, const void *alpha, const void *a, \
            int at, Int lda, const void *b, int bt, Int ldb, const void *beta, void *c, int ct, Int ldc, int compute, \
            int algo) { \
        return gemm("cublasGemmEx", h, ta, tb, m, n, k, alpha, a, at, lda, 0, b, bt, ldb, 0, beta, c, ct, ldc, 0, 1, \
                compute, algo); \
    } \
    STAND_IN_API int cublasGemmStridedBatchedEx##Suffix(void *h, int ta, int tb, Int m, Int n, Int k, const void *alpha, \
            const void *a, int at, Int lda, long long sa, const void *b, int bt, Int ldb, long long sb, const void *beta, \
            void *c, int ct, Int ldc, long long sc, Int batch, int compute, int algo) { \
        return gemm("cublasGemmStridedBatchedEx", h, ta, tb, m, n, k, alpha, a, at, lda, sa, b, bt, ldb, sb, beta, c, ct, \
                ldc, sc, batch, compute, algo); \
    }

GRAFT_PRODUCTS(, int)
GRAFT_PRODUCTS(_64, int64_t)
