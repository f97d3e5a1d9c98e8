package dev.graft.nn;

import dev.graft.tensor.GraftException;

/** What a convolution puts around its input: zeros, in numbers or by a rule. */
public sealed interface Padding {
    Padding NONE = of(0);
    /** PyTorch's {@code padding="same"}: the output has the input's size; stride 1 only, an odd zero goes to the end. */
    Padding SAME = new Same();
    /**
     * TensorFlow's "SAME": the output has ceil(size / stride) elements. How much that takes depends on the input's size,
     * and with a stride it is often one more at the end than at the beginning.
     */
    Padding TF_SAME = new TfSame();

    /** Zeros on each side. */
    record Explicit(int top, int bottom, int left, int right) implements Padding {
        public Explicit {
            if (top < 0 || bottom < 0 || left < 0 || right < 0) {
                throw new GraftException("padding: " + top + ", " + bottom + ", " + left + ", " + right
                        + " must not be negative: slice the input instead");
            }
        }

        @Override
        public String toString() {
            return top == bottom && left == right ? top == left ? "" + top : top + "x" + left
                    : top + "," + bottom + "," + left + "," + right;
        }
    }

    /** See {@link #SAME}. */
    record Same() implements Padding {
        @Override
        public String toString() {
            return "same";
        }
    }

    /** See {@link #TF_SAME}. */
    record TfSame() implements Padding {
        @Override
        public String toString() {
            return "tf-same";
        }
    }

    /** The same on all four sides. */
    static Padding of(int p) {
        return new Explicit(p, p, p, p);
    }

    /** {@code h} above and below, {@code w} left and right. */
    static Padding of(int h, int w) {
        return new Explicit(h, h, w, w);
    }

    static Padding of(int top, int bottom, int left, int right) {
        return new Explicit(top, bottom, left, right);
    }

    /** Rows above and below an input of height {@code h}. */
    default int[] rows(int h, int kernel, int stride, int dilation) {
        return switch (this) {
            case Explicit e -> new int[] {e.top, e.bottom};
            case Same s -> halves(dilation * (kernel - 1));
            case TfSame t -> halves(tfTotal(h, kernel, stride, dilation));
        };
    }

    /** Columns left and right of an input of width {@code w}. */
    default int[] columns(int w, int kernel, int stride, int dilation) {
        return switch (this) {
            case Explicit e -> new int[] {e.left, e.right};
            case Same s -> halves(dilation * (kernel - 1));
            case TfSame t -> halves(tfTotal(w, kernel, stride, dilation));
        };
    }

    private static int tfTotal(int size, int kernel, int stride, int dilation) {
        return Math.max(0, (Math.ceilDiv(size, stride) - 1) * stride + dilation * (kernel - 1) + 1 - size);
    }

    private static int[] halves(int total) {
        return new int[] {total / 2, total - total / 2};
    }
}
