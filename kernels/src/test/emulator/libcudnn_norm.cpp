// A stand-in for libcudnn.so.9: batch normalisation, plain and fused with an addition and ReLU.
#include "cudnn_stand_in.h"

using namespace cudnn;

namespace {

enum Mode { PER_ACTIVATION = 0, SPATIAL = 1, SPATIAL_PERSISTENT = 2 };
enum Ops { BN = 0, BN_ACTIVATION = 1, BN_ADD_ACTIVATION = 2 };

Tensor parameters(const Tensor &x, int mode) {
    Tensor t = x;
    t.type = x.type == DOUBLE ? DOUBLE : FLOAT;
    t.dim[0] = 1;
    if (mode != PER_ACTIVATION)
        for (int i = 2; i < t.rank; i++) t.dim[i] = 1;
    int64_t step = 1;
    for (int i = t.rank - 1; i >= 0; i--) {
        t.stride[i] = step;
        step *= t.dim[i];
    }
    return t;
}

/// The checks that forward, inference and backward share.
int check(void *hp, int mode, const Tensor *x, const Tensor *y, const Tensor *p, double epsilon) {
    if (handle(hp) == nullptr) return refuse(BAD_PARAM, "the handle is not alive");
    if (x == nullptr || y == nullptr || p == nullptr) return refuse(NULL_POINTER, "a descriptor is null or not set");
    if (mode < PER_ACTIVATION || mode > SPATIAL_PERSISTENT) return refuse(BAD_PARAM, "unknown mode");
    if (x->rank != 4 && x->rank != 5) return refuse(NOT_SUPPORTED, "batch normalisation has 4 or 5 dimensions");
    if (!sameDims(*x, *y) || x->type != y->type) return refuse(BAD_PARAM, "sizes or types of x and y differ");
    if (!floating(x->type)) return refuse(NOT_SUPPORTED_TYPE, "floating-point data only");
    Tensor expected = parameters(*x, mode);
    if (!sameDims(*p, expected)) return refuse(BAD_PARAM, "the parameters are not 1xCx1x1 (1xCxHxW per activation)");
    if (p->type != expected.type) return refuse(BAD_PARAM, "the parameters are float (double with double data)");
    if (!(epsilon >= 0)) return refuse(BAD_PARAM, "epsilon is below CUDNN_BN_MIN_EPSILON");
    return SUCCESS;
}

/// What the fused forms want beyond that; z is null where nothing is added.
int checkFused(int mode, int ops, const Tensor &x, const Tensor *z, const Activation *act) {
    if (ops < BN || ops > BN_ADD_ACTIVATION) return refuse(BAD_PARAM, "unknown fused operation");
    if (ops == BN) return SUCCESS;
    if (act == nullptr) return refuse(NULL_POINTER, "no activation descriptor");
    if (ops == BN_ADD_ACTIVATION && z == nullptr) return refuse(NULL_POINTER, "no descriptor of the addend");
    if (act->mode != RELU) return refuse(NOT_SUPPORTED, "only ReLU can be fused");
    if (act->nan != 0) return refuse(NOT_SUPPORTED, "the fused ReLU does not propagate NaN");
    if (mode != SPATIAL_PERSISTENT) return refuse(NOT_SUPPORTED, "the fused forms want CUDNN_BATCHNORM_SPATIAL_PERSISTENT");
    if (x.type != HALF && x.type != BFLOAT16) return refuse(NOT_SUPPORTED_TYPE, "the fused forms want 16-bit data");
    if (!packed(x, NHWC) || (ops == BN_ADD_ACTIVATION && !packed(*z, NHWC)))
        return refuse(NOT_SUPPORTED_LAYOUT, "the fused forms want NHWC");
    if (x.dim[1] % 4 != 0) return refuse(NOT_SUPPORTED_SHAPE, "the fused forms want channels in fours");
    if (ops == BN_ADD_ACTIVATION && (!sameDims(x, *z) || z->type != x.type))
        return refuse(BAD_PARAM, "the addend differs from x");
    return SUCCESS;
}

size_t workspaceOf(const Tensor &x, int mode, int ops) {
    return mode == SPATIAL_PERSISTENT || ops != BN ? (size_t(x.dim[1]) * 32 + 4096 + 255) / 256 * 256 : 0;
}

size_t reserveOf(const Tensor &x, int mode, int ops) {
    if (ops != BN) return (size_t(count(x)) + 7) / 8 + size_t(x.dim[1]) * 4; // one bit an element: where ReLU let through
    return mode == SPATIAL_PERSISTENT ? size_t(x.dim[1]) * 4 : 0;
}

/// Mean and 1 / sqrt(variance + epsilon) of each group of values, dense in the order of the parameters.
struct Statistics {
    std::vector<double> mean, variance;
    double n;
    Statistics(const std::vector<double> &x, const Broadcast &group, size_t groups) : mean(groups), variance(groups) {
        n = double(x.size()) / double(groups);
        for (size_t i = 0; i < x.size(); i++) mean[size_t(group(int64_t(i)))] += x[i] / n;
        for (size_t i = 0; i < x.size(); i++) {
            double d = x[i] - mean[size_t(group(int64_t(i)))];
            variance[size_t(group(int64_t(i)))] += d * d / n;
        }
    }
};

struct Forward {
    int mode, ops;
    Tensor x, z, y, p;
    const void *xData, *zData, *scale, *bias;
    void *yData, *runningMean, *runningVariance, *saveMean, *saveInverse, *workspace, *reserve;
    size_t workspaceBytes, reserveBytes;
    double alpha, beta, factor, epsilon;

