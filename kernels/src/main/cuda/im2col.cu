// Convolution as a matrix product: columns of the input's windows, and back; margins around images.
// T: element type.  V: elements per access along the channels.  Images are [N, H, W, C].

typedef acc_t<T> A;

struct Window {
    int h, w, channels;               // the image; channels of all groups
    int outH, outW;
    int kH, kW;
    int strideH, strideW, padTop, padLeft, dilationH, dilationW;
    int groups;
};

/** columns [images * outH * outW, groups, kH, kW, channels / groups] of x. */
extern "C" __global__ void im2col(const T *x, T *columns, Window s, long long total) {
    const int packs = s.channels / s.groups / V;
    GRID_STRIDE(i, total) {
        i64 r = i;
        int c = (int) (r % packs);
        r /= packs;
        int kw = (int) (r % s.kW);
        r /= s.kW;
        int kh = (int) (r % s.kH);
        r /= s.kH;
        int g = (int) (r % s.groups);
        r /= s.groups;
        int ow = (int) (r % s.outW);
        r /= s.outW;
        int oh = (int) (r % s.outH);
        i64 n = r / s.outH;
        int ih = oh * s.strideH - s.padTop + kh * s.dilationH;
        int iw = ow * s.strideW - s.padLeft + kw * s.dilationW;
        Vec<T, V> v;
        if (ih >= 0 && ih < s.h && iw >= 0 && iw < s.w) {
            v = load_vec<V>(x, ((n * s.h + ih) * s.w + iw) * (s.channels / V) + (i64) g * packs + c);
        } else {
#pragma unroll
            for (int k = 0; k < V; k++) v.v[k] = from_acc<T>((A) 0);
        }
        store_vec<V>(columns, i, v);
    }
}

/**
 * dx from the gradients of its columns, which are in the type that is added up in: every element gathers its windows, always
 * in the same order.
 */
extern "C" __global__ void col2im(const A *columns, T *dx, Window s, long long total) {
    const int each = s.channels / s.groups;
    GRID_STRIDE(i, total) {
        i64 r = i;
        int c = (int) (r % s.channels);
        r /= s.channels;
        int iw = (int) (r % s.w);
        r /= s.w;
        int ih = (int) (r % s.h);
        i64 n = r / s.h;
        int g = c / each;
        A sum = 0;
        for (int kh = 0; kh < s.kH; kh++) {
            int dh = ih + s.padTop - kh * s.dilationH;
            int oh = dh / s.strideH;
            if (dh < 0 || oh * s.strideH != dh || oh >= s.outH) continue;
            for (int kw = 0; kw < s.kW; kw++) {
                int dw = iw + s.padLeft - kw * s.dilationW;
                int ow = dw / s.strideW;
                if (dw < 0 || ow * s.strideW != dw || ow >= s.outW) continue;
                i64 row = (n * s.outH + oh) * s.outW + ow;
                sum += columns[(((row * s.groups + g) * s.kH + kh) * s.kW + kw) * each + (c - g * each)];
            }
        }
        dx[i] = from_acc<T>(sum);
    }
}

/** to [n, toH, toW, c] from [n, fromH, fromW, c], moved down by top and right by left (negative: cut); zero elsewhere. */
extern "C" __global__ void shift(const T *from, T *to, int fromH, int fromW, int toH, int toW, int top, int left, int packs,
                                 long long total) {
    GRID_STRIDE(i, total) {
        i64 r = i;
        int c = (int) (r % packs);
        r /= packs;
        int w = (int) (r % toW) - left;
        r /= toW;
        int h = (int) (r % toH) - top;
        i64 n = r / toH;
        Vec<T, V> v;
        if (h >= 0 && h < fromH && w >= 0 && w < fromW) {
            v = load_vec<V>(from, ((n * fromH + h) * fromW + w) * packs + c);
        } else {
#pragma unroll
            for (int k = 0; k < V; k++) v.v[k] = from_acc<T>((A) 0);
        }
        store_vec<V>(to, i, v);
    }
}

/** Sums in their own type to T. */
extern "C" __global__ void narrow(const A *from, T *to, long long total) {
    GRID_STRIDE(i, total) to[i] = from_acc<T>(from[i]);
}
