package dev.graft.pretrained;

import dev.graft.nn.data.image.CenterCrop;
import dev.graft.nn.data.image.Interpolation;
import dev.graft.nn.data.image.Normalize;
import dev.graft.nn.data.image.RandomCrop;
import dev.graft.nn.data.image.RandomHorizontalFlip;
import dev.graft.nn.data.image.Resize;
import dev.graft.nn.data.image.Transforms;
import dev.graft.nn.NearestNames;
import dev.graft.tensor.GraftException;
import java.util.List;
import java.util.Locale;

/**
 * What a network's images go through, in numbers; {@link #evaluation()} and {@link #training()} are the pipelines.
 *
 * @param resize        pixels of the shorter side before the crop
 * @param crop          pixels of the square that the network sees
 * @param tie           how half a pixel is rounded where the crop cannot lie exactly in the middle
 * @param interpolation the filter of the resize
 * @param normalize     the step from bytes to floats
 * @param augmentation  how training images are varied
 */
public record Preprocessing(int resize, int crop, CenterCrop.Tie tie, Interpolation interpolation, Normalize normalize,
                            Augmentation augmentation) {
    /** Names that {@link #with(String)} takes. */
    public static final List<String> NAMES = List.of("torch", "tf");
    /** Sizes come from files too: larger ones would only exhaust the memory. */
    private static final int MAX_SIZE = 4096;

    /** How training images are varied. */
    public enum Augmentation {
        /** A random part of the image, resized, and flipped every second time: for photographs. */
        RESIZED_CROP,
        /** Shifted by up to an eighth, and flipped every second time: for small images that show mostly the object. */
        SHIFT
    }

    /** 256 to 224, bilinear, ImageNet's mean and deviation: what torchvision's weights expect. */
    public static final Preprocessing IMAGENET =
            new Preprocessing(256, 224, CenterCrop.Tie.EVEN, Interpolation.BILINEAR, Normalize.IMAGENET,
                    Augmentation.RESIZED_CROP);
    /** 32 x 32, ImageNet's mean and deviation. */
    public static final Preprocessing CIFAR =
            new Preprocessing(32, 32, CenterCrop.Tie.EVEN, Interpolation.BILINEAR, Normalize.IMAGENET, Augmentation.SHIFT);

    public Preprocessing {
        if (crop < 1 || resize < crop || resize > MAX_SIZE) {
            throw new GraftException("preprocessing: crop " + crop + " of resize " + resize
                    + " makes no sense: 1 <= crop <= resize <= " + MAX_SIZE + " must hold");
        }
        if (tie == null || interpolation == null || normalize == null || augmentation == null) {
            throw new GraftException("preprocessing: tie, interpolation, normalize and augmentation must all be given");
        }
    }

    /** With another normalisation: {@code torch} is ImageNet's mean and deviation, {@code tf} is x / 127.5 - 1. */
    public Preprocessing with(String name) {
        return with(switch (name.toLowerCase(Locale.ROOT)) {
            case "torch" -> Normalize.IMAGENET;
            case "tf" -> Normalize.MINUS_ONE_TO_ONE;
            default -> throw new GraftException("preprocess '" + name + "' is not known: use "
                    + NearestNames.of(name, NAMES, 2).getFirst() + " or leave it to the model; torch is ImageNet's mean and"
                    + " deviation, tf is x / 127.5 - 1");
        });
    }

    public Preprocessing with(Normalize n) {
        return new Preprocessing(resize, crop, tie, interpolation, n, augmentation);
    }

    public Preprocessing with(CenterCrop.Tie t) {
        return new Preprocessing(resize, crop, t, interpolation, normalize, augmentation);
    }

    /** For predictions and measurements: resize, centre crop, normalise. */
    public Transforms evaluation() {
        return Transforms.of(normalize, new Resize(resize, interpolation), new CenterCrop(crop, crop, tie));
    }

    /** For training: the same sizes, varied at random. */
    public Transforms training() {
        return switch (augmentation) {
            case RESIZED_CROP -> Transforms.trainDefault(crop, normalize);
            case SHIFT -> Transforms.of(normalize, new Resize(resize, interpolation), new CenterCrop(crop),
                    new RandomCrop(crop, crop, crop / 8, normalize.meanColour()), new RandomHorizontalFlip(0.5));
        };
    }

    @Override
    public String toString() {
        // The comparison of records is generated when it is first used; the usual two are the very objects.
        String n = normalize == Normalize.MINUS_ONE_TO_ONE ? "tf" : normalize.equals(Normalize.IMAGENET) ? "torch"
                : normalize.equals(Normalize.MINUS_ONE_TO_ONE) ? "tf" : normalize.toString();
        return "resize " + resize + " " + interpolation.name().toLowerCase(Locale.ROOT) + ", crop " + crop
                + (tie == CenterCrop.Tie.EVEN ? "" : " (half pixels up)") + ", " + n;
    }
}
