package dev.graft.nn.transfer;

import dev.graft.nn.metric.ConfusionMatrix;
import dev.graft.nn.train.TrainResult;
import java.util.List;

/**
 * How a fine-tuning run ended; the network holds the weights it speaks of.
 *
 * @param training       history, best epoch, steps
 * @param confusion      on the validation data, with the weights kept
 * @param predictions    one per validation image that could be read
 * @param cachedStages   stages whose output was computed once; 0 when none was
 * @param featureSeconds time for that, and for setting up
 * @param seconds        of the whole run
 */
public record FineTuneResult(TrainResult training, ConfusionMatrix.Result confusion, List<Prediction> predictions,
                             int cachedStages, double featureSeconds, double seconds) {
    /**
     * What the network says of one validation image.
     *
     * @param sample        its index in the validation data
     * @param label         its class
     * @param probabilities of all classes
     */
    public record Prediction(int sample, int label, float[] probabilities) {
        /** The most probable class. */
        public int predicted() {
            int best = 0;
            for (int i = 1; i < probabilities.length; i++) {
                best = probabilities[i] > probabilities[best] ? i : best;
            }
            return best;
        }
    }

    /** Share of right validation images with the weights kept. */
    public double accuracy() {
        return confusion.accuracy();
    }
}
