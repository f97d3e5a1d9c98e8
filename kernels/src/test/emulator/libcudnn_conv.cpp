// A stand-in for libcudnn.so.9: the convolution functions, and those which choose an algorithm.
#include "cudnn_stand_in.h"

using namespace cudnn;

namespace {

enum ForwardAlgo { IMPLICIT_GEMM, IMPLICIT_PRECOMP_GEMM, GEMM, DIRECT, FFT, FFT_TILING, WINOGRAD, WINOGRAD_NONFUSED };
constexpr int ALGORITHMS[] = {8, 6, 7}; // forward, backward data, backward filter

struct Perf {
    int algo, status;
    float time;
    size_t memory;
    int determinism, mathType, reserved[3];
};
static_assert(sizeof(Perf) == 48, "cudnnConvolution*AlgoPerf_t");

/// What of the convolution the three algorithm families share.
bool deterministic(Direction direction, int algo) {
    if (direction == Direction::backwardData) return algo != 0;
    if (direction == Direction::backwardFilter) return algo != 0 && algo != 3;
    return true;
}

enum class Family { gemm, precomputed, explicitGemm, fft, fftTiling, winograd, winogradNonfused, none };

Family family(Direction direction, int algo) {
    static constexpr Family forward[] = {Family::gemm, Family::precomputed, Family::explicitGemm, Family::none, Family::fft,
            Family::fftTiling, Family::winograd, Family::winogradNonfused};
    static constexpr Family data[] = {
            Family::gemm, Family::precomputed, Family::fft, Family::fftTiling, Family::winograd, Family::winogradNonfused};
    static constexpr Family weights[] = {Family::gemm, Family::precomputed, Family::fft, Family::precomputed, Family::none,
            Family::winogradNonfused, Family::fftTiling};
    switch (direction) {
        case Direction::forward: return forward[algo];
        case Direction::backwardData: return data[algo];
        default: return weights[algo];
    }
}

bool knownAlgo(Direction direction, int algo) { return algo >= 0 && algo < ALGORITHMS[int(direction)]; }

/// The tables of cudnnConvolutionForward, ...BackwardData and ...BackwardFilter: layout, types and shapes of each algorithm.
int supported(Direction direction, int algo, const Problem &p, const Filter &w, const Convolution &c, const char **why) {
    int type = p.x.type;
    bool nhwc = w.format == NHWC;
    *why = "the compute type does not go with the data type";
    if (type == DOUBLE             ? c.computeType != DOUBLE
                    : type == HALF ? c.computeType != HALF && c.computeType != FLOAT
                                   : c.computeType != FLOAT)
        return NOT_SUPPORTED_TYPE;
    *why = "a filter in NHWC order needs densely packed NHWC tensors";
    if (nhwc && (!packed(p.x, NHWC) || !packed(p.y, NHWC))) return NOT_SUPPORTED_LAYOUT;
    *why = "no NHWC convolution in double";
    if (nhwc && type == DOUBLE) return NOT_SUPPORTED_LAYOUT;
    *why = "the backward functions want dy in packed NCHW order with an NCHW filter";
    if (!nhwc && direction != Direction::forward && !packed(p.y, NCHW)) return NOT_SUPPORTED_LAYOUT;
    Family kind = family(direction, algo);
    *why = "this algorithm is not implemented by cuDNN";
    if (kind == Family::none) return NOT_SUPPORTED;
    if (kind == Family::gemm || kind == Family::precomputed) return SUCCESS;
    *why = "NHWC is only for the implicit algorithms 0 and 1";
    if (nhwc || !packed(p.x, NCHW) || !packed(p.y, NCHW)) return NOT_SUPPORTED_LAYOUT;
    bool plain = true, strided = false, threes = c.rank == 2, fives = c.rank == 2, small = true;
    for (int i = 0; i < c.rank; i++) {
        plain &= c.dilation[i] == 1;
        strided |= c.stride[i] != 1;
        threes &= w.dim[2 + i] == 3;
        fives &= w.dim[2 + i] == 5;
        small &= w.dim[2 + i] <= 32 && c.pad[i] < w.dim[2 + i];
    }
    *why = "this algorithm wants no dilation";
    if (!plain && kind != Family::explicitGemm) return NOT_SUPPORTED;
    *why = "this algorithm wants stride 1";
    if (strided && kind != Family::explicitGemm) return NOT_SUPPORTED;
    *why = "this algorithm is not there for that type";
    if (type == BFLOAT16 || (type == DOUBLE && kind != Family::explicitGemm && kind != Family::fftTiling))
        return NOT_SUPPORTED_TYPE;
    *why = "the filter's size does not suit this algorithm";
    if (kind == Family::fft || kind == Family::fftTiling) return small ? SUCCESS : NOT_SUPPORTED_SHAPE;
    if (kind == Family::winograd) return threes ? SUCCESS : NOT_SUPPORTED_SHAPE;
    if (kind == Family::winogradNonfused) return threes || fives ? SUCCESS : NOT_SUPPORTED_SHAPE;
    return SUCCESS;
}

/// Bytes of workspace: the numbers are invented, that they differ between algorithms and shapes is not.
size_t workspaceOf(Direction direction, int algo, const Problem &p) {
    size_t x = size_t(count(p.x)), y = size_t(count(p.y)), w = size_t(count(p.w)), e = width(p.x.type),
           taps = w / size_t(p.w.dim[0] * p.w.dim[1]);
    auto round = [](size_t n) { return (n + 255) / 256 * 256; };
    switch (family(direction, algo)) {
        case Family::gemm:
        case Family::winograd:
        case Family::none: return 0;
        case Family::precomputed: return direction == Direction::forward ? round(w * e / 8 + 1) : round(w * 4 + 1024);
        case Family::explicitGemm: return round(x / size_t(p.x.dim[0]) * taps * e);
        case Family::fft: return round((x + y + w) * 16);
        case Family::fftTiling: return round((x + y + w) * 8);
        default: return round((x + y) * 9 + w * 16);
    }
}

float timeOf(Direction direction, int algo, const Problem &p) {
    double work = 2.0 * double(count(p.y)) * double(count(p.w)) / double(p.w.dim[0]);
    double speed = p.x.type == DOUBLE ? 2e10 : p.x.type == FLOAT ? 6e10 : 3e11; // operations in a millisecond
    static constexpr double factor[] = {1.6, 1.0, 2.4, 2.0, 1.9, 1.3, 1.2};
    double f = family(direction, algo) == Family::precomputed && algo == 3
            ? 1.1
            : factor[std::min(int(family(direction, algo)), 6)];
    return float(0.004 + f * work / speed);
}

/// All of a call's descriptors, checked against each other.
struct Call {
    Handle *h = nullptr;
    Problem p;
    Filter w;
    Convolution c;

