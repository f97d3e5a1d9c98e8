// A stand-in for libcudnn.so.9: pooling, activations, softmax, and the element-wise and reducing functions.
#include "cudnn_stand_in.h"

namespace cudnn {

double activate(const Activation &a, double x) {
    switch (a.mode) {
        case SIGMOID: return 1 / (1 + std::exp(-x));
        case RELU: return x > 0 ? x : std::isnan(x) && a.nan ? x : 0;
        case TANH: return std::tanh(x);
        case CLIPPED_RELU: return std::isnan(x) && a.nan ? x : std::min(std::max(x, 0.0), a.coef);
        case ELU: return x > 0 ? x : a.coef * std::expm1(x);
        case SWISH: return x / (1 + std::exp(-a.swishBeta * x));
        default: return x;
    }
}

}  // namespace cudnn

using namespace cudnn;

namespace {

double activateBackward(const Activation &a, double x, double y, double dy) {
    switch (a.mode) {
        case SIGMOID: return dy * y * (1 - y);
        case RELU: return x > 0 ? dy : 0;
        case TANH: return dy * (1 - y * y);
        case CLIPPED_RELU: return x > 0 && x < a.coef ? dy : 0;
        case ELU: return x > 0 ? dy : dy * (y + a.coef);
        default: {
            double s = 1 / (1 + std::exp(-a.swishBeta * x));
            return dy * (s + a.swishBeta * x * s * (1 - s));
        }
    }
}

/// Checks that all tensors exist, have one size and one floating-point type.
int alike(void *h, std::initializer_list<const Tensor *> all) {
    if (handle(h) == nullptr) return refuse(BAD_PARAM, "the handle is not alive");
    const Tensor *first = *all.begin();
    for (const Tensor *t : all) {
        if (t == nullptr) return refuse(NULL_POINTER, "a tensor descriptor is null or not set");
        if (!sameDims(*t, *first) || t->type != first->type)
            return refuse(BAD_PARAM, "sizes or types of the tensors differ");
    }
    return floating(first->type) ? SUCCESS : refuse(NOT_SUPPORTED_TYPE, "the stand-in computes on floating-point data only");
}

bool sameStrides(const Tensor &a, const Tensor &b) { return std::equal(a.stride, a.stride + a.rank, b.stride); }

/// Calls inner(index of the output place, first and one-behind-last index of its window in each dimension).
struct Windows {
    Pooling p;
    Tensor x, y;
    int64_t planes, places, area;          // planes: images times channels

    Windows(const Pooling &pooling, const Tensor &in, const Tensor &out)
        : p(pooling), x(in), y(out), planes(in.dim[0] * in.dim[1]) {
        places = count(y) / planes;
        area = count(x) / planes;
    }

    /// inner(place, cells in the image, offsets of the cells): cells that lie in the padding are left out.
    template <class F> void each(const F &inner) const {
        std::vector<int64_t> cells;
        for (int64_t place = 0; place < places; place++) {
            int64_t rest = place, low[DIM_MAX], high[DIM_MAX], at[DIM_MAX];
            bool empty = false;
            for (int i = p.rank - 1; i >= 0; i--) {
                int64_t start = rest % y.dim[2 + i] * p.stride[i] - p.pad[i];
                rest /= y.dim[2 + i];
                at[i] = low[i] = std::max<int64_t>(start, 0);
                high[i] = std::min(start + p.window[i], x.dim[2 + i]);
                empty |= low[i] >= high[i];
            }
            cells.clear();
            while (!empty) {
                int64_t offset = 0;
                for (int i = 0; i < p.rank; i++) offset = offset * x.dim[2 + i] + at[i];
                cells.push_back(offset);
                int d = p.rank - 1;
                for (; d >= 0; d--) {
                    if (++at[d] < high[d]) break;
                    at[d] = low[d];
                }
                if (d < 0) break;
            }
            inner(place, cells);
        }
    }

