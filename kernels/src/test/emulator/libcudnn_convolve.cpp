// A stand-in for libcudnn.so.9: the arithmetic of convolutions.
#include "cudnn_stand_in.h"
#include "matmul.h"

namespace cudnn {

namespace {

/// Everything about one image and one group that the loops below need; data is dense [N][D][H][W][C] and [K][T][R][S][C/g].
template <class A> struct Patches {
    const Problem &p;
    int64_t channels, perGroup, taps, depth, places; // depth = taps * perGroup, places = output positions of one image
    int64_t in[3], kernel[3], out[3];

    explicit Patches(const Problem &problem) : p(problem) {
        channels = p.x.dim[1];
        perGroup = p.w.dim[1];
        taps = places = 1;
        for (int i = 0; i < 3; i++) {
            in[i] = p.x.dim[2 + i];
            kernel[i] = p.w.dim[2 + i];
            out[i] = p.y.dim[2 + i];
            taps *= kernel[i];
            places *= out[i];
        }
        depth = taps * perGroup;
    }

    /// inner(place, tap, offset of the first channel in the image) for each tap that falls inside the image.
    template <class F> void each(const F &inner) const {
        int64_t place = 0;
        for (int64_t o = 0; o < out[0]; o++)
            for (int64_t h = 0; h < out[1]; h++)
                for (int64_t w = 0; w < out[2]; w++, place++) {
                    int64_t tap = 0;
                    for (int64_t t = 0; t < kernel[0]; t++)
                        for (int64_t r = 0; r < kernel[1]; r++)
                            for (int64_t s = 0; s < kernel[2]; s++, tap++) {
                                int64_t d = o * p.stride[0] - p.pad[0] + t * p.dilation[0];
                                int64_t y = h * p.stride[1] - p.pad[1] + r * p.dilation[1];
                                int64_t x = w * p.stride[2] - p.pad[2] + s * p.dilation[2];
                                if (d >= 0 && d < in[0] && y >= 0 && y < in[1] && x >= 0 && x < in[2])
                                    inner(place, tap, ((d * in[1] + y) * in[2] + x) * channels);
                            }
                }
    }

    /// Whether the patches are the image itself, row by row.
    bool identity() const {
        bool same = taps == 1 && p.groups == 1;
        for (int i = 0; i < 3; i++) same &= p.stride[i] == 1 && p.pad[i] == 0 && in[i] == out[i];
        return same;
    }

    /// The patch of each output place as a row [taps][perGroup].
    std::vector<A> gather(const A *image, int64_t group) const {
        std::vector<A> rows(size_t(places * depth));
        each([&](int64_t place, int64_t tap, int64_t at) {
            std::copy_n(image + at + group * perGroup, perGroup, rows.data() + place * depth + tap * perGroup);
        });
        return rows;
    }

    void scatter(const std::vector<A> &rows, A *image, int64_t group) const {
        each([&](int64_t place, int64_t tap, int64_t at) {
            const A *from = rows.data() + place * depth + tap * perGroup;
            A *to = image + at + group * perGroup;
            for (int64_t c = 0; c < perGroup; c++) to[c] += from[c];
        });
    }
};

template <class A> A rounded(double v, Rounding rounding) {
    switch (rounding) {
        case Rounding::tf32: return A(round_tf32(float(v)));
        case Rounding::half: return A(to_float(round_half(float(v))));
        default: return A(v);
    }
}

/// Calls inner(offset in memory, dense index) for each place of each image; channels lie t.stride[1] apart.
template <class F> void eachPlace(const Tensor &t, const F &inner) {
    int64_t index = 0;
    for (int64_t n = 0; n < t.dim[0]; n++)
        for (int64_t d = 0; d < t.dim[2]; d++)
            for (int64_t h = 0; h < t.dim[3]; h++)
                for (int64_t w = 0; w < t.dim[4]; w++, index += t.dim[1])
                    inner(n * t.stride[0] + d * t.stride[2] + h * t.stride[3] + w * t.stride[4], index);
}

template <class A, class T> void readAs(const Tensor &t, const void *data, Rounding rounding, std::vector<A> &to) {
    const T *from = static_cast<const T *>(data);
    int64_t channels = t.dim[1], step = t.stride[1];
    eachPlace(t, [&](int64_t offset, int64_t index) {
        A *row = to.data() + index;
        for (int64_t c = 0; c < channels; c++) row[c] = widen<A>(from[offset + c * step]);
        if (rounding != Rounding::none)
            for (int64_t c = 0; c < channels; c++) row[c] = rounded<A>(row[c], rounding);
    });
}

template <class A, class T> void writeAs(const Result &to, const std::vector<A> &from) {
    T *data = static_cast<T *>(to.data);
    int64_t channels = to.desc.dim[1], step = to.desc.stride[1];
    A alpha = A(to.alpha), beta = A(to.beta);
    eachPlace(to.desc, [&](int64_t offset, int64_t index) {
        for (int64_t c = 0; c < channels; c++) {
            T &cell = data[offset + c * step];
            A v = alpha * from[size_t(index + c)];
            if (beta != 0) v += beta * widen<A>(cell);
            cell = narrow<T>(v);
        }
    });
}

/// Any layout in memory -> dense [N, D, H, W, C].
template <class A> std::vector<A> read(const Operand &from, Rounding rounding) {
    std::vector<A> to(size_t(count(from.desc)));
    switch (from.desc.type) {
        case FLOAT: readAs<A, float>(from.desc, from.data, rounding, to); break;
        case DOUBLE: readAs<A, double>(from.desc, from.data, rounding, to); break;
        case HALF: readAs<A, half16>(from.desc, from.data, rounding, to); break;
        default: readAs<A, bf16>(from.desc, from.data, rounding, to);
    }
    return to;
}

template <class A> void write(const Result &to, const std::vector<A> &from) {
    switch (to.desc.type) {
        case FLOAT: return writeAs<A, float>(to, from);
        case DOUBLE: return writeAs<A, double>(to, from);
        case HALF: return writeAs<A, half16>(to, from);
        default: return writeAs<A, bf16>(to, from);
    }
}

/// A true convolution turns the kernel round in all its spatial dimensions.
template <class A> void turn(const Tensor &w, std::vector<A> &values) {
    int64_t taps = w.dim[2] * w.dim[3] * w.dim[4], c = w.dim[1];
    for (int64_t k = 0; k < w.dim[0]; k++)
        for (int64_t i = 0, j = taps - 1; i < j; i++, j--)
            std::swap_ranges(values.begin() + (k * taps + i) * c, values.begin() + (k * taps + i + 1) * c,
                    values.begin() + (k * taps + j) * c);
}

/// One channel a group: the gather and the product would be slower than the plain loop over channels.
template <class A>
void depthwise(Direction direction, const Patches<A> &patches, std::vector<A> &x, std::vector<A> &w, std::vector<A> &y,
        int64_t images) {
    int64_t c = patches.channels, taps = patches.taps;
    std::vector<A> byTap(w.size());
    if (direction != Direction::backwardFilter)
        for (int64_t k = 0; k < c; k++)
            for (int64_t t = 0; t < taps; t++) byTap[size_t(t * c + k)] = w[size_t(k * taps + t)];
    for (int64_t n = 0; n < images; n++)
        patches.each([&](int64_t place, int64_t tap, int64_t at) {
            A *xs = x.data() + n * patches.in[0] * patches.in[1] * patches.in[2] * c + at;
            A *ys = y.data() + (n * patches.places + place) * c, *ws = byTap.data() + tap * c;
            if (direction == Direction::forward)
                for (int64_t k = 0; k < c; k++) ys[k] += xs[k] * ws[k];
            else if (direction == Direction::backwardData)
                for (int64_t k = 0; k < c; k++) xs[k] += ys[k] * ws[k];
            else
                for (int64_t k = 0; k < c; k++) ws[k] += xs[k] * ys[k];
        });
    if (direction == Direction::backwardFilter)
        for (int64_t k = 0; k < c; k++)
            for (int64_t t = 0; t < taps; t++) w[size_t(k * taps + t)] = byTap[size_t(t * c + k)];
}

template <class A>
void convolveAs(Direction direction, const Problem &p, const Operand &first, const Operand &second, const Result &to) {
    bool forward = direction == Direction::forward, data = direction == Direction::backwardData;
    std::vector<A> x = data ? std::vector<A>(size_t(count(p.x))) : read<A>(first, p.rounding);
    std::vector<A> w = forward ? read<A>(second, p.rounding)
            : data             ? read<A>(first, p.rounding)
                               : std::vector<A>(size_t(count(p.w)));
    std::vector<A> y = forward ? std::vector<A>(size_t(count(p.y))) : read<A>(second, p.rounding);
    if (p.flip && (forward || data)) turn(p.w, w);

    Patches<A> patches(p);
    int64_t images = p.x.dim[0], outs = p.w.dim[0], outsPerGroup = outs / p.groups, depth = patches.depth,
            places = patches.places;
    if (patches.perGroup == 1 && outsPerGroup == 1) {
        depthwise(direction, patches, x, w, y, images);
    } else {
        bool same = patches.identity();
        for (int64_t n = 0; n < images; n++)
            for (int64_t g = 0; g < p.groups; g++) {
                A *image = x.data() + n * (count(p.x) / images);
                A *result = y.data() + n * places * outs + g * outsPerGroup;
                A *kernels = w.data() + g * outsPerGroup * depth;
                if (direction == Direction::forward) {
                    std::vector<A> gathered;
                    if (!same) gathered = patches.gather(image, g);
                    const A *rows = same ? image : gathered.data();
                    matmul<A>(
                            places, outsPerGroup, depth, [&](int64_t i, int64_t q) { return rows[i * depth + q]; },
                            [&](int64_t q, int64_t j) { return kernels[j * depth + q]; }, result, outs);
                } else if (direction == Direction::backwardData) {
                    std::vector<A> rows(size_t(places * depth));
                    matmul<A>(
                            places, depth, outsPerGroup, [&](int64_t i, int64_t q) { return result[i * outs + q]; },
                            [&](int64_t q, int64_t j) { return kernels[q * depth + j]; }, rows.data(), depth);
                    patches.scatter(rows, image, g);
                } else {
                    std::vector<A> gathered;
                    if (!same) gathered = patches.gather(image, g);
                    const A *rows = same ? image : gathered.data();
                    matmul<A>(
                            outsPerGroup, depth, places, [&](int64_t i, int64_t q) { return result[q * outs + i]; },
                            [&](int64_t q, int64_t j) { return rows[q * depth + j]; }, kernels, depth);
                }
            }
    }
    if (p.flip && direction == Direction::backwardFilter) turn(p.w, w);
    write(to, forward ? y : data ? x : w);
}

} // namespace

Tensor fiveDims(const Tensor &t) {
    if (t.rank == 5) return t;
    Tensor five = t;
    five.rank = 5;
    int missing = 5 - t.rank;
    for (int i = 4; i >= 2; i--) {
        bool there = i - missing >= 2;
        five.dim[i] = there ? t.dim[i - missing] : 1;
        five.stride[i] = there ? t.stride[i - missing] : 0;
    }
    return five;
}

void convolve(Direction direction, const Problem &p, const Operand &first, const Operand &second, const Result &to) {
    if (p.x.type == DOUBLE)
        convolveAs<double>(direction, p, first, second, to);
    else
        convolveAs<float>(direction, p, first, second, to);
}

} // namespace cudnn
