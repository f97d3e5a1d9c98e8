package dev.graft.cli.report;

import java.awt.image.BufferedImage;

/**
 * One validation image with what the network said about it.
 *
 * @param file        name as shown to people
 * @param actual      the true class
 * @param predicted   the class with the highest probability
 * @param probability of {@code predicted}, 0 to 1
 * @param thumbnail   small picture; null where there is none
 */
public record SamplePrediction(String file, String actual, String predicted, double probability, BufferedImage thumbnail) {
    public boolean right() {
        return actual.equals(predicted);
    }
}
