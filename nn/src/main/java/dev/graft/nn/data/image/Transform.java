package dev.graft.nn.data.image;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import dev.graft.tensor.GraftException;

/**
 * One step from an 8-bit image to another, with torchvision's name and meaning. A transform is a value: printing it gives
 * all that decides about its result, and it goes to JSON and back.
 */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "transform")
@JsonSubTypes({@JsonSubTypes.Type(value = Resize.class, name = "Resize"),
    @JsonSubTypes.Type(value = ResizeExact.class, name = "ResizeExact"),
    @JsonSubTypes.Type(value = CenterCrop.class, name = "CenterCrop"),
    @JsonSubTypes.Type(value = RandomCrop.class, name = "RandomCrop"),
    @JsonSubTypes.Type(value = RandomResizedCrop.class, name = "RandomResizedCrop"),
    @JsonSubTypes.Type(value = RandomHorizontalFlip.class, name = "RandomHorizontalFlip"),
    @JsonSubTypes.Type(value = RandomVerticalFlip.class, name = "RandomVerticalFlip"),
    @JsonSubTypes.Type(value = ColorJitter.class, name = "ColorJitter"),
    @JsonSubTypes.Type(value = RandomGrayscale.class, name = "RandomGrayscale"),
    @JsonSubTypes.Type(value = RandomRotation.class, name = "RandomRotation"),
    @JsonSubTypes.Type(value = RandomAffine.class, name = "RandomAffine"),
    @JsonSubTypes.Type(value = RandomErasing.class, name = "RandomErasing")})
public sealed interface Transform permits Resize, ResizeExact, CenterCrop, RandomCrop, RandomResizedCrop,
        RandomHorizontalFlip, RandomVerticalFlip, ColorJitter, RandomGrayscale, RandomRotation, RandomAffine, RandomErasing {
    /** A new image, or the given one where nothing changes; the given one is never written to. */
    RgbImage apply(RgbImage image, SampleRandom random);

    /** Whether the result depends on {@code random}. */
    default boolean random() {
        return true;
    }

    /** The size [H, W] of every result, or null where it follows the input. */
    default int[] outputSize() {
        return null;
    }

    /** Refuses settings that make no sense, naming the transform. */
    static void require(boolean ok, Transform transform, String expected) {
        if (!ok) {
            throw new GraftException(transform + " makes no sense: " + expected + ".");
        }
    }
}
