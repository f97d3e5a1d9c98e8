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
import dev.graft.nn.MaxPool2d;
import dev.graft.nn.Module;
import dev.graft.nn.Sequential;
import dev.graft.nn.transfer.Stage;
import dev.graft.nn.transfer.StagedNetwork;
import java.util.ArrayList;
import java.util.List;

/**
 * VGG (Simonyan and Zisserman 2014, arXiv:1409.1556), with or without batch norm, as in torchvision. Input [N, 224, 224,
 * 3], output [N, classes].
 */
public final class Vgg extends StagedNetwork {
    private static final int[] WIDTHS = {64, 128, 256, 512, 512};
    private static final int HIDDEN = 4096;

    private final Sequential features = new Sequential();
    private final AdaptiveAvgPool2d avgpool = new AdaptiveAvgPool2d(7, 7);
    private final Flatten flatten = new Flatten();
    private final Sequential classifier;
    /** Where each of the five blocks ends in {@code features}. */
    private final int[] ends = new int[5];
    private int classes;

    /** @param convs convolutions of the five blocks, such as 2, 2, 3, 3, 3 for VGG-16 */
    public Vgg(boolean batchNorm, int classes, int... convs) {
        this.classes = classes;
        int in = 3;
        for (int block = 0; block < 5; block++) {
            for (int i = 0; i < convs[block]; i++) {
                features.add(new Conv2d(in, WIDTHS[block], 3,
                        ConvSpec.DEFAULT.padding(1).init(Init.kaimingNormalFanOut())));
                in = WIDTHS[block];
                if (batchNorm) {
                    features.add(new BatchNorm2d(in));
                }
                features.add(Activation.relu());
            }
            features.add(new MaxPool2d(2, 2, 0));
            ends[block] = features.size();
        }
        child("features", features);
        classifier = child("classifier", new Sequential(
                new Linear(512 * 7 * 7, HIDDEN), Activation.relu(), new Dropout(0.5),
                new Linear(HIDDEN, HIDDEN), Activation.relu(), new Dropout(0.5),
                newHead(classes)));
    }

    @Override
    protected List<Stage> chain() {
        List<Stage> s = new ArrayList<>();
        int from = 0;
        for (int block = 0; block < 5; block++) {
            int a = from;
            int b = ends[block];
            s.add(Stage.of("block" + (block + 1), range("features.", a, b), x -> features.call(x, a, b)));
            from = b;
        }
        s.add(Stage.of("pool", "", x -> flatten.call(avgpool.call(x))));
        s.add(Stage.of("classifier.0", range("classifier.", 0, 3), x -> classifier.call(x, 0, 3)));
        s.add(Stage.of("classifier.3", range("classifier.", 3, 6), x -> classifier.call(x, 3, 6)));
        s.add(Stage.of("classifier.6", "classifier.6", x -> classifier.call(x, 6, 7)));
        return s;
    }

    private static String range(String prefix, int from, int to) {
        List<String> names = new ArrayList<>();
        for (int i = from; i < to; i++) {
            names.add(prefix + i);
        }
        return String.join(",", names);
    }

    @Override
    public String headPath() {
        return "classifier.6";
    }

    @Override
    protected Module newHead(int classes) {
        this.classes = classes;
        return new Linear(HIDDEN, classes);
    }

    @Override
    public int classes() {
        return classes;
    }
}
