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
import dev.graft.nn.MaxPool2d;
import dev.graft.nn.Module;
import dev.graft.nn.Sequential;
import dev.graft.nn.transfer.Stage;
import dev.graft.nn.transfer.StagedNetwork;
import dev.graft.tensor.Tensor;
import java.util.List;

/**
 * ResNet (He et al. 2015, arXiv:1512.03385) as in torchvision: the stride of a bottleneck sits on its 3x3 convolution
 * ("v1.5"). Input [N, 224, 224, 3], output [N, classes].
 */
public final class ResNet extends StagedNetwork {
    private static final int[] WIDTHS = {64, 128, 256, 512};

    private final boolean bottleneck;
    private final Conv2d conv1;
    private final BatchNorm2d bn1;
    private final Activation relu = Activation.relu();
    private final MaxPool2d maxpool = new MaxPool2d(3, 2, 1);
    private final Sequential[] layers = new Sequential[4];
    private final AdaptiveAvgPool2d avgpool = new AdaptiveAvgPool2d(1, 1);
    private final Flatten flatten = new Flatten();
    private Linear fc;
    private int channels = 64;

    /** @param blocks residual blocks of the four layers, such as 3, 4, 6, 3 */
    public ResNet(boolean bottleneck, int classes, int... blocks) {
        this.bottleneck = bottleneck;
        conv1 = child("conv1", conv(3, 64, 7, 2));
        bn1 = child("bn1", new BatchNorm2d(64));
        for (int i = 0; i < 4; i++) {
            layers[i] = child("layer" + (i + 1), layer(WIDTHS[i], blocks[i], i == 0 ? 1 : 2));
        }
        fc = child("fc", new Linear(channels, classes));
    }

    private static Conv2d conv(int in, int out, int kernel, int stride) {
        return new Conv2d(in, out, kernel,
                ConvSpec.DEFAULT.stride(stride).padding(kernel / 2).bias(false).init(Init.kaimingNormalFanOut()));
    }

    private Sequential layer(int width, int blocks, int stride) {
        Sequential s = new Sequential();
        for (int i = 0; i < blocks; i++) {
            s.add(new Block(channels, width, i == 0 ? stride : 1));
            channels = width * (bottleneck ? 4 : 1);
        }
        return s;
    }

    @Override
    protected List<Stage> chain() {
        return List.of(
                Stage.of("stem", "conv1,bn1", x -> maxpool.call(Fused.convBn(conv1, bn1, relu, null, x))),
                Stage.of("layer1", "layer1", layers[0]::call),
                Stage.of("layer2", "layer2", layers[1]::call),
                Stage.of("layer3", "layer3", layers[2]::call),
                Stage.of("layer4", "layer4", layers[3]::call),
                Stage.of("pool", "", x -> flatten.call(avgpool.call(x))),
                Stage.of("fc", "fc", x -> fc.call(x)));
    }

    @Override
    public String headPath() {
        return "fc";
    }

    @Override
    protected Module newHead(int classes) {
        return new Linear(channels, classes);
    }

    @Override
    protected void replaced(String name, Module old, Module replacement) {
        if (name.equals("fc")) {
            fc = (Linear) replacement;
        }
    }

    @Override
    public int classes() {
        return fc.outFeatures();
    }

    /** Two 3x3 convolutions, or 1x1, 3x3, 1x1, around which the input is added. */
    private final class Block extends Module {
        private final Conv2d conv1;
        private final BatchNorm2d bn1;
        private final Conv2d conv2;
        private final BatchNorm2d bn2;
        private final Conv2d conv3;
        private final BatchNorm2d bn3;
        private final Sequential downsample;

        Block(int in, int width, int stride) {
            int out = bottleneck ? 4 * width : width;
            conv1 = child("conv1", bottleneck ? conv(in, width, 1, 1) : conv(in, width, 3, stride));
            bn1 = child("bn1", new BatchNorm2d(width));
            conv2 = child("conv2", conv(width, width, 3, bottleneck ? stride : 1));
            bn2 = child("bn2", new BatchNorm2d(width));
            conv3 = bottleneck ? child("conv3", conv(width, out, 1, 1)) : null;
            bn3 = bottleneck ? child("bn3", new BatchNorm2d(out)) : null;
            downsample = stride == 1 && in == out ? null
                    : child("downsample", new Sequential(conv(in, out, 1, stride), new BatchNorm2d(out)));
        }

        @Override
        protected Tensor forward(Tensor x) {
            Tensor shortcut = downsample == null ? x : downsample.call(x);
            Tensor y = Fused.convBn(conv1, bn1, relu, null, x);
            if (!bottleneck) {
                return Fused.convBn(conv2, bn2, relu, shortcut, y);
            }
            return Fused.convBn(conv3, bn3, relu, shortcut, Fused.convBn(conv2, bn2, relu, null, y));
        }
    }
}