    int read(void *handlePointer, const void *xDesc, const void *wDesc, const void *convDesc, const void *yDesc) {
        h = handle(handlePointer);
        const Tensor *x = tensor(xDesc), *y = tensor(yDesc);
        const Filter *filterDesc = filter(wDesc);
        const Convolution *conv = convolution(convDesc);
        if (h == nullptr) return refuse(BAD_PARAM, "the handle is not alive");
        if (x == nullptr || y == nullptr || filterDesc == nullptr || conv == nullptr)
            return refuse(NULL_POINTER, "a descriptor is null, not alive or not set");
        w = *filterDesc;
        c = *conv;
        if (x->rank != y->rank || x->rank != w.rank || x->rank != c.rank + 2)
            return refuse(BAD_PARAM, "numbers of dimensions differ");
        if (x->rank != 4 && x->rank != 5) return refuse(NOT_SUPPORTED, "convolutions have 4 or 5 dimensions");
        if (x->type != y->type || x->type != w.type) return refuse(BAD_PARAM, "data types of x, w and y differ");
        if (!floating(x->type)) return refuse(NOT_SUPPORTED_TYPE, "the stand-in convolves floating-point data only");
        if (x->dim[1] != w.dim[1] * c.groups) return refuse(SHAPE_MISMATCH, "channels of input and filter do not match");
        if (w.dim[0] % c.groups != 0) return refuse(BAD_PARAM, "the outputs cannot be divided among the groups");
        if (y->dim[0] != x->dim[0] || y->dim[1] != w.dim[0])
            return refuse(SHAPE_MISMATCH, "images or channels of the output");
        for (int i = 0; i < c.rank; i++) {
            int64_t span = x->dim[2 + i] + 2 * c.pad[i] - ((w.dim[2 + i] - 1) * c.dilation[i] + 1);
            if (span < 0) return refuse(BAD_PARAM, "the filter is larger than the padded input");
            if (y->dim[2 + i] != 1 + span / c.stride[i]) return refuse(SHAPE_MISMATCH, "spatial size of the output");
        }
        for (const Tensor *t : {x, y})
            for (int i = 0; i < t->rank; i++)
                if (t->dim[i] > 1 && t->stride[i] == 0) return refuse(NOT_SUPPORTED, "a stride of 0");
        p.x = fiveDims(*x);
        p.y = fiveDims(*y);
        p.w = fiveDims(asTensor(w));
        for (int i = 0; i < c.rank; i++) {
            int at = 3 - c.rank + i;
            p.pad[at] = c.pad[i];
            p.stride[at] = c.stride[i];
            p.dilation[at] = c.dilation[i];
        }
        p.groups = c.groups;
        p.flip = c.mode == 0;
        if (p.x.type == FLOAT && c.mathType != FMA_MATH)
            p.rounding = c.mathType == TENSOR_OP_MATH_ALLOW_CONVERSION ? Rounding::half : Rounding::tf32;
        return SUCCESS;
    }

