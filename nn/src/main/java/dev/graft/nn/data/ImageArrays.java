package dev.graft.nn.data;

import dev.graft.nn.data.image.RgbImage;
import dev.graft.tensor.GraftException;
import java.util.List;
import java.util.zip.CRC32;

/** Images that are in memory already: drawn by a program, or read from a format of their own. */
public record ImageArrays(List<RgbImage> images, int[] labels, List<String> classes) implements Dataset {
    public ImageArrays {
        images = List.copyOf(images);
        classes = List.copyOf(classes);
        labels = labels.clone();
        if (images.size() != labels.length) {
            throw new GraftException("ImageArrays: " + images.size() + " images came with " + labels.length
                    + " labels; every image needs one.");
        }
        for (int i = 0; i < labels.length; i++) {
            if (labels[i] < 0 || labels[i] >= classes.size()) {
                throw new GraftException("ImageArrays: image " + i + " has the label " + labels[i] + ", but with "
                        + classes.size() + " classes labels lie in 0.." + (classes.size() - 1) + ".");
            }
        }
    }

    @Override
    public int size() {
        return labels.length;
    }

    @Override
    public int[] labels() {
        return labels.clone();
    }

    @Override
    public int label(int i) {
        return labels[i];
    }

    @Override
    public RgbImage image(int i) {
        return images.get(i);
    }

    @Override
    public String name(int i) {
        return "#" + i;
    }

    @Override
    public String key(int i) {
        CRC32 crc = new CRC32();
        RgbImage image = images.get(i);
        crc.update(image.pixels());
        return "memory:" + i + ":" + image.height() + "x" + image.width() + ":" + Long.toHexString(crc.getValue());
    }

    @Override
    public boolean inMemory() {
        return true;
    }

    @Override
    public String toString() {
        return "ImageArrays[" + size() + " images, classes " + classes + "]";
    }
}