    double divisor(size_t cells) const {
        if (p.mode == 2) return double(cells);
        double all = 1;
        for (int i = 0; i < p.rank; i++) all *= double(p.window[i]);
        return all;
    }

    bool maximum() const { return p.mode == 0 || p.mode == 3; }

    /// The first cell that holds the maximum; NaN wins when it is to be propagated.
    int64_t best(const double *plane, const std::vector<int64_t> &cells) const {
        int64_t best = cells[0];
        for (int64_t c : cells) {
            if (p.nan && std::isnan(plane[best])) break;
            if (plane[c] > plane[best] || (std::isnan(plane[c]) ? p.nan != 0 : std::isnan(plane[best]))) best = c;
        }
        return best;
    }
};

int checkPool(void *h, const Pooling *p, const Tensor *x, const Tensor *y) {
    if (handle(h) == nullptr) return refuse(BAD_PARAM, "the handle is not alive");
    if (p == nullptr || x == nullptr || y == nullptr) return refuse(NULL_POINTER, "a descriptor is null or not set");
    if (x->type != y->type) return refuse(BAD_PARAM, "data types of input and output differ");
    if (!floating(x->type)) return refuse(NOT_SUPPORTED_TYPE, "the stand-in pools floating-point data only");
    if (x->rank != y->rank || x->rank != p->rank + 2) return refuse(BAD_PARAM, "numbers of dimensions differ");
    if (x->rank != 4 && x->rank != 5) return refuse(NOT_SUPPORTED, "pooling has 4 or 5 dimensions");
    if (x->dim[0] != y->dim[0] || x->dim[1] != y->dim[1]) return refuse(BAD_PARAM, "images or channels differ");
    for (int i = 0; i < p->rank; i++) {
        int64_t span = x->dim[2 + i] + 2 * p->pad[i] - p->window[i];
        if (span < 0 || y->dim[2 + i] != 1 + span / p->stride[i])
            return refuse(SHAPE_MISMATCH, "spatial size of the output");
    }
    return SUCCESS;
}

double combine(int op, double a, double b, bool nan) {
    switch (op) {
        case 0: return a + b;
        case 1: return a * b;
        case 2: return nan && (std::isnan(a) || std::isnan(b)) ? NAN : std::fmin(a, b);
        case 3: return nan && (std::isnan(a) || std::isnan(b)) ? NAN : std::fmax(a, b);
        case 4: return std::sqrt(a);
        default: return 1 - a;
    }
}

/// Dimensions of one, or the same as the other's.
bool repeats(const Tensor &small, const Tensor &large) {
    if (small.rank != large.rank) return false;
    for (int i = 0; i < small.rank; i++)
        if (small.dim[i] != 1 && small.dim[i] != large.dim[i]) return false;
    return true;
}

}  // namespace

STAND_IN_API int cudnnPoolingForward(
        void *hp, void *pd, const void *alpha, void *xd, const void *x, const void *beta, void *yd, void *y) {
    const Pooling *pool = pooling(pd);
    const Tensor *xt = tensor(xd), *yt = tensor(yd);
    int status = checkPool(hp, pool, xt, yt);
    if (status != SUCCESS) return status;
    if (!alpha || !beta || !x || !y) return refuse(NULL_POINTER, "null data or scale");
    double a = scalar(alpha, xt->type), b = scalar(beta, xt->type);
    Pooling p = *pool;
    Tensor in = *xt, out = *yt;
    return launch(handle(hp), "cudnnPoolingForward", {touch(in, x), touch(out, y)}, [=] {
        Windows windows(p, in, out);
        std::vector<double> from = load(in, x), to(size_t(count(out)));
        windows.each([&](int64_t place, const std::vector<int64_t> &cells) {
            for (int64_t plane = 0; plane < windows.planes; plane++) {
                const double *image = from.data() + plane * windows.area;
                double v = 0;
                if (windows.maximum()) {
                    v = cells.empty() ? -INFINITY : image[windows.best(image, cells)];
                } else if (!cells.empty()) {
                    for (int64_t c : cells) v += image[c];
                    v /= windows.divisor(cells.size());
                }
                to[size_t(plane * windows.places + place)] = v;
            }
        });
        store(out, y, to, a, b);
    });
}