    void run() const {
        if (workspaceBytes > 0) std::memset(workspace, 0xff, workspaceBytes);
        std::vector<double> v = load(x, xData), g = load(p, scale), b = load(p, bias), add;
        if (ops == BN_ADD_ACTIVATION) add = load(z, zData);
        Broadcast group(p, x);
        Statistics s(v, group, g.size());
        std::vector<double> inverse(g.size());
        for (size_t i = 0; i < g.size(); i++) inverse[i] = 1 / std::sqrt(s.variance[i] + epsilon);
        std::vector<unsigned char> mask((v.size() + 7) / 8);
        for (size_t i = 0; i < v.size(); i++) {
            size_t c = size_t(group(int64_t(i)));
            v[i] = (v[i] - s.mean[c]) * inverse[c] * g[c] + b[c];
            if (ops == BN_ADD_ACTIVATION) v[i] += add[i];
            if (ops != BN && !(v[i] > 0))
                v[i] = 0;
            else
                mask[i / 8] |= (unsigned char)(1 << i % 8);
        }
        store(y, yData, v, alpha, beta);
        if (ops != BN) std::memcpy(reserve, mask.data(), mask.size());
        if (runningMean != nullptr) {
            std::vector<double> unbiased = s.variance;
            for (double &e : unbiased) e *= s.n > 1 ? s.n / (s.n - 1) : 1;
            store(p, runningMean, s.mean, factor, 1 - factor);
            store(p, runningVariance, unbiased, factor, 1 - factor);
        }
        if (saveMean != nullptr) {
            store(p, saveMean, s.mean);
            store(p, saveInverse, inverse);
        }
    }
};

int forward(const char *name, void *hp, int mode, int ops, const void *alpha, const void *beta, void *xd, const void *x,
        void *zd, const void *z, void *yd, void *y, void *pd, const void *scale, const void *bias, double factor,
        void *runningMean, void *runningVariance, double epsilon, void *saveMean, void *saveInverse, void *ad,
        void *workspace, size_t workspaceBytes, void *reserve, size_t reserveBytes, bool extended) {
    const Tensor *xt = tensor(xd), *yt = tensor(yd), *zt = tensor(zd), *pt = tensor(pd);
    int status = check(hp, mode, xt, yt, pt, epsilon);
    if (status == SUCCESS) status = checkFused(mode, ops, *xt, zt, activation(ad));
    if (status != SUCCESS) return status;
    if (!alpha || !beta || !x || !y || !scale || !bias || (ops == BN_ADD_ACTIVATION && !z))
        return refuse(NULL_POINTER, "null data or scale");
    if ((runningMean == nullptr) != (runningVariance == nullptr))
        return refuse(BAD_PARAM, "only one of the running statistics is given");
    if ((saveMean == nullptr) != (saveInverse == nullptr))
        return refuse(BAD_PARAM, "only one of the saved statistics is given");
    size_t needWorkspace = extended ? workspaceOf(*xt, mode, ops) : 0,
           needReserve = extended ? reserveOf(*xt, mode, ops) : 0;
    if (workspaceBytes < needWorkspace || reserveBytes < needReserve)
        return refuse(SIZE_INSUFFICIENT, "workspace or reserve space");
    double a = scalar(alpha, xt->type), b = scalar(beta, xt->type);
    if (ops != BN && (a != 1 || b != 0)) return refuse(NOT_SUPPORTED, "the fused forms want alpha 1 and beta 0");
    Forward f{mode, ops, *xt, ops == BN_ADD_ACTIVATION ? *zt : *xt, *yt, *pt, x, ops == BN_ADD_ACTIVATION ? z : x, scale,
            bias, y, runningMean, runningVariance, saveMean, saveInverse, workspace, reserve, needWorkspace, needReserve, a,
            b, factor, epsilon};
    size_t one = bytes(f.p);
    size_t w = width(f.p.type);
    return launch(handle(hp), name,
            {touch(f.x, x), touch(f.z, f.zData), touch(f.y, y), {scale, one, w}, {bias, one, w},
                    {runningMean, runningMean ? one : 0, w}, {runningVariance, runningMean ? one : 0, w},
                    {saveMean, saveMean ? one : 0, w}, {saveInverse, saveMean ? one : 0, w}, {workspace, needWorkspace},
                    {reserve, needReserve}},
            [=] { f.run(); });
}

struct Backward {
    int ops;
    Tensor x, y, dy, dz, dx, p;
    const void *xData, *dyData, *scale, *saveMean, *saveInverse, *reserve;
    void *dzData, *dxData, *dScale, *dBias, *workspace;
    size_t workspaceBytes;
    double alphaData, betaData, alphaParameter, betaParameter, epsilon;