    int allows(Direction direction, int algo) const {
        if (!knownAlgo(direction, algo)) return refuse(BAD_PARAM, "unknown algorithm");
        const char *why;
        int status = supported(direction, algo, p, w, c, &why);
        return status == SUCCESS ? SUCCESS : refuse(status, why);
    }

    int run(Direction direction, const char *name, const void *alpha, const void *first, const void *second, int algo,
            void *workspace, size_t workspaceBytes, const void *beta, void *to) const {
        if (alpha == nullptr || beta == nullptr || first == nullptr || second == nullptr || to == nullptr)
            return refuse(NULL_POINTER, "null data, alpha or beta");
        int status = allows(direction, algo);
        if (status != SUCCESS) return status;
        size_t need = workspaceOf(direction, algo, p);
        if (need > workspaceBytes) return refuse(SIZE_INSUFFICIENT, "the workspace is smaller than the algorithm needs");
        if (need > 0 && workspace == nullptr) return refuse(NULL_POINTER, "no workspace");
        double a = scalar(alpha, p.x.type), b = scalar(beta, p.x.type);
        Problem problem = p;
        Tensor firstDesc = direction == Direction::backwardData ? p.w : p.x;
        Tensor secondDesc = direction == Direction::forward ? p.w : p.y;
        Tensor toDesc = direction == Direction::forward ? p.y : direction == Direction::backwardData ? p.x : p.w;
        return launch(
                h, name, {touch(firstDesc, first), touch(secondDesc, second), touch(toDesc, to), {workspace, need}}, [=] {
                    if (need > 0) std::memset(workspace, 0xff, need); // whoever keeps something there shall notice
                    convolve(direction, problem, {firstDesc, first}, {secondDesc, second}, {toDesc, to, a, b});
                });
    }

    int workspace(Direction direction, int algo, size_t *size) const {
        if (size == nullptr) return refuse(NULL_POINTER, "nowhere to put the size");
        int status = allows(direction, algo);
        if (status == SUCCESS) *size = workspaceOf(direction, algo, p);
        return status;
    }

