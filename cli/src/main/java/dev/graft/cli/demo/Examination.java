package dev.graft.cli.demo;

import dev.graft.nn.data.Batch;
import dev.graft.nn.data.DataLoader;
import dev.graft.nn.data.Dataset;
import dev.graft.nn.data.LoaderOptions;
import dev.graft.nn.data.image.Transforms;
import dev.graft.nn.transfer.FineTuneResult.Prediction;
import dev.graft.nn.Module;
import dev.graft.tensor.Context;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * What a network says of images whose classes are known.
 *
 * @param counts      {@code counts[actual][predicted]}
 * @param predictions one per image, in the data set's order
 */
public record Examination(int[][] counts, List<Prediction> predictions) {
    private static final int BATCH = 100;

    static Examination of(Module net, Dataset data, Transforms transforms) {
        int classes = data.classes().size();
        int[][] counts = new int[classes][classes];
        List<Prediction> predictions = new ArrayList<>();
        try (DataLoader loader = new DataLoader(data, transforms, LoaderOptions.eval(BATCH));
                DataLoader.Epoch epoch = loader.epoch(0)) {
            for (Batch b : epoch) {
                try (b; Scope scope = Scope.open("examination")) {
                    Tensor x = b.images();
                    float[] all = Context.inference().call(() -> net.call(x.to(net.device())).softmax()).toFloats();
                    for (int i = 0; i < b.size(); i++) {
                        int sample = b.indices()[i];
                        Prediction p = new Prediction(sample, data.label(sample),
                                Arrays.copyOfRange(all, i * classes, (i + 1) * classes));
                        predictions.add(p);
                        counts[p.label()][p.predicted()]++;
                    }
                }
            }
        }
        return new Examination(counts, predictions);
    }

    /** Share of images whose class is right. */
    double accuracy() {
        return predictions.stream().mapToDouble(p -> p.predicted() == p.label() ? 1 : 0).average().orElse(Double.NaN);
    }
}