    void run() const {
        if (workspaceBytes > 0) std::memset(workspace, 0xff, workspaceBytes);
        std::vector<double> v = load(x, xData), g = load(dy, dyData), gamma = load(p, scale), mean, inverse;
        if (ops != BN) {
            const unsigned char *mask = static_cast<const unsigned char *>(reserve);
            for (size_t i = 0; i < g.size(); i++)
                if (!(mask[i / 8] >> i % 8 & 1)) g[i] = 0;
            if (ops == BN_ADD_ACTIVATION) store(dz, dzData, g);
        }
        Broadcast group(p, x);
        if (saveMean != nullptr) {
            mean = load(p, saveMean);
            inverse = load(p, saveInverse);
        } else {
            Statistics s(v, group, gamma.size());
            mean = s.mean;
            for (double e : s.variance) inverse.push_back(1 / std::sqrt(e + epsilon));
        }
        std::vector<double> sumG(gamma.size()), sumGX(gamma.size());
        double n = double(v.size()) / double(gamma.size());
        for (size_t i = 0; i < v.size(); i++) {
            size_t c = size_t(group(int64_t(i)));
            v[i] = (v[i] - mean[c]) * inverse[c];
            sumG[c] += g[i];
            sumGX[c] += g[i] * v[i];
        }
        for (size_t i = 0; i < v.size(); i++) {
            size_t c = size_t(group(int64_t(i)));
            g[i] = gamma[c] * inverse[c] * (g[i] - sumG[c] / n - v[i] * sumGX[c] / n);
        }
        store(dx, dxData, g, alphaData, betaData);
        store(p, dScale, sumGX, alphaParameter, betaParameter);
        store(p, dBias, sumG, alphaParameter, betaParameter);
    }
};

int backward(const char *name, void *hp, int mode, int ops, const void *alphaData, const void *betaData,
        const void *alphaParameter, const void *betaParameter, void *xd, const void *x, void *yd, const void *y, void *dyd,
        const void *dy, void *dzd, void *dz, void *dxd, void *dx, void *pd, const void *scale, const void *bias,
        void *dScale, void *dBias, double epsilon, const void *saveMean, const void *saveInverse, void *ad, void *workspace,
        size_t workspaceBytes, const void *reserve, size_t reserveBytes, bool extended) {
    const Tensor *xt = tensor(xd), *yt = tensor(yd), *dyt = tensor(dyd), *dzt = tensor(dzd), *dxt = tensor(dxd),
                 *pt = tensor(pd);
    int status = check(hp, mode, xt, dyt, pt, epsilon);
    if (status == SUCCESS) status = check(hp, mode, xt, dxt, pt, epsilon);
    if (status == SUCCESS) status = checkFused(mode, ops, *xt, dzt, activation(ad));
    if (status != SUCCESS) return status;
    if (ops != BN && (yt == nullptr || y == nullptr || bias == nullptr))
        return refuse(NULL_POINTER, "the fused forms want y and the bias");
    if (!alphaData || !betaData || !alphaParameter || !betaParameter || !x || !dy || !dx || !scale || !dScale || !dBias
            || (ops == BN_ADD_ACTIVATION && !dz))
        return refuse(NULL_POINTER, "null data or scale");
    if ((saveMean == nullptr) != (saveInverse == nullptr))
        return refuse(BAD_PARAM, "only one of the saved statistics is given");
    size_t needWorkspace = extended ? workspaceOf(*xt, mode, ops) : 0,
           needReserve = extended ? reserveOf(*xt, mode, ops) : 0;
    if (workspaceBytes < needWorkspace || reserveBytes < needReserve)
        return refuse(SIZE_INSUFFICIENT, "workspace or reserve space");
    bool add = ops == BN_ADD_ACTIVATION;
    Backward b{ops, *xt, ops == BN ? *xt : *yt, *dyt, add ? *dzt : *xt, *dxt, *pt, x, dy, scale, saveMean, saveInverse,
            reserve, dz, dx, dScale, dBias, workspace, needWorkspace, scalar(alphaData, xt->type),
            scalar(betaData, xt->type), scalar(alphaParameter, xt->type), scalar(betaParameter, xt->type), epsilon};
    size_t one = bytes(b.p), w = width(b.p.type);
    return launch(handle(hp), name,
            {touch(b.x, x), touch(b.dy, dy), {dz, add ? bytes(b.dz) : 0}, touch(b.dx, dx), {scale, one, w}, {dScale, one, w},
                    {dBias, one, w}, {saveMean, saveMean ? one : 0, w}, {saveInverse, saveMean ? one : 0, w},
                    {workspace, needWorkspace}, {reserve, needReserve}},
            [=] { b.run(); });
}

} // namespace

