package dev.graft.pretrained.vision;

import dev.graft.nn.Activation;
import dev.graft.nn.AdaptiveAvgPool2d;
import dev.graft.nn.BatchNorm2d;
import dev.graft.nn.Conv2d;
import dev.graft.nn.ConvSpec;
import dev.graft.nn.Flatten;
import dev.graft.nn.Fused;
import dev.graft.nn.Init;
import dev.graft.nn.Linear;
import dev.graft.nn.Module;
import dev.graft.nn.Sequential;
import dev.graft.nn.transfer.Stage;
import dev.graft.nn.transfer.StagedNetwork;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Tensor;
import java.util.List;

/**
 * The ResNets of He et al. 2015, section 4.2, for CIFAR-10: 6n+2 layers of 16, 32 and 64 channels, with shortcuts of
 * option A (subsampling and zero channels, no parameters). Input [N, 32, 32, 3], output [N, classes].
 */
public final class CifarResNet extends StagedNetwork {
    private static final int FEATURES = 64;

    private final Conv2d conv1;
    private final BatchNorm2d bn1;
    private final Activation relu = Activation.relu();
    private final Sequential layer1;
    private final Sequential layer2;
    private final Sequential layer3;
    private final AdaptiveAvgPool2d pool = new AdaptiveAvgPool2d(1, 1);
    private final Flatten flatten = new Flatten();
    private Linear linear;

    /** @param depth 20, 32, 44, 56 or another 6n+2 */
    public CifarResNet(int depth, int classes) {
        if (depth < 8 || depth % 6 != 2) {
            throw new GraftException("CifarResNet: depth " + depth + " is not 6n+2: use 20, 32, 44 or 56");
        }
        int n = (depth - 2) / 6;
        conv1 = child("conv1", conv(3, 16, 1));
        bn1 = child("bn1", new BatchNorm2d(16));
        layer1 = child("layer1", layer(16, 16, n, 1));
        layer2 = child("layer2", layer(16, 32, n, 2));
        layer3 = child("layer3", layer(32, 64, n, 2));
        linear = child("linear", head(classes));
    }

    private static Conv2d conv(int in, int out, int stride) {
        return new Conv2d(in, out, 3,
                ConvSpec.DEFAULT.stride(stride).padding(1).bias(false).init(Init.kaimingNormal()));
    }

    private Linear head(int classes) {
        return new Linear(FEATURES, classes);
    }

    private Sequential layer(int in, int out, int blocks, int stride) {
        Sequential s = new Sequential();
        for (int i = 0; i < blocks; i++) {
            s.add(new Block(i == 0 ? in : out, out, i == 0 ? stride : 1));
        }
        return s;
    }

    @Override
    protected List<Stage> chain() {
        return List.of(
                Stage.of("stem", "conv1,bn1", x -> Fused.convBn(conv1, bn1, relu, null, x)),
                Stage.of("layer1", "layer1", layer1::call),
                Stage.of("layer2", "layer2", layer2::call),
                Stage.of("layer3", "layer3", layer3::call),
                Stage.of("pool", "", x -> flatten.call(pool.call(x))),
                Stage.of("linear", "linear", x -> linear.call(x)));
    }

    @Override
    public String headPath() {
        return "linear";
    }

    @Override
    protected Module newHead(int classes) {
        return head(classes);
    }

    @Override
    protected void replaced(String name, Module old, Module replacement) {
        if (name.equals("linear")) {
            linear = (Linear) replacement;
        }
    }

    @Override
    public int classes() {
        return linear.outFeatures();
    }

    private final class Block extends Module {
        private final Conv2d conv1;
        private final BatchNorm2d bn1;
        private final Conv2d conv2;
        private final BatchNorm2d bn2;
        private final int added;

        Block(int in, int out, int stride) {
            conv1 = child("conv1", conv(in, out, stride));
            bn1 = child("bn1", new BatchNorm2d(out));
            conv2 = child("conv2", conv(out, out, 1));
            bn2 = child("bn2", new BatchNorm2d(out));
            added = out - in;
        }

        @Override
        protected Tensor forward(Tensor x) {
            return Fused.convBn(conv2, bn2, relu, shortcut(x), Fused.convBn(conv1, bn1, relu, null, x));
        }

        /** Every second pixel, and zeros for half of the new channels before and half after the old ones. */
        private Tensor shortcut(Tensor x) {
            if (added == 0) {
                return x;
            }
            int[] step = {1, 2, 2, 1};
            return x.slice(new int[4], x.shape().dims(), step)
                    .pad(new int[] {0, 0, 0, added / 2}, new int[] {0, 0, 0, added / 2}, 0);
        }
    }
}
