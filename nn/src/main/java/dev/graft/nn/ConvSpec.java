package dev.graft.nn;

import dev.graft.tensor.GraftException;
import dev.graft.tensor.op.ConvParams;

/**
 * How a convolution layer walks its input, in pixels, heights before widths; change a copy of {@link #DEFAULT}:
 * {@code ConvSpec.DEFAULT.stride(2).padding(1).bias(false)}.
 *
 * @param groups input and output channels are split into this many parts that do not see each other
 * @param bias   whether an output channel has an additive term
 * @param init   first values of the weights; PyTorch's unless set. With another one biases begin at zero
 */
public record ConvSpec(int strideH, int strideW, Padding padding, int dilationH, int dilationW, int groups, boolean bias,
                       Init init) {
    private static final Init PYTORCH = Init.kaimingUniform();

    /** Stride 1, no padding, no dilation, one group, with bias. */
    public static final ConvSpec DEFAULT = new ConvSpec(1, 1, Padding.NONE, 1, 1, 1, true, PYTORCH);

    public ConvSpec {
        if (strideH < 1 || strideW < 1 || dilationH < 1 || dilationW < 1 || groups < 1) {
            throw new GraftException("convolution: stride " + strideH + "x" + strideW + ", dilation " + dilationH + "x"
                    + dilationW + " and groups " + groups + " must be positive");
        }
        if (padding instanceof Padding.Same && (strideH > 1 || strideW > 1)) {
            throw new GraftException("convolution: padding SAME is for stride 1, got " + strideH + "x" + strideW
                    + ": use Padding.TF_SAME or numbers");
        }
    }

    public ConvSpec stride(int s) {
        return stride(s, s);
    }

    public ConvSpec stride(int h, int w) {
        return new ConvSpec(h, w, padding, dilationH, dilationW, groups, bias, init);
    }

    public ConvSpec padding(int p) {
        return padding(Padding.of(p));
    }

    public ConvSpec padding(Padding p) {
        return new ConvSpec(strideH, strideW, p, dilationH, dilationW, groups, bias, init);
    }

    public ConvSpec dilation(int d) {
        return dilation(d, d);
    }

    public ConvSpec dilation(int h, int w) {
        return new ConvSpec(strideH, strideW, padding, h, w, groups, bias, init);
    }

    public ConvSpec groups(int g) {
        return new ConvSpec(strideH, strideW, padding, dilationH, dilationW, g, bias, init);
    }

    public ConvSpec bias(boolean on) {
        return new ConvSpec(strideH, strideW, padding, dilationH, dilationW, groups, on, init);
    }

    public ConvSpec init(Init i) {
        return new ConvSpec(strideH, strideW, padding, dilationH, dilationW, groups, bias, i);
    }

    /** First values of the biases of a layer with weights [O, ..., I] of this fan-in. */
    Init biasInit(int fanIn) {
        return init == PYTORCH ? Init.fanInUniform(fanIn) : Init.zeros();
    }

    /** Throws when channels cannot be split into the groups. */
    void check(String layer, int in, int out, int kernelH, int kernelW) {
        if (in < 1 || out < 1 || kernelH < 1 || kernelW < 1) {
            throw new GraftException(layer + ": " + in + " to " + out + " channels with kernel " + kernelH + "x" + kernelW
                    + ": all must be positive");
        }
        if (in % groups != 0 || out % groups != 0) {
            throw new GraftException(layer + ": " + in + " to " + out + " channels cannot be split into " + groups
                    + " groups: both must be multiples of it");
        }
    }

    /** The op's arguments for an input of {@code h} x {@code w} pixels. */
    ConvParams params(int h, int w, int kernelH, int kernelW) {
        int[] r = padding.rows(h, kernelH, strideH, dilationH);
        int[] c = padding.columns(w, kernelW, strideW, dilationW);
        return new ConvParams(strideH, strideW, r[0], r[1], c[0], c[1], dilationH, dilationW, groups);
    }

    /** What differs from {@link #DEFAULT}, such as {@code , stride 2, padding 1}. */
    String describe() {
        StringBuilder s = new StringBuilder();
        if (strideH != 1 || strideW != 1) {
            s.append(", stride ").append(strideH == strideW ? "" + strideH : strideH + "x" + strideW);
        }
        if (!padding.equals(Padding.NONE)) {
            s.append(", padding ").append(padding);
        }
        if (dilationH != 1 || dilationW != 1) {
            s.append(", dilation ").append(dilationH == dilationW ? "" + dilationH : dilationH + "x" + dilationW);
        }
        if (groups != 1) {
            s.append(", groups ").append(groups);
        }
        return s.append(bias ? "" : ", no bias").toString();
    }
}
