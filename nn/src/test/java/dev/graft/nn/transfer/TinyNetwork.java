package dev.graft.nn.transfer;

import dev.graft.nn.Activation;
import dev.graft.nn.AdaptiveAvgPool2d;
import dev.graft.nn.BatchNorm2d;
import dev.graft.nn.Conv2d;
import dev.graft.nn.ConvSpec;
import dev.graft.nn.Dropout;
import dev.graft.nn.Flatten;
import dev.graft.nn.Linear;
import dev.graft.nn.Module;
import dev.graft.nn.Sequential;
import java.util.List;

/** Two convolutions with batch norm, dropout and a head, small enough to train in a test. Input [N, 8, 8, 3]. */
final class TinyNetwork extends StagedNetwork {
    private final Sequential first;
    private final Sequential second;
    private final AdaptiveAvgPool2d pool = new AdaptiveAvgPool2d(1, 1);
    private final Flatten flatten = new Flatten();
    private Linear head;

    TinyNetwork(int classes) {
        first = child("first", block(3, 8));
        second = child("second", block(8, 8)).add(new Dropout(0.2));
        head = child("head", new Linear(8, classes));
    }

    private static Sequential block(int in, int out) {
        return new Sequential(new Conv2d(in, out, 3, ConvSpec.DEFAULT.padding(1).bias(false)), new BatchNorm2d(out),
                Activation.relu());
    }

    @Override
    protected List<Stage> chain() {
        return List.of(Stage.of("first", "first", first::call), Stage.of("second", "second", second::call),
                Stage.of("pool", "", x -> flatten.call(pool.call(x))), Stage.of("head", "head", x -> head.call(x)));
    }

    @Override
    public String headPath() {
        return "head";
    }

    @Override
    protected Module newHead(int classes) {
        return new Linear(8, classes);
    }

    @Override
    protected void replaced(String name, Module old, Module replacement) {
        head = (Linear) replacement;
    }

    @Override
    public int classes() {
        return head.outFeatures();
    }
}