    /// Algorithms from the fastest to the slowest, those that cannot run last.  limit: bytes of workspace.
    int rank(Direction direction, int requested, int *returned, Perf *perfs, size_t limit, bool timed) const {
        if (returned == nullptr || perfs == nullptr) return refuse(NULL_POINTER, "nowhere to put the results");
        if (requested < 1) return refuse(BAD_PARAM, "no result is asked for");
        std::vector<Perf> found;
        int math = p.x.type == FLOAT || p.x.type == DOUBLE ? c.mathType : TENSOR_OP_MATH;
        for (int algo = 0; algo < ALGORITHMS[int(direction)]; algo++) {
            const char *why;
            Perf perf{
                    algo, supported(direction, algo, p, w, c, &why), -1, 0, deterministic(direction, algo), math, {0, 0, 0}};
            if (perf.status == SUCCESS) {
                perf.memory = workspaceOf(direction, algo, p);
                perf.time = timeOf(direction, algo, p);
                if (timed && perf.memory > limit) {
                    perf.status = ALLOC_FAILED;
                    perf.time = -1;
                }
            }
            found.push_back(perf);
        }
        std::stable_sort(found.begin(), found.end(), [](const Perf &a, const Perf &b) {
            if ((a.status == SUCCESS) != (b.status == SUCCESS)) return a.status == SUCCESS;
            return a.status == SUCCESS && a.time < b.time;
        });
        *returned = std::min(requested, int(found.size()));
        for (int i = 0; i < *returned; i++) {
            perfs[i] = found[size_t(i)];
            if (!timed) perfs[i].time = -1;
        }
        return SUCCESS;
    }

    /// Runs all algorithms on the caller's memory, so that what was in the output is gone.
    int find(Direction direction, const void *first, const void *second, void *to, int requested, int *returned, Perf *perfs,
            void *workspace, size_t limit) const {
        if (first == nullptr || second == nullptr || to == nullptr) return refuse(NULL_POINTER, "null data");
        if (capturing(h->stream))
            return refuse(EXECUTION_FAILED_CUDART, "timing needs to wait, which a captured stream cannot");
        int status = rank(direction, requested, returned, perfs, workspace == nullptr ? 0 : limit, true);
        if (status != SUCCESS) return status;
        Tensor firstDesc = direction == Direction::backwardData ? p.w : p.x;
        Tensor secondDesc = direction == Direction::forward ? p.w : p.y;
        Tensor toDesc = direction == Direction::forward ? p.y : direction == Direction::backwardData ? p.x : p.w;
        return launch(h, "cudnnFindConvolutionAlgorithm",
                {touch(firstDesc, first), touch(secondDesc, second), touch(toDesc, to), {workspace, workspace ? limit : 0}},
                [=] { store(toDesc, to, std::vector<double>(size_t(count(toDesc)), NAN)); });
    }
};

/// JCudnn reads the count after a refusal too, from a variable that it has not set.
void none(int *returned) {
    if (returned != nullptr) *returned = 0;
}

} // namespace

// ---- forward -----------------------------------------------------------------------------------------------------------

STAND_IN_API int cudnnConvolutionForward(void *h, const void *alpha, void *xd, const void *x, void *wd, const void *w,
        void *cd, int algo, void *workspace, size_t size, const void *beta, void *yd, void *y) {
    Call call;
    int status = call.read(h, xd, wd, cd, yd);
    return status ? status
                  : call.run(Direction::forward, "cudnnConvolutionForward", alpha, x, w, algo, workspace, size, beta, y);
}

STAND_IN_API int cudnnGetConvolutionForwardWorkspaceSize(
        void *h, void *xd, void *wd, void *cd, void *yd, int algo, size_t *size) {
    Call call;
    int status = call.read(h, xd, wd, cd, yd);
    return status ? status : call.workspace(Direction::forward, algo, size);
}

