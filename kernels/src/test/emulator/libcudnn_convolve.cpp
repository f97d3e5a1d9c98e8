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

/// [N, C, D, H, W] in dense order -> channels last.
template <class A> std::vector<A> channelsLast(const Tensor &t, const std::vector<double> &from, Rounding rounding) {
    int64_t n = t.dim[0], c = t.dim[1], places = t.dim[2] * t.dim[3] * t.dim[4];
    std::vector<A> to(from.size());
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < c; j++)
            for (int64_t q = 0; q < places; q++)
                to[size_t((i * places + q) * c + j)] = rounded<A>(from[size_t((i * c + j) * places + q)], rounding);
    return to;
}

template <class A> std::vector<double> channelsFirst(const Tensor &t, const std::vector<A> &from) {
    int64_t n = t.dim[0], c = t.dim[1], places = t.dim[2] * t.dim[3] * t.dim[4];
    std::vector<double> to(from.size());
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < c; j++)
            for (int64_t q = 0; q < places; q++)
                to[size_t((i * c + j) * places + q)] = from[size_t((i * places + q) * c + j)];
    return to;
}

/// A true convolution turns the kernel round in all its spatial dimensions, which in dense order is reading it backwards.
void turn(const Tensor &w, std::vector<double> &values) {
    int64_t taps = w.dim[2] * w.dim[3] * w.dim[4];
    for (size_t at = 0; at < values.size(); at += size_t(taps))
        std::reverse(values.begin() + at, values.begin() + at + taps);
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
std::vector<double> convolveAs(
        Direction direction, const Problem &p, const std::vector<double> &first, const std::vector<double> &second) {
    bool needsX = direction != Direction::backwardData, needsY = direction != Direction::forward;
    std::vector<A> x, w, y;
    std::vector<double> turned;
    const std::vector<double> *weights = direction == Direction::forward ? &second
            : direction == Direction::backwardData                       ? &first
                                                                         : nullptr;
    if (weights != nullptr && p.flip) {
        turned = *weights;
        turn(p.w, turned);
        weights = &turned;
    }
    x = needsX ? channelsLast<A>(p.x, first, p.rounding) : std::vector<A>(size_t(count(p.x)));
    w = weights ? channelsLast<A>(p.w, *weights, p.rounding) : std::vector<A>(size_t(count(p.w)));
    y = needsY ? channelsLast<A>(p.y, second, p.rounding) : std::vector<A>(size_t(count(p.y)));

    Patches<A> patches(p);
    int64_t images = p.x.dim[0], outs = p.w.dim[0], outsPerGroup = outs / p.groups, depth = patches.depth,
            places = patches.places;
    if (patches.perGroup == 1 && outsPerGroup == 1) {
        depthwise(direction, patches, x, w, y, images);
    } else {
        for (int64_t n = 0; n < images; n++)
            for (int64_t g = 0; g < p.groups; g++) {
                A *image = x.data() + n * (count(p.x) / images);
                A *result = y.data() + n * places * outs + g * outsPerGroup;
                A *kernels = w.data() + g * outsPerGroup * depth;
                if (direction == Direction::forward) {
                    std::vector<A> rows = patches.gather(image, g);
                    matmul<A>(
                            places, outsPerGroup, depth, [&](int64_t i, int64_t q) { return rows[size_t(i * depth + q)]; },
                            [&](int64_t q, int64_t j) { return kernels[j * depth + q]; }, result, outs);
                } else if (direction == Direction::backwardData) {
                    std::vector<A> rows(size_t(places * depth));
                    matmul<A>(
                            places, depth, outsPerGroup, [&](int64_t i, int64_t q) { return result[i * outs + q]; },
                            [&](int64_t q, int64_t j) { return kernels[q * depth + j]; }, rows.data(), depth);
                    patches.scatter(rows, image, g);
                } else {
                    std::vector<A> rows = patches.gather(image, g);
                    matmul<A>(
                            outsPerGroup, depth, places, [&](int64_t i, int64_t q) { return result[q * outs + i]; },
                            [&](int64_t q, int64_t j) { return rows[size_t(q * depth + j)]; }, kernels, depth);
                }
            }
    }
    if (direction == Direction::forward) return channelsFirst(p.y, y);
    if (direction == Direction::backwardData) return channelsFirst(p.x, x);
    std::vector<double> dw = channelsFirst(p.w, w);
    if (p.flip) turn(p.w, dw);
    return dw;
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

std::vector<double> convolve(
        Direction direction, const Problem &p, const std::vector<double> &first, const std::vector<double> &second) {
    return p.x.type == DOUBLE ? convolveAs<double>(direction, p, first, second)
                              : convolveAs<float>(direction, p, first, second);
}

std::vector<double> convolve(Direction direction, const Problem &p, const void *first, const void *second) {
    const Tensor &a = direction == Direction::backwardData ? p.w : p.x, &b = direction == Direction::forward ? p.w : p.y;
    return convolve(direction, p, load(a, first), load(b, second));
}

} // namespace cudnn
