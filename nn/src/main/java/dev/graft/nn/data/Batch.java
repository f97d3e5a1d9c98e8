package dev.graft.nn.data;

import dev.graft.tensor.DType;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import java.util.function.Consumer;

/**
 * Some samples, ready for a network: plain arrays, so that worker threads never touch tensors. {@link #close()} hands the
 * pixels' array back for a later batch; without it the array is garbage like any other.
 */
public final class Batch implements AutoCloseable {
    private final int epoch;
    private final int position;
    private final int height;
    private final int width;
    private final int channels;
    private final int[] labels;
    private final int[] indices;
    private final Consumer<float[]> recycler;
    private float[] pixels;

    Batch(int epoch, int position, int height, int width, int channels, float[] pixels, int[] labels, int[] indices,
            Consumer<float[]> recycler) {
        this.epoch = epoch;
        this.position = position;
        this.height = height;
        this.width = width;
        this.channels = channels;
        this.pixels = pixels;
        this.labels = labels;
        this.indices = indices;
        this.recycler = recycler;
    }

    /** How many samples it has: N. */
    public int size() {
        return labels.length;
    }

    public int height() {
        return height;
    }

    public int width() {
        return width;
    }

    public int channels() {
        return channels;
    }

    /** [N, H, W, C], row-major, in the first N * H * W * C places; the array may be longer. Valid until {@link #close()}. */
    public float[] pixels() {
        if (pixels == null) {
            throw new IllegalStateException("batch " + position + " of epoch " + epoch
                    + " is closed: use its pixels before");
        }
        return pixels;
    }

    /** How many floats of {@link #pixels()} belong to this batch. */
    public int pixelCount() {
        return size() * height * width * channels;
    }

    /** A new float32 tensor [N, H, W, C] in the open scope, a copy: it stays valid when this batch is closed. */
    public Tensor images() {
        return Tensor.copyOf(DType.F32, pixels(), pixelCount(), Shape.of(size(), height, width, channels));
    }

    /** A new int32 tensor [N] of the classes in the open scope. */
    public Tensor targets() {
        return Tensor.of(labels, size());
    }

    /** [N]: the classes. */
    public int[] labels() {
        return labels;
    }

    /** [N]: which samples of the data set these are. */
    public int[] indices() {
        return indices;
    }

    public int epoch() {
        return epoch;
    }

    /** Its number in the epoch, from 0; {@code loader.epoch(epoch(), position() + 1)} goes on behind it. */
    public int position() {
        return position;
    }

    @Override
    public void close() {
        float[] buffer = pixels;
        pixels = null;
        if (buffer != null) {
            recycler.accept(buffer);
        }
    }

    @Override
    public String toString() {
        return "Batch[epoch " + epoch + ", position " + position + ", [" + size() + ", " + height + ", "
                + width + ", " + channels + "]]";
    }
}
