// A stand-in for libcudnn.so.9: tensors in memory, live descriptors, and why a call was refused.
#include "cudnn_stand_in.h"
#include <cstdlib>
#include <string>

namespace cudnn {

thread_local std::string lastError;

namespace {

template <class T> const T *find(const void *pointer) { return all<T>().find(const_cast<void *>(pointer)); }

/// Calls inner(offset in memory, dense index, length, step) for each run along the last dimension.
template <class F> void eachRow(const Tensor &t, const F &inner) {
    int64_t at[DIM_MAX] = {}, offset = 0, index = 0, last = t.rank - 1;
    for (;;) {
        inner(offset, index, t.dim[last], t.stride[last]);
        index += t.dim[last];
        int64_t d = last - 1;
        for (; d >= 0; d--) {
            offset += t.stride[d];
            if (++at[d] < t.dim[d]) break;
            offset -= t.stride[d] * t.dim[d];
            at[d] = 0;
        }
        if (d < 0) return;
    }
}

template <class T> void loadAs(const Tensor &t, const void *data, std::vector<double> &to) {
    const T *from = static_cast<const T *>(data);
    eachRow(t, [&](int64_t offset, int64_t index, int64_t n, int64_t step) {
        for (int64_t i = 0; i < n; i++) to[size_t(index + i)] = widen<double>(from[offset + i * step]);
    });
}

template <class T, class A>
void storeAs(const Tensor &t, void *data, const std::vector<double> &values, double alpha, double beta) {
    T *to = static_cast<T *>(data);
    eachRow(t, [&](int64_t offset, int64_t index, int64_t n, int64_t step) {
        for (int64_t i = 0; i < n; i++) {
            T &cell = to[offset + i * step];
            double v = alpha * values[size_t(index + i)];
            if (beta != 0) v += beta * widen<double>(cell);
            cell = narrow<T>(A(v));
        }
    });
}

}  // namespace

int refuse(int status, const char *why) {
    lastError = why;
    static const bool log = std::getenv("GRAFT_EMULATOR_LOG") != nullptr;
    if (log) std::fprintf(stderr, "graft emulator: cuDNN %d: %s\n", status, why);
    return status;
}

Handle *handle(void *pointer) { return all<Handle>().find(pointer); }
const Tensor *tensor(const void *pointer) {
    auto t = find<Tensor>(pointer);
    return t && t->rank ? t : nullptr;
}
const Filter *filter(const void *pointer) {
    auto f = find<Filter>(pointer);
    return f && f->rank ? f : nullptr;
}
const Pooling *pooling(const void *pointer) {
    auto p = find<Pooling>(pointer);
    return p && p->rank ? p : nullptr;
}
const Activation *activation(const void *pointer) {
    auto a = find<Activation>(pointer);
    return a && a->set ? a : nullptr;
}

const Convolution *convolution(const void *pointer) {
    auto c = find<Convolution>(pointer);
    return c && c->rank ? c : nullptr;
}

size_t width(int type) {
    switch (type) {
        case DOUBLE:
        case INT64: return 8;
        case FLOAT:
        case INT32:
        case INT8x4:
        case UINT8x4: return 4;
        case HALF:
        case BFLOAT16: return 2;
        case INT8x32: return 32;
        default: return 1;
    }
}

int64_t count(const Tensor &t) {
    int64_t n = 1;
    for (int i = 0; i < t.rank; i++) n *= t.dim[i];
    return n;
}

size_t bytes(const Tensor &t) {
    int64_t last = 0;
    for (int i = 0; i < t.rank; i++) last += (t.dim[i] - 1) * t.stride[i];
    return size_t(last + 1) * width(t.type);
}

bool sameDims(const Tensor &a, const Tensor &b) { return a.rank == b.rank && std::equal(a.dim, a.dim + a.rank, b.dim); }

bool packed(const Tensor &t, Format format) {
    int64_t expected = 1;
    auto fits = [&](int i) {
        bool ok = t.dim[i] == 1 || t.stride[i] == expected;
        expected *= t.dim[i];
        return ok;
    };
    if (format == NHWC && !fits(1)) return false;
    for (int i = t.rank - 1; i >= 2; i--)
        if (!fits(i)) return false;
    return (format == NHWC || fits(1)) && fits(0);
}

Tensor asTensor(const Filter &f) {
    Tensor t;
    t.rank = f.rank;
    t.type = f.type;
    std::copy(f.dim, f.dim + f.rank, t.dim);
    int64_t step = f.format == NHWC ? t.dim[1] : 1;
    for (int i = f.rank - 1; i >= 2; i--) {
        t.stride[i] = step;
        step *= t.dim[i];
    }
    t.stride[1] = f.format == NHWC ? 1 : step;
    t.stride[0] = f.format == NHWC ? step : step * t.dim[1];
    return t;
}

Tensor dense(const Tensor &t) {
    Tensor to = t;
    to.type = DOUBLE;
    int64_t step = 1;
    for (int i = t.rank - 1; i >= 0; i--) {
        to.stride[i] = step;
        step *= t.dim[i];
    }
    return to;
}

double scalar(const void *value, int type) {
    if (type == DOUBLE) {
        double v;
        std::memcpy(&v, value, 8);
        return v;
    }
    float v;
    std::memcpy(&v, value, 4);
    return v;
}

std::vector<double> load(const Tensor &t, const void *data) {
    std::vector<double> to(size_t(count(t)));
    switch (t.type) {
        case FLOAT: loadAs<float>(t, data, to); break;
        case DOUBLE: loadAs<double>(t, data, to); break;
        case HALF: loadAs<half16>(t, data, to); break;
        case BFLOAT16: loadAs<bf16>(t, data, to); break;
        case INT32: loadAs<int32_t>(t, data, to); break;
        case INT64: loadAs<int64_t>(t, data, to); break;
        case INT8: loadAs<int8_t>(t, data, to); break;
        default: loadAs<uint8_t>(t, data, to);
    }
    return to;
}

void store(const Tensor &t, void *data, const std::vector<double> &values, double alpha, double beta) {
    switch (t.type) {
        case FLOAT: storeAs<float, double>(t, data, values, alpha, beta); break;
        case DOUBLE: storeAs<double, double>(t, data, values, alpha, beta); break;
        case HALF: storeAs<half16, float>(t, data, values, alpha, beta); break;
        case BFLOAT16: storeAs<bf16, float>(t, data, values, alpha, beta); break;
        case INT32: storeAs<int32_t, double>(t, data, values, alpha, beta); break;
        case INT64: storeAs<int64_t, double>(t, data, values, alpha, beta); break;
        case INT8: storeAs<int8_t, double>(t, data, values, alpha, beta); break;
        default: storeAs<uint8_t, double>(t, data, values, alpha, beta);
    }
}

Broadcast::Broadcast(const Tensor &operand, const Tensor &result) : rank(result.rank) {
    int64_t dense = 1;
    for (int i = rank - 1; i >= 0; i--) {
        dim[i] = result.dim[i];
        step[i] = operand.dim[i] == 1 ? 0 : dense;
        dense *= operand.dim[i];
    }
}

int64_t Broadcast::operator()(int64_t index) const {
    int64_t at = 0;
    for (int i = rank - 1; i >= 0; i--) {
        at += index % dim[i] * step[i];
        index /= dim[i];
    }
    return at;
}

}  // namespace cudnn
