package dev.graft.nn.train;

import dev.graft.tensor.GraftException;
import java.nio.file.Path;

/**
 * When and where a trainer saves.
 *
 * @param folder      receives {@code checkpoint-STEP.safetensors}
 * @param everyEpochs also after the last epoch; 0 for never
 * @param everySteps  within epochs; 0 for never
 * @param keep        newest checkpoints to keep; older ones are deleted only when a newer one is complete
 */
public record CheckpointPolicy(Path folder, int everyEpochs, int everySteps, int keep) {
    public CheckpointPolicy {
        if (folder == null || everyEpochs < 0 || everySteps < 0 || keep < 1) {
            throw new GraftException("checkpoints: a folder, counts from 0 on and at least 1 to keep are needed, got "
                    + folder + ", every " + everyEpochs + " epochs, every " + everySteps + " steps, keep " + keep);
        }
    }

    /** After every epoch; keeps two. */
    public CheckpointPolicy(Path folder) {
        this(folder, 1, 0, 2);
    }

    public CheckpointPolicy withEverySteps(int steps) {
        return new CheckpointPolicy(folder, everyEpochs, steps, keep);
    }
}