STAND_IN_API int cudnnPoolingBackward(void *hp, void *pd, const void *alpha, void *yd, const void *y, void *dyd,
        const void *dy, void *xd, const void *x, const void *beta, void *dxd, void *dx) {
    const Pooling *pool = pooling(pd);
    const Tensor *yt = tensor(yd), *dyt = tensor(dyd), *xt = tensor(xd), *dxt = tensor(dxd);
    int status = checkPool(hp, pool, xt, yt);
    if (status == SUCCESS) status = alike(hp, {xt, dxt});
    if (status == SUCCESS) status = alike(hp, {yt, dyt});
    if (status != SUCCESS) return status;
    if (!sameStrides(*xt, *dxt) || !sameStrides(*yt, *dyt))
        return refuse(BAD_PARAM, "strides of a tensor and its gradient differ");
    if (!alpha || !beta || !x || !y || !dx || !dy) return refuse(NULL_POINTER, "null data or scale");
    double a = scalar(alpha, xt->type), b = scalar(beta, xt->type);
    Pooling p = *pool;
    Tensor in = *xt, out = *yt;
    return launch(handle(hp), "cudnnPoolingBackward", {touch(in, x), touch(out, y), touch(out, dy), touch(in, dx)}, [=] {
        Windows windows(p, in, out);
        std::vector<double> image = load(in, x), g = load(out, dy), to(image.size());
        windows.each([&](int64_t place, const std::vector<int64_t> &cells) {
            if (cells.empty()) return;
            for (int64_t plane = 0; plane < windows.planes; plane++) {
                double v = g[size_t(plane * windows.places + place)];
                double *at = to.data() + plane * windows.area;
                if (windows.maximum())
                    at[windows.best(image.data() + plane * windows.area, cells)] += v;
                else
                    for (int64_t c : cells) at[c] += v / windows.divisor(cells.size());
            }
        });
        store(in, dx, to, a, b);
    });
}

STAND_IN_API int cudnnActivationForward(
        void *hp, void *ad, const void *alpha, void *xd, const void *x, const void *beta, void *yd, void *y) {
    const Activation *act = activation(ad);
    const Tensor *xt = tensor(xd), *yt = tensor(yd);
    int status = alike(hp, {xt, yt});
    if (status != SUCCESS) return status;
    if (act == nullptr || !alpha || !beta || !x || !y) return refuse(NULL_POINTER, "null data, scale or activation");
    if (act->mode == IDENTITY) return refuse(BAD_PARAM, "identity is only for the fused convolution");
    if (x == y && !sameStrides(*xt, *yt)) return refuse(BAD_PARAM, "in place with two layouts");
    double a = scalar(alpha, xt->type), b = scalar(beta, xt->type);
    Activation f = *act;
    Tensor in = *xt, out = *yt;
    return launch(handle(hp), "cudnnActivationForward", {touch(in, x), touch(out, y)}, [=] {
        std::vector<double> v = load(in, x);
        for (double &e : v) e = activate(f, e);
        store(out, y, v, a, b);
    });
}

