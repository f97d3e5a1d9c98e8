package dev.graft.pretrained.vision;

import dev.graft.nn.Activation;
import dev.graft.nn.AdaptiveAvgPool2d;
import dev.graft.nn.BatchNorm2d;
import dev.graft.nn.Conv2d;
import dev.graft.nn.ConvSpec;
import dev.graft.nn.Dropout;
import dev.graft.nn.Flatten;
import dev.graft.nn.Init;
import dev.graft.nn.Linear;
import dev.graft.nn.Module;
import dev.graft.nn.Padding;
import dev.graft.nn.Sequential;
import dev.graft.nn.transfer.Stage;
import dev.graft.nn.transfer.StagedNetwork;
import dev.graft.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381) as in torchvision. Input [N, 224, 224, 3], output [N, classes].
 * Weights that come from TensorFlow want its asymmetric "same" padding.
 */
public final class MobileNetV2 extends StagedNetwork {
    private static final int LAST = 1280;
    /** Expansion, output channels, repeats, stride of the first. */
    private static final int[][] BLOCKS = {
        {1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};

    private final boolean same;
    private final Sequential features = new Sequential();
    private final AdaptiveAvgPool2d pool = new AdaptiveAvgPool2d(1, 1);
    private final Flatten flatten = new Flatten();
    private final Sequential classifier;
    private int classes;

    /** @param same TensorFlow's padding instead of PyTorch's */
    public MobileNetV2(int classes, boolean same) {
        this.same = same;
        features.add(convBn(3, 32, 3, 2, 1, true));
        int in = 32;
        for (int[] b : BLOCKS) {
            for (int i = 0; i < b[2]; i++) {
                features.add(new InvertedResidual(in, b[1], i == 0 ? b[3] : 1, b[0]));
                in = b[1];
            }
        }
        features.add(convBn(in, LAST, 1, 1, 1, true));
        child("features", features);
        classifier = child("classifier", new Sequential(new Dropout(0.2), newHead(classes)));
    }

    private Sequential convBn(int in, int out, int kernel, int stride, int groups, boolean relu6) {
        ConvSpec spec = ConvSpec.DEFAULT.stride(stride).groups(groups).bias(false).init(Init.kaimingNormalFanOut());
        spec = same ? spec.padding(Padding.TF_SAME) : spec.padding(kernel / 2);
        Sequential s = new Sequential(new Conv2d(in, out, kernel, spec), new BatchNorm2d(out));
        if (relu6) {
            s.add(Activation.relu6());
        }
        return s;
    }

    @Override
    protected List<Stage> chain() {
        List<Stage> s = new ArrayList<>();
        for (int i = 0; i < features.size(); i++) {
            int at = i;
            s.add(Stage.of("features." + i, "features." + i, x -> features.call(x, at, at + 1)));
        }
        s.add(Stage.of("pool", "", x -> flatten.call(pool.call(x))));
        s.add(Stage.of("classifier", "classifier", classifier::call));
        return s;
    }

    @Override
    public String headPath() {
        return "classifier.1";
    }

    @Override
    protected Module newHead(int classes) {
        this.classes = classes;
        return new Linear(LAST, classes);
    }

    @Override
    public int classes() {
        return classes;
    }

    /** 1x1 expansion, 3x3 depthwise, 1x1 projection without activation; added to the input where shapes allow. */
    private final class InvertedResidual extends Module {
        private final Sequential conv = new Sequential();
        private final boolean residual;

        InvertedResidual(int in, int out, int stride, int expand) {
            int hidden = in * expand;
            if (expand != 1) {
                conv.add(convBn(in, hidden, 1, 1, 1, true));
            }
            conv.add(convBn(hidden, hidden, 3, stride, hidden, true));
            conv.add(new Conv2d(hidden, out, 1,
                    ConvSpec.DEFAULT.bias(false).init(Init.kaimingNormalFanOut())));
            conv.add(new BatchNorm2d(out));
            child("conv", conv);
            residual = stride == 1 && in == out;
        }

        @Override
        protected Tensor forward(Tensor x) {
            return residual ? conv.callAdd(x, x) : conv.call(x);
        }
    }
}
