package dev.graft.tensor.cpu;

import dev.graft.tensor.GraftException;

/**
 * Weights of a convolution in the form its kernel reads. Making them costs a pass over the weights (Winograd: four times
 * as many values), so whoever knows that weights do not change, as in frozen layers, keeps this value and passes it
 * instead of the weights. It fits any batch and image size and does not follow later changes of the weights.
 */
final class PackedWeights {
    /** How the convolution is computed. */
    enum Form {
        POINTWISE, DIRECT, WINOGRAD, DEPTHWISE
    }

    final ConvGeometry geometry;
    final Form form;
    final boolean backward;
    final MicroKernels kernels;
    final float[] data;

    PackedWeights(ConvGeometry geometry, Form form, boolean backward, MicroKernels kernels, float[] data) {
        this.geometry = geometry;
        this.form = form;
        this.backward = backward;
        this.kernels = kernels;
        this.data = data;
    }

    /** Bytes this value keeps. */
    public long bytes() {
        return 4L * data.length;
    }

    void checkFits(ConvGeometry g, boolean forBackward) {
        if (backward != forBackward || !geometry.sameKernel(g)) {
            throw new GraftException("convolution: the packed weights were made for "
                    + (backward ? "the data gradient" : "the forward pass") + " of " + geometry + ", not for "
                    + (forBackward ? "the data gradient" : "the forward pass") + " of " + g + "; pack them for it");
        }
    }
}