STAND_IN_API int cudnnActivationBackward(void *hp, void *ad, const void *alpha, void *yd, const void *y, void *dyd,
        const void *dy, void *xd, const void *x, const void *beta, void *dxd, void *dx) {
    const Activation *act = activation(ad);
    const Tensor *yt = tensor(yd), *dyt = tensor(dyd), *xt = tensor(xd), *dxt = tensor(dxd);
    int status = alike(hp, {xt, yt, dyt, dxt});
    if (status != SUCCESS) return status;
    if (act == nullptr || !alpha || !beta || !x || !y || !dx || !dy)
        return refuse(NULL_POINTER, "null data, scale or activation");
    if (act->mode == IDENTITY) return refuse(BAD_PARAM, "identity is only for the fused convolution");
    if (dx == dy && !sameStrides(*dxt, *dyt)) return refuse(BAD_PARAM, "in place with two layouts");
    double a = scalar(alpha, xt->type), b = scalar(beta, xt->type);
    Activation f = *act;
    Tensor yd2 = *yt, dyd2 = *dyt, xd2 = *xt, dxd2 = *dxt;
    return launch(
            handle(hp), "cudnnActivationBackward", {touch(yd2, y), touch(dyd2, dy), touch(xd2, x), touch(dxd2, dx)}, [=] {
                std::vector<double> vx = load(xd2, x), vy = load(yd2, y), g = load(dyd2, dy);
                for (size_t i = 0; i < g.size(); i++) g[i] = activateBackward(f, vx[i], vy[i], g[i]);
                store(dxd2, dx, g, a, b);
            });
}

namespace {

/// Calls inner(first index, step) for each group of values that softmax normalises together; n values each.
template <class F> void eachGroup(const Tensor &t, int mode, const F &inner) {
    int64_t images = t.dim[0], channels = t.dim[1], places = count(t) / images / channels;
    for (int64_t i = 0; i < images; i++) {
        if (mode == 0)
            inner(i * channels * places, int64_t(1), channels * places);
        else
            for (int64_t q = 0; q < places; q++) inner(i * channels * places + q, places, channels);
    }
}

int checkSoftmax(int algo, int mode) {
    return algo >= 0 && algo <= 2 && mode >= 0 && mode <= 1 ? SUCCESS
                                                            : refuse(BAD_PARAM, "unknown softmax algorithm or mode");
}

}  // namespace

STAND_IN_API int cudnnSoftmaxForward(
        void *hp, int algo, int mode, const void *alpha, void *xd, const void *x, const void *beta, void *yd, void *y) {
    const Tensor *xt = tensor(xd), *yt = tensor(yd);
    int status = alike(hp, {xt, yt});
    if (status == SUCCESS) status = checkSoftmax(algo, mode);
    if (status != SUCCESS) return status;
    if (!alpha || !beta || !x || !y) return refuse(NULL_POINTER, "null data or scale");
    double a = scalar(alpha, xt->type), b = scalar(beta, xt->type);
    Tensor in = *xt, out = *yt;
    return launch(handle(hp), "cudnnSoftmaxForward", {touch(in, x), touch(out, y)}, [=] {
        std::vector<double> v = load(in, x);
        eachGroup(in, mode, [&](int64_t at, int64_t step, int64_t n) {
            double most = algo == 0 ? 0 : -INFINITY, sum = 0;
            if (algo != 0)
                for (int64_t i = 0; i < n; i++) most = std::max(most, v[size_t(at + i * step)]);
            for (int64_t i = 0; i < n; i++) sum += std::exp(v[size_t(at + i * step)] - most);
            for (int64_t i = 0; i < n; i++) {
                double &e = v[size_t(at + i * step)];
                e = algo == 2 ? e - most - std::log(sum) : std::exp(e - most) / sum;
            }
        });
        store(out, y, v, a, b);
    });
}