STAND_IN_API int cudnnGetConvolutionForwardAlgorithmMaxCount(void *h, int *n) {
    if (handle(h) == nullptr || n == nullptr) return refuse(BAD_PARAM, "no handle");
    *n = ALGORITHMS[0];
    return SUCCESS;
}

STAND_IN_API int cudnnGetConvolutionForwardAlgorithm_v7(
        void *h, void *xd, void *wd, void *cd, void *yd, int requested, int *returned, Perf *perfs) {
    Call call;
    none(returned);
    int status = call.read(h, xd, wd, cd, yd);
    return status ? status : call.rank(Direction::forward, requested, returned, perfs, 0, false);
}

STAND_IN_API int cudnnFindConvolutionForwardAlgorithm(
        void *h, void *xd, void *wd, void *cd, void *yd, int requested, int *returned, Perf *perfs) {
    Call call;
    none(returned);
    int status = call.read(h, xd, wd, cd, yd);
    return status ? status : call.rank(Direction::forward, requested, returned, perfs, SIZE_MAX, true);
}

STAND_IN_API int cudnnFindConvolutionForwardAlgorithmEx(void *h, void *xd, const void *x, void *wd, const void *w, void *cd,
        void *yd, void *y, int requested, int *returned, Perf *perfs, void *workspace, size_t size) {
    Call call;
    none(returned);
    int status = call.read(h, xd, wd, cd, yd);
    return status ? status : call.find(Direction::forward, x, w, y, requested, returned, perfs, workspace, size);
}

STAND_IN_API int cudnnConvolutionBiasActivationForward(void *h, const void *alpha1, void *xd, const void *x, void *wd,
        const void *w, void *cd, int algo, void *workspace, size_t size, const void *alpha2, void *zd, const void *z,
        void *bd, const void *bias, void *ad, void *yd, void *y) {
    Call call;
    int status = call.read(h, xd, wd, cd, yd);
    if (status != SUCCESS) return status;
    const Tensor *zDesc = tensor(zd), *biasDesc = tensor(bd), *yDesc = tensor(yd);
    const Activation *act = activation(ad);
    if (zDesc == nullptr || biasDesc == nullptr || act == nullptr)
        return refuse(NULL_POINTER, "a descriptor is null or not set");
    if (!alpha1 || !alpha2 || !x || !w || !z || !bias || !y) return refuse(NULL_POINTER, "null data or scale");
    if (!sameDims(*zDesc, *yDesc) || zDesc->type != yDesc->type) return refuse(BAD_PARAM, "z and y differ");
    if (biasDesc->rank != yDesc->rank || biasDesc->dim[1] != yDesc->dim[1])
        return refuse(BAD_PARAM, "the bias is not one value a channel");
    for (int i = 0; i < biasDesc->rank; i++)
        if (i != 1 && biasDesc->dim[i] != 1) return refuse(BAD_PARAM, "the bias is not one value a channel");
    if (biasDesc->stride[1] != 1) return refuse(NOT_SUPPORTED_LAYOUT, "the bias has gaps");
    if (biasDesc->type != yDesc->type) return refuse(NOT_SUPPORTED_TYPE, "the bias has another type than y");
    if (act->mode != RELU && act->mode != IDENTITY) return refuse(NOT_SUPPORTED, "only ReLU and identity can be fused");
    if (act->nan != 0) return refuse(NOT_SUPPORTED, "the fused ReLU does not propagate NaN");
    if (act->mode == IDENTITY && algo != IMPLICIT_PRECOMP_GEMM) return refuse(NOT_SUPPORTED, "identity needs algorithm 1");
    if ((status = call.allows(Direction::forward, algo)) != SUCCESS) return status;
    size_t need = workspaceOf(Direction::forward, algo, call.p);
    if (need > size) return refuse(SIZE_INSUFFICIENT, "the workspace is smaller than the algorithm needs");
    if (need > 0 && workspace == nullptr) return refuse(NULL_POINTER, "no workspace");
    double a1 = scalar(alpha1, yDesc->type), a2 = scalar(alpha2, yDesc->type);
    Problem p = call.p;
    Tensor zt = fiveDims(*zDesc), bt = fiveDims(*biasDesc);
    Activation fused = *act;
    return launch(call.h, "cudnnConvolutionBiasActivationForward",
            {touch(p.x, x), touch(p.w, w), touch(p.y, y), touch(zt, z), touch(bt, bias), {workspace, need}}, [=] {
                if (need > 0) std::memset(workspace, 0xff, need);
                std::vector<double> sum(size_t(count(p.y))), b = load(bt, bias), add;
                convolve(Direction::forward, p, {p.x, x}, {p.w, w}, {dense(p.y), sum.data()});
                if (a2 != 0) add = load(zt, z);
                Broadcast channel(bt, p.y);
                for (size_t i = 0; i < sum.size(); i++) {
                    double v = a1 * sum[i] + b[size_t(channel(int64_t(i)))] + (a2 != 0 ? a2 * add[i] : 0);
                    sum[i] = fused.mode == RELU ? activate(fused, v) : v;
                }
                store(p.y, y, sum);
            });
}

