package dev.graft.kernels.emulator;

/** A convolution by its definition, in double, over dense [N, H, W, C] images and [O, kH, kW, C/groups] filters. */
record NaiveConv(int n, int h, int w, int c, int o, int kH, int kW, int top, int left, int bottom, int right, int stride,
        int dilation, int groups) {
    NaiveConv(int n, int h, int w, int c, int o, int k, int pad, int stride, int dilation, int groups) {
        this(n, h, w, c, o, k, k, pad, pad, pad, pad, stride, dilation, groups);
    }

    int outH() {
        return (h + top + bottom - (kH - 1) * dilation - 1) / stride + 1;
    }

    int outW() {
        return (w + left + right - (kW - 1) * dilation - 1) / stride + 1;
    }

    int sizeX() {
        return n * h * w * c;
    }

    int sizeW() {
        return o * kH * kW * (c / groups);
    }

    int sizeY() {
        return n * outH() * outW() * o;
    }

    private interface Term {
        void add(int x, int w, int y);
    }

    /** Each product of an element of x and one of w, and the element of y it belongs to. */
    private void each(Term term) {
        for (int i = 0; i < n; i++) {
            for (int p = 0; p < outH(); p++) {
                for (int q = 0; q < outW(); q++) {
                    for (int k = 0; k < o; k++) {
                        for (int r = 0; r < kH; r++) {
                            for (int s = 0; s < kW; s++) {
                                int y = p * stride - top + r * dilation;
                                int x = q * stride - left + s * dilation;
                                if (y < 0 || y >= h || x < 0 || x >= w) {
                                    continue;
                                }
                                int first = k / (o / groups) * (c / groups);
                                for (int d = 0; d < c / groups; d++) {
                                    term.add(((i * h + y) * w + x) * c + first + d,
                                            ((k * kH + r) * kW + s) * (c / groups) + d,
                                            ((i * outH() + p) * outW() + q) * o + k);
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    double[] forward(double[] x, double[] weights) {
        double[] out = new double[sizeY()];
        each((a, b, y) -> out[y] += x[a] * weights[b]);
        return out;
    }

    double[] backwardData(double[] weights, double[] dy) {
        double[] out = new double[sizeX()];
        each((a, b, y) -> out[a] += weights[b] * dy[y]);
        return out;
    }

    double[] backwardFilter(double[] x, double[] dy) {
        double[] out = new double[sizeW()];
        each((a, b, y) -> out[b] += x[a] * dy[y]);
        return out;
    }

    /** [N, places, C] -> [N, C, places]. */
    static double[] channelsFirst(double[] from, int n, int places, int c) {
        double[] to = new double[from.length];
        for (int i = 0; i < n; i++) {
            for (int p = 0; p < places; p++) {
                for (int d = 0; d < c; d++) {
                    to[(i * c + d) * places + p] = from[(i * places + p) * c + d];
                }
            }
        }
        return to;
    }
}