STAND_IN_API int cudnnSoftmaxBackward(void *hp, int algo, int mode, const void *alpha, void *yd, const void *y, void *dyd,
        const void *dy, const void *beta, void *dxd, void *dx) {
    const Tensor *yt = tensor(yd), *dyt = tensor(dyd), *dxt = tensor(dxd);
    int status = alike(hp, {yt, dyt, dxt});
    if (status == SUCCESS) status = checkSoftmax(algo, mode);
    if (status != SUCCESS) return status;
    if (!alpha || !beta || !y || !dy || !dx) return refuse(NULL_POINTER, "null data or scale");
    double a = scalar(alpha, yt->type), b = scalar(beta, yt->type);
    Tensor yd2 = *yt, dyd2 = *dyt, out = *dxt;
    return launch(handle(hp), "cudnnSoftmaxBackward", {touch(yd2, y), touch(dyd2, dy), touch(out, dx)}, [=] {
        std::vector<double> v = load(yd2, y), g = load(dyd2, dy);
        eachGroup(yd2, mode, [&](int64_t at, int64_t step, int64_t n) {
            double sum = 0;
            for (int64_t i = 0; i < n; i++) sum += g[size_t(at + i * step)] * (algo == 2 ? 1 : v[size_t(at + i * step)]);
            for (int64_t i = 0; i < n; i++) {
                double &e = g[size_t(at + i * step)], s = v[size_t(at + i * step)];
                e = algo == 2 ? e - std::exp(s) * sum : s * (e - sum);
            }
        });
        store(out, dx, g, a, b);
    });
}

STAND_IN_API int cudnnTransformTensor(
        void *hp, const void *alpha, void *xd, const void *x, const void *beta, void *yd, void *y) {
    const Tensor *xt = tensor(xd), *yt = tensor(yd);
    if (handle(hp) == nullptr) return refuse(BAD_PARAM, "the handle is not alive");
    if (!xt || !yt || !alpha || !beta || !x || !y) return refuse(NULL_POINTER, "a descriptor, data or scale is null");
    if (!sameDims(*xt, *yt) || xt->type != yt->type) return refuse(BAD_PARAM, "sizes or types differ");
    double a = scalar(alpha, xt->type), b = scalar(beta, xt->type);
    Tensor in = *xt, out = *yt;
    return launch(
            handle(hp), "cudnnTransformTensor", {touch(in, x), touch(out, y)}, [=] { store(out, y, load(in, x), a, b); });
}

STAND_IN_API int cudnnAddTensor(void *hp, const void *alpha, void *ad, const void *a, const void *beta, void *cd, void *c) {
    const Tensor *at = tensor(ad), *ct = tensor(cd);
    if (handle(hp) == nullptr) return refuse(BAD_PARAM, "the handle is not alive");
    if (!at || !ct || !alpha || !beta || !a || !c) return refuse(NULL_POINTER, "a descriptor, data or scale is null");
    if (!repeats(*at, *ct) || at->type != ct->type)
        return refuse(BAD_PARAM, "A does not repeat to the size of C, or types differ");
    if (at->rank > 5) return refuse(NOT_SUPPORTED, "at most 5 dimensions");
    double fa = scalar(alpha, ct->type), fb = scalar(beta, ct->type);
    Tensor small = *at, large = *ct;
    return launch(handle(hp), "cudnnAddTensor", {touch(small, a), touch(large, c)}, [=] {
        std::vector<double> from = load(small, a), v(size_t(count(large)));
        Broadcast where(small, large);
        for (size_t i = 0; i < v.size(); i++) v[i] = from[size_t(where(int64_t(i)))];
        store(large, c, v, fa, fb);
    });
}

