package dev.graft.cli.report;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;

/**
 * {@code result.json}: what a run was and what came out. The JSON keys are these names with underscores.
 *
 * @param model               zoo name such as {@code mobilenet_v2}
 * @param strategy            {@code scratch}, {@code features}, {@code finetune} or {@code gradual}
 * @param classes             class names in the order of the network's outputs
 * @param trainImages         number of training images
 * @param valImages           number of validation images
 * @param bestValAccuracy     highest validation accuracy of an epoch, 0 to 1: that of the saved model
 * @param bestEpoch           the epoch it was reached in, counted from 1
 * @param epochs              number of epochs trained
 * @param seconds             wall-clock time of the training
 * @param imagesPerSecond     training images seen per second
 * @param parameters          number of parameters of the network
 * @param trainableParameters number of those that were trained at the end
 * @param seed                of everything random
 */
public record RunSummary(
        @JsonProperty("model") String model,
        @JsonProperty("strategy") String strategy,
        @JsonProperty("classes") List<String> classes,
        @JsonProperty("train_images") int trainImages,
        @JsonProperty("val_images") int valImages,
        @JsonProperty("best_val_accuracy") double bestValAccuracy,
        @JsonProperty("best_epoch") int bestEpoch,
        @JsonProperty("epochs") int epochs,
        @JsonProperty("seconds") double seconds,
        @JsonProperty("images_per_second") double imagesPerSecond,
        @JsonProperty("parameters") long parameters,
        @JsonProperty("trainable_parameters") long trainableParameters,
        @JsonProperty("seed") long seed) {
    public RunSummary {
        classes = List.copyOf(classes);
    }
}
