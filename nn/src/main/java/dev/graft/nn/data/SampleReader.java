package dev.graft.nn.data;

import dev.graft.nn.data.image.BrokenImageException;
import dev.graft.nn.data.image.RgbImage;
import dev.graft.nn.data.image.SampleRandom;
import dev.graft.nn.data.image.Transforms;
import dev.graft.tensor.GraftException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * Makes single samples: decodes, transforms, normalises. Images after the pipeline's fixed first steps are kept as bytes as
 * long as memory allows; which of them fit depends on the order of work, the results do not.
 */
final class SampleReader {
    private final Dataset data;
    private final Transforms transforms;
    private final long seed;
    private final long cacheLimit;
    private final AtomicLong cacheUsed = new AtomicLong();
    private final AtomicReferenceArray<RgbImage> cache;
    private volatile int[] size;

    SampleReader(Dataset data, Transforms transforms, long seed, long cacheLimit) {
        this.data = data;
        this.transforms = transforms;
        this.seed = seed;
        this.cacheLimit = cacheLimit;
        cache = cacheLimit == 0 ? null : new AtomicReferenceArray<>(data.size());
        size = transforms.outputSize();
    }

    /** The size [H, W] of every sample; where the pipeline leaves it open, that of the first image that can be read. */
    int[] size() {
        for (int i = 0; size == null && i < data.size(); i++) {
            try {
                RgbImage first = augmented(i, 0);
                size = new int[] {first.height(), first.width()};
            } catch (BrokenImageException e) {
                if (i == data.size() - 1) {
                    throw e;
                }
            }
        }
        return size;
    }

    int floatsPerSample() {
        long floats = (long) size()[0] * size()[1] * transforms.channels();
        return (int) Math.min(Integer.MAX_VALUE, floats);
    }

    /** Writes the sample's [H, W, C] floats to {@code out} from {@code offset} on. */
    void read(int index, int epoch, float[] out, int offset) {
        RgbImage image = augmented(index, epoch);
        if (image.height() != size[0] || image.width() != size[1]) {
            throw new GraftException("Image " + data.name(index) + " is [" + image.height() + ", " + image.width()
                    + "] after the transforms, the batch has [" + size[0] + ", " + size[1]
                    + "]: add ResizeExact, CenterCrop or a random crop, which give all images one size.");
        }
        transforms.normalize(image, out, offset);
    }

    private RgbImage augmented(int index, int epoch) {
        return transforms.augment(prepared(index), SampleRandom.of(seed, epoch, index));
    }

    private RgbImage prepared(int index) {
        RgbImage image = cache == null ? null : cache.get(index);
        if (image != null) {
            return image;
        }
        RgbImage original = data.image(index);
        image = transforms.prepare(original);
        boolean isCopy = !(data.inMemory() && image == original);
        if (cache != null && isCopy && reserve(image.pixels().length) && !cache.compareAndSet(index, null, image)) {
            cacheUsed.addAndGet(-image.pixels().length); // another worker was first
        }
        return image;
    }

    private boolean reserve(long bytes) {
        long used = cacheUsed.get();
        while (used + bytes <= cacheLimit) {
            long seen = cacheUsed.compareAndExchange(used, used + bytes);
            if (seen == used) {
                return true;
            }
            used = seen;
        }
        return false;
    }

    long cachedBytes() {
        return cacheUsed.get();
    }
}