STAND_IN_API int cudnnOpTensor(void *hp, void *od, const void *alpha1, void *ad, const void *a, const void *alpha2, void *bd,
        const void *b, const void *beta, void *cd, void *c) {
    const OpTensor *op = all<OpTensor>().find(od);
    const Tensor *at = tensor(ad), *bt = tensor(bd), *ct = tensor(cd);
    if (handle(hp) == nullptr) return refuse(BAD_PARAM, "the handle is not alive");
    if (!op || !op->set || !at || !ct || !alpha1 || !beta || !a || !c)
        return refuse(NULL_POINTER, "a descriptor, data or scale is null");
    bool unary = op->op >= 4;
    if (!unary && (!bt || !b || !alpha2)) return refuse(NULL_POINTER, "the second operand is null");
    if (!sameDims(*at, *ct) || (!unary && !repeats(*bt, *ct)))
        return refuse(BAD_PARAM, "A has not the size of C, or B does not repeat to it");
    if (at->rank > 5) return refuse(NOT_SUPPORTED, "at most 5 dimensions");
    bool wide = op->computeType == DOUBLE;
    for (const Tensor *t : {at, ct, unary ? at : bt})
        if (!floating(t->type) || (t->type == DOUBLE) != wide)
            return refuse(NOT_SUPPORTED_TYPE, "data types do not go with the compute type");
    double f1 = scalar(alpha1, op->computeType), f2 = unary ? 0 : scalar(alpha2, op->computeType),
           fb = scalar(beta, op->computeType);
    OpTensor what = *op;
    Tensor first = *at, second = unary ? *at : *bt, result = *ct;
    const void *other = unary ? a : b;
    return launch(handle(hp), "cudnnOpTensor", {touch(first, a), touch(second, other), touch(result, c)}, [=] {
        std::vector<double> v = load(first, a), w = load(second, other);
        Broadcast where(second, result);
        for (size_t i = 0; i < v.size(); i++)
            v[i] = combine(what.op, f1 * v[i], f2 * w[size_t(where(int64_t(i)))], what.nan);
        store(result, c, v, 1, fb);
    });
}

// ---- reductions --------------------------------------------------------------------------------------------------------

namespace {

int checkReduce(void *h, const ReduceTensor *r, const Tensor *a, const Tensor *c) {
    if (handle(h) == nullptr) return refuse(BAD_PARAM, "the handle is not alive");
    if (r == nullptr || !r->set || a == nullptr || c == nullptr)
        return refuse(NULL_POINTER, "a descriptor is null or not set");
    if (!repeats(*c, *a)) return refuse(BAD_PARAM, "each dimension of C is 1 or that of A");
    if (!floating(a->type) || a->type != c->type) return refuse(NOT_SUPPORTED_TYPE, "the data types of A and C");
    if ((a->type == DOUBLE) != (r->computeType == DOUBLE) || r->computeType == HALF)
        return refuse(NOT_SUPPORTED_TYPE, "the compute type does not go with the data type");
    if (sameDims(*a, *c) && r->indices) return refuse(NOT_SUPPORTED, "nothing is reduced");
    return SUCCESS;
}

bool indexed(const ReduceTensor &r) { return r.indices == 1 && r.op >= 2 && r.op <= 4; }
size_t reduceWorkspace(const Tensor &a) { return (size_t(count(a)) * width(a.type) / 4 + 256 + 255) / 256 * 256; }

}  // namespace

STAND_IN_API int cudnnGetReductionWorkspaceSize(void *h, void *rd, void *ad, void *cd, size_t *size) {
    const ReduceTensor *r = all<ReduceTensor>().find(rd);
    int status = checkReduce(h, r, tensor(ad), tensor(cd));
    if (status != SUCCESS) return status;
    *size = reduceWorkspace(*tensor(ad));
    return SUCCESS;
}

STAND_IN_API int cudnnGetReductionIndicesSize(void *h, void *rd, void *ad, void *cd, size_t *size) {
    const ReduceTensor *r = all<ReduceTensor>().find(rd);
    int status = checkReduce(h, r, tensor(ad), tensor(cd));
    if (status != SUCCESS) return status;
    *size = indexed(*r) ? size_t(count(*tensor(cd))) * 4 : 0;
    return SUCCESS;
}