// ---- backward ----------------------------------------------------------------------------------------------------------

STAND_IN_API int cudnnConvolutionBackwardData(void *h, const void *alpha, void *wd, const void *w, void *dyd, const void *dy,
        void *cd, int algo, void *workspace, size_t size, const void *beta, void *dxd, void *dx) {
    Call call;
    int status = call.read(h, dxd, wd, cd, dyd);
    return status ? status
                  : call.run(Direction::backwardData, "cudnnConvolutionBackwardData", alpha, w, dy, algo, workspace, size,
                            beta, dx);
}

STAND_IN_API int cudnnGetConvolutionBackwardDataWorkspaceSize(
        void *h, void *wd, void *dyd, void *cd, void *dxd, int algo, size_t *size) {
    Call call;
    int status = call.read(h, dxd, wd, cd, dyd);
    return status ? status : call.workspace(Direction::backwardData, algo, size);
}

STAND_IN_API int cudnnGetConvolutionBackwardDataAlgorithmMaxCount(void *h, int *n) {
    if (handle(h) == nullptr || n == nullptr) return refuse(BAD_PARAM, "no handle");
    *n = ALGORITHMS[1];
    return SUCCESS;
}

STAND_IN_API int cudnnGetConvolutionBackwardDataAlgorithm_v7(
        void *h, void *wd, void *dyd, void *cd, void *dxd, int requested, int *returned, Perf *perfs) {
    Call call;
    none(returned);
    int status = call.read(h, dxd, wd, cd, dyd);
    return status ? status : call.rank(Direction::backwardData, requested, returned, perfs, 0, false);
}

STAND_IN_API int cudnnFindConvolutionBackwardDataAlgorithm(
        void *h, void *wd, void *dyd, void *cd, void *dxd, int requested, int *returned, Perf *perfs) {
    Call call;
    none(returned);
    int status = call.read(h, dxd, wd, cd, dyd);
    return status ? status : call.rank(Direction::backwardData, requested, returned, perfs, SIZE_MAX, true);
}

STAND_IN_API int cudnnFindConvolutionBackwardDataAlgorithmEx(void *h, void *wd, const void *w, void *dyd, const void *dy,
        void *cd, void *dxd, void *dx, int requested, int *returned, Perf *perfs, void *workspace, size_t size) {
    Call call;
    none(returned);
    int status = call.read(h, dxd, wd, cd, dyd);
    return status ? status : call.find(Direction::backwardData, w, dy, dx, requested, returned, perfs, workspace, size);
}