STAND_IN_API int cudnnDeriveBNTensorDescriptor(void *to, void *xd, int mode) {
    Tensor *derived = all<Tensor>().find(to);
    const Tensor *x = tensor(xd);
    if (derived == nullptr || x == nullptr) return refuse(BAD_PARAM, "a descriptor is null or not set");
    if (mode < PER_ACTIVATION || mode > SPATIAL_PERSISTENT) return refuse(BAD_PARAM, "unknown mode");
    *derived = parameters(*x, mode);
    return SUCCESS;
}

STAND_IN_API int cudnnBatchNormalizationForwardTraining(void *h, int mode, const void *alpha, const void *beta, void *xd,
        const void *x, void *yd, void *y, void *pd, const void *scale, const void *bias, double factor, void *runningMean,
        void *runningVariance, double epsilon, void *saveMean, void *saveInverse) {
    return forward("cudnnBatchNormalizationForwardTraining", h, mode, BN, alpha, beta, xd, x, nullptr, nullptr, yd, y, pd,
            scale, bias, factor, runningMean, runningVariance, epsilon, saveMean, saveInverse, nullptr, nullptr, 0, nullptr,
            0, false);
}

STAND_IN_API int cudnnBatchNormalizationForwardTrainingEx(void *h, int mode, int ops, const void *alpha, const void *beta,
        void *xd, const void *x, void *zd, const void *z, void *yd, void *y, void *pd, const void *scale, const void *bias,
        double factor, void *runningMean, void *runningVariance, double epsilon, void *saveMean, void *saveInverse, void *ad,
        void *workspace, size_t workspaceBytes, void *reserve, size_t reserveBytes) {
    return forward("cudnnBatchNormalizationForwardTrainingEx", h, mode, ops, alpha, beta, xd, x, zd, z, yd, y, pd, scale,
            bias, factor, runningMean, runningVariance, epsilon, saveMean, saveInverse, ad, workspace, workspaceBytes,
            reserve, reserveBytes, true);
}