STAND_IN_API int cudnnReduceTensor(void *hp, void *rd, void *indices, size_t indexBytes, void *workspace,
        size_t workspaceBytes, const void *alpha, void *ad, const void *a, const void *beta, void *cd, void *c) {
    const ReduceTensor *reduce = all<ReduceTensor>().find(rd);
    const Tensor *at = tensor(ad), *ct = tensor(cd);
    int status = checkReduce(hp, reduce, at, ct);
    if (status != SUCCESS) return status;
    if (!alpha || !beta || !a || !c) return refuse(NULL_POINTER, "null data or scale");
    if (workspaceBytes < reduceWorkspace(*at)) return refuse(SIZE_INSUFFICIENT, "the workspace is too small");
    if (workspace == nullptr) return refuse(NULL_POINTER, "no workspace");
    size_t needIndices = indexed(*reduce) ? size_t(count(*ct)) * 4 : 0;
    if (indexBytes < needIndices || (needIndices > 0 && indices == nullptr))
        return refuse(SIZE_INSUFFICIENT, "no room for the indices");
    if (indexed(*reduce) && reduce->indexType != 0) return refuse(NOT_SUPPORTED, "indices are 32-bit integers");
    double fa = scalar(alpha, at->type), fb = scalar(beta, at->type);
    ReduceTensor r = *reduce;
    Tensor in = *at, out = *ct;
    return launch(handle(hp), "cudnnReduceTensor",
            {touch(in, a), touch(out, c), {workspace, reduceWorkspace(in)}, {indices, needIndices}}, [=] {
                std::vector<double> v = load(in, a),
                                    sum(size_t(count(out)),
                                            r.op == 1 || r.op == 8 ? 1
                                                    : r.op == 2    ? INFINITY
                                                    : r.op == 3    ? -INFINITY
                                                                   : 0);
                std::vector<int32_t> where(sum.size(), 0), seen(sum.size(), 0);
                Broadcast place(out, in);
                for (size_t i = 0; i < v.size(); i++) {
                    size_t to = size_t(place(int64_t(i)));
                    double &s = sum[to], e = v[i], before = s;
                    switch (r.op) {
                        case 0:
                        case 5: s += e; break;
                        case 1: s *= e; break;
                        case 2:
                        case 3: s = combine(r.op, s, e, r.nan); break;
                        case 4: s = combine(3, s, std::fabs(e), r.nan); break;
                        case 6: s += std::fabs(e); break;
                        case 7: s += e * e; break;
                        default:
                            if (e != 0) s *= e;
                    }
                    if (s != before) where[to] = seen[to];            // the index counts within what is reduced
                    seen[to]++;
                }
                double n = double(v.size()) / double(sum.size());
                for (double &s : sum) s = r.op == 5 ? s / n : r.op == 7 ? std::sqrt(s) : s;
                store(out, c, sum, fa, fb);
                if (needIndices > 0) std::memcpy(indices, where.data(), needIndices);
            });
}

// ---- filling -----------------------------------------------------------------------------------------------------------

namespace {

double hostValue(const void *value, int type) {
    Tensor one;
    one.rank = 1;
    one.type = type;
    one.dim[0] = one.stride[0] = 1;
    return load(one, value)[0];
}

}  // namespace

STAND_IN_API int cudnnSetTensor(void *hp, void *yd, void *y, const void *value) {
    const Tensor *yt = tensor(yd);
    if (handle(hp) == nullptr || yt == nullptr || !y || !value)
        return refuse(NULL_POINTER, "the handle, a descriptor or data is null");
    double v = hostValue(value, yt->type);
    Tensor out = *yt;
    return launch(handle(hp), "cudnnSetTensor", {touch(out, y)},
            [=] { store(out, y, std::vector<double>(size_t(count(out)), v)); });
}

STAND_IN_API int cudnnScaleTensor(void *hp, void *yd, void *y, const void *alpha) {
    const Tensor *yt = tensor(yd);
    if (handle(hp) == nullptr || yt == nullptr || !y || !alpha)
        return refuse(NULL_POINTER, "the handle, a descriptor or data is null");
    double a = scalar(alpha, yt->type);
    Tensor out = *yt;
    return launch(handle(hp), "cudnnScaleTensor", {touch(out, y)}, [=] { store(out, y, load(out, y), a); });
}