STAND_IN_API int cudnnConvolutionBackwardFilter(void *h, const void *alpha, void *xd, const void *x, void *dyd,
        const void *dy, void *cd, int algo, void *workspace, size_t size, const void *beta, void *dwd, void *dw) {
    Call call;
    int status = call.read(h, xd, dwd, cd, dyd);
    return status ? status
                  : call.run(Direction::backwardFilter, "cudnnConvolutionBackwardFilter", alpha, x, dy, algo, workspace,
                            size, beta, dw);
}

STAND_IN_API int cudnnGetConvolutionBackwardFilterWorkspaceSize(
        void *h, void *xd, void *dyd, void *cd, void *dwd, int algo, size_t *size) {
    Call call;
    int status = call.read(h, xd, dwd, cd, dyd);
    return status ? status : call.workspace(Direction::backwardFilter, algo, size);
}

STAND_IN_API int cudnnGetConvolutionBackwardFilterAlgorithmMaxCount(void *h, int *n) {
    if (handle(h) == nullptr || n == nullptr) return refuse(BAD_PARAM, "no handle");
    *n = ALGORITHMS[2];
    return SUCCESS;
}

STAND_IN_API int cudnnGetConvolutionBackwardFilterAlgorithm_v7(
        void *h, void *xd, void *dyd, void *cd, void *dwd, int requested, int *returned, Perf *perfs) {
    Call call;
    none(returned);
    int status = call.read(h, xd, dwd, cd, dyd);
    return status ? status : call.rank(Direction::backwardFilter, requested, returned, perfs, 0, false);
}

STAND_IN_API int cudnnFindConvolutionBackwardFilterAlgorithm(
        void *h, void *xd, void *dyd, void *cd, void *dwd, int requested, int *returned, Perf *perfs) {
    Call call;
    none(returned);
    int status = call.read(h, xd, dwd, cd, dyd);
    return status ? status : call.rank(Direction::backwardFilter, requested, returned, perfs, SIZE_MAX, true);
}

STAND_IN_API int cudnnFindConvolutionBackwardFilterAlgorithmEx(void *h, void *xd, const void *x, void *dyd, const void *dy,
        void *cd, void *dwd, void *dw, int requested, int *returned, Perf *perfs, void *workspace, size_t size) {
    Call call;
    none(returned);
    int status = call.read(h, xd, dwd, cd, dyd);
    return status ? status : call.find(Direction::backwardFilter, x, dy, dw, requested, returned, perfs, workspace, size);
}

STAND_IN_API int cudnnConvolutionBackwardBias(
        void *hp, const void *alpha, void *dyd, const void *dy, const void *beta, void *dbd, void *db) {
    Handle *h = handle(hp);
    const Tensor *dyDesc = tensor(dyd), *dbDesc = tensor(dbd);
    if (h == nullptr || dyDesc == nullptr || dbDesc == nullptr) return refuse(NULL_POINTER, "the handle or a descriptor");
    if (!alpha || !beta || !dy || !db) return refuse(NULL_POINTER, "null data or scale");
    if (dyDesc->rank != dbDesc->rank || dyDesc->type != dbDesc->type)
        return refuse(BAD_PARAM, "dy and db differ in type or dimensions");
    for (int i = 0; i < dbDesc->rank; i++)
        if (dbDesc->dim[i] != (i == 1 ? dyDesc->dim[1] : 1)) return refuse(BAD_PARAM, "db is not one value a channel");
    Tensor from = *dyDesc, to = *dbDesc;
    double a = scalar(alpha, from.type), b = scalar(beta, from.type);
    return launch(h, "cudnnConvolutionBackwardBias", {touch(from, dy), touch(to, db)}, [=] {
        std::vector<double> g = load(from, dy), sum(size_t(to.dim[1]));
        Broadcast channel(to, from);
        for (size_t i = 0; i < g.size(); i++) sum[size_t(channel(int64_t(i)))] += g[i];
        store(to, db, sum, a, b);
    });
}
