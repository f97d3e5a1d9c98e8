package dev.graft.pretrained.vision;

import dev.graft.nn.Activation;
import dev.graft.nn.AdaptiveAvgPool2d;
import dev.graft.nn.Conv2d;
import dev.graft.nn.ConvSpec;
import dev.graft.nn.Dropout;
import dev.graft.nn.Flatten;
import dev.graft.nn.Fused;
import dev.graft.nn.Init;
import dev.graft.nn.MaxPool2d;
import dev.graft.nn.Module;
import dev.graft.nn.Sequential;
import dev.graft.nn.transfer.Stage;
import dev.graft.nn.transfer.StagedNetwork;
import dev.graft.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * SqueezeNet 1.0 and 1.1 (Iandola et al. 2016, arXiv:1602.07360) as in torchvision. The head is a 1x1 convolution whose
 * map is averaged. Input [N, 224, 224, 3], output [N, classes].
 */
public final class SqueezeNet extends StagedNetwork {
    /** Squeeze and expand channels of the eight fire modules. */
    private static final int[][] FIRES = {
        {16, 64}, {16, 64}, {32, 128}, {32, 128}, {48, 192}, {48, 192}, {64, 256}, {64, 256}};

    private final Sequential features = new Sequential();
    private final Sequential classifier;
    private final Flatten flatten = new Flatten();
    private int classes;

    /** @param v11 version 1.1: a smaller stem and earlier pooling */
    public SqueezeNet(boolean v11, int classes) {
        features.add(new Conv2d(3, v11 ? 64 : 96, v11 ? 3 : 7, ConvSpec.DEFAULT.stride(2)));
        features.add(Activation.relu());
        List<Integer> poolBefore = v11 ? List.of(0, 2, 4) : List.of(0, 3, 7);
        int in = v11 ? 64 : 96;
        for (int i = 0; i < FIRES.length; i++) {
            if (poolBefore.contains(i)) {
                features.add(new MaxPool2d(3, 2, 0).ceilMode(true));
            }
            features.add(new Fire(in, FIRES[i][0], FIRES[i][1]));
            in = 2 * FIRES[i][1];
        }
        child("features", features);
        classifier = child("classifier", new Sequential(new Dropout(0.5), newHead(classes), Activation.relu(),
                new AdaptiveAvgPool2d(1, 1)));
    }

    @Override
    protected List<Stage> chain() {
        List<Stage> s = new ArrayList<>();
        for (int i = 0; i < features.size(); ) {
            int from = i++;
            while (i < features.size() && features.get(i).parameters().isEmpty()) {
                i++; // activation and pooling belong to the layer before them
            }
            int to = i;
            s.add(Stage.of("features." + from, "features." + from, x -> features.call(x, from, to)));
        }
        s.add(Stage.of("classifier", "classifier", x -> flatten.call(classifier.call(x))));
        return s;
    }

    @Override
    public String headPath() {
        return "classifier.1";
    }

    @Override
    protected Module newHead(int classes) {
        this.classes = classes;
        return new Conv2d(512, classes, 1, ConvSpec.DEFAULT.init(Init.normal(0, 0.01)));
    }

    @Override
    public int classes() {
        return classes;
    }

    /** A 1x1 squeeze, then 1x1 and 3x3 expansions side by side. */
    private static final class Fire extends Module {
        private final Conv2d squeeze;
        private final Conv2d expand1x1;
        private final Conv2d expand3x3;
        private final Activation relu = Activation.relu();

        Fire(int in, int squeezed, int expanded) {
            squeeze = child("squeeze", new Conv2d(in, squeezed, 1, ConvSpec.DEFAULT));
            expand1x1 = child("expand1x1", new Conv2d(squeezed, expanded, 1, ConvSpec.DEFAULT));
            expand3x3 = child("expand3x3", new Conv2d(squeezed, expanded, 3, ConvSpec.DEFAULT.padding(1)));
        }

        @Override
        protected Tensor forward(Tensor x) {
            Tensor s = Fused.conv(squeeze, relu, x);
            return Tensor.concat(-1, Fused.conv(expand1x1, relu, s), Fused.conv(expand3x3, relu, s));
        }
    }
}