STAND_IN_API int cudnnBatchNormalizationForwardInference(void *hp, int mode, const void *alpha, const void *beta, void *xd,
        const void *x, void *yd, void *y, void *pd, const void *scale, const void *bias, const void *mean,
        const void *variance, double epsilon) {
    const Tensor *xt = tensor(xd), *yt = tensor(yd), *pt = tensor(pd);
    int status = check(hp, mode, xt, yt, pt, epsilon);
    if (status != SUCCESS) return status;
    if (!alpha || !beta || !x || !y || !scale || !bias || !mean || !variance)
        return refuse(NULL_POINTER, "null data or scale");
    double a = scalar(alpha, xt->type), b = scalar(beta, xt->type);
    Tensor in = *xt, out = *yt, p = *pt;
    return launch(handle(hp), "cudnnBatchNormalizationForwardInference",
            {touch(in, x), touch(out, y), touch(p, scale), touch(p, bias), touch(p, mean), touch(p, variance)}, [=] {
                std::vector<double> v = load(in, x), g = load(p, scale), s = load(p, bias), m = load(p, mean),
                                    var = load(p, variance);
                Broadcast group(p, in);
                for (size_t i = 0; i < v.size(); i++) {
                    size_t c = size_t(group(int64_t(i)));
                    v[i] = g[c] * (v[i] - m[c]) / std::sqrt(var[c] + epsilon) + s[c];
                }
                store(out, y, v, a, b);
            });
}

STAND_IN_API int cudnnBatchNormalizationBackward(void *h, int mode, const void *alphaData, const void *betaData,
        const void *alphaParameter, const void *betaParameter, void *xd, const void *x, void *dyd, const void *dy, void *dxd,
        void *dx, void *pd, const void *scale, void *dScale, void *dBias, double epsilon, const void *saveMean,
        const void *saveInverse) {
    return backward("cudnnBatchNormalizationBackward", h, mode, BN, alphaData, betaData, alphaParameter, betaParameter, xd,
            x, nullptr, nullptr, dyd, dy, nullptr, nullptr, dxd, dx, pd, scale, nullptr, dScale, dBias, epsilon, saveMean,
            saveInverse, nullptr, nullptr, 0, nullptr, 0, false);
}

STAND_IN_API int cudnnBatchNormalizationBackwardEx(void *h, int mode, int ops, const void *alphaData, const void *betaData,
        const void *alphaParameter, const void *betaParameter, void *xd, const void *x, void *yd, const void *y, void *dyd,
        const void *dy, void *dzd, void *dz, void *dxd, void *dx, void *pd, const void *scale, const void *bias,
        void *dScale, void *dBias, double epsilon, const void *saveMean, const void *saveInverse, void *ad, void *workspace,
        size_t workspaceBytes, void *reserve, size_t reserveBytes) {
    return backward("cudnnBatchNormalizationBackwardEx", h, mode, ops, alphaData, betaData, alphaParameter, betaParameter,
            xd, x, yd, y, dyd, dy, dzd, dz, dxd, dx, pd, scale, bias, dScale, dBias, epsilon, saveMean, saveInverse, ad,
            workspace, workspaceBytes, reserve, reserveBytes, true);
}

STAND_IN_API int cudnnGetBatchNormalizationForwardTrainingExWorkspaceSize(
        void *h, int mode, int ops, void *xd, void *zd, void *yd, void *pd, void *ad, size_t *size) {
    const Tensor *x = tensor(xd);
    int status = check(h, mode, x, tensor(yd), tensor(pd), 1);
    if (status == SUCCESS) status = checkFused(mode, ops, *x, tensor(zd), activation(ad));
    if (status == SUCCESS) *size = workspaceOf(*x, mode, ops);
    return status;
}

STAND_IN_API int cudnnGetBatchNormalizationBackwardExWorkspaceSize(
        void *h, int mode, int ops, void *xd, void *, void *dyd, void *dzd, void *dxd, void *pd, void *ad, size_t *size) {
    const Tensor *x = tensor(xd);
    int status = check(h, mode, x, tensor(dyd), tensor(pd), 1);
    if (status == SUCCESS) status = check(h, mode, x, tensor(dxd), tensor(pd), 1);
    if (status == SUCCESS) status = checkFused(mode, ops, *x, tensor(dzd), activation(ad));
    if (status == SUCCESS) *size = workspaceOf(*x, mode, ops);
    return status;
}

STAND_IN_API int cudnnGetBatchNormalizationTrainingExReserveSpaceSize(
        void *h, int mode, int ops, void *ad, void *xd, size_t *size) {
    const Tensor *x = tensor(xd);
    if (handle(h) == nullptr || x == nullptr || size == nullptr) return refuse(NULL_POINTER, "the handle or a descriptor");
    if (ops < BN || ops > BN_ADD_ACTIVATION || (ops != BN && activation(ad) == nullptr))
        return refuse(BAD_PARAM, "the fused operation");
    *size = reserveOf(*x, mode, ops);
    return SUCCESS;
}
