package dev.graft.benchmarks.peers;

import dev.graft.benchmarks.peers.Work.Bert;
import dev.graft.benchmarks.peers.Work.Conv;
import dev.graft.benchmarks.peers.Work.Gemm;
import dev.graft.benchmarks.peers.Work.Net;
import dev.graft.benchmarks.peers.Work.Op;
import dev.graft.benchmarks.peers.Work.Pass;
import dev.graft.benchmarks.peers.Work.Task;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** All works by name: the one list that every engine shares. */
public final class Works {
    private static final Map<String, Work> ALL = new LinkedHashMap<>();

    static {
        int[][] sizes = {{512, 512, 512}, {1024, 1024, 1024}, {2048, 2048, 2048}, {2048, 768, 768}, {2048, 768, 3072},
            {2048, 3072, 768}};
        for (int[] s : sizes) {
            for (Gemm.Form f : Gemm.Form.values()) {
                add(new Gemm(f, s[0], s[2], s[1]));
            }
        }
        for (Conv c : convolutions()) {
            for (Pass p : Pass.values()) {
                add(c.with(p));
            }
        }
        for (Op.Kind k : Op.Kind.values()) {
            add(new Op(k, Pass.FORWARD));
            if (!k.isOptimizer() && k != Op.Kind.EXP) {
                add(new Op(k, Pass.BACKWARD));
                add(new Op(k, Pass.FORWARD_AND_BACKWARD));
            }
        }
        for (Task t : Task.values()) {
            add(new Net(ConvNet.resnet18(), 16, t));
            add(new Net(ConvNet.resnet50(), 8, t));
            add(new Net(ConvNet.mobilenetV2(), 16, t));
        }
        add(new Bert(12, 8, Task.INFERENCE));
        add(new Bert(12, 8, Task.FULL_STEP));
        // small ones, by which each engine's side is tested
        add(new Gemm(Gemm.Form.TN, 7, 5, 9));
        add(new Bert(1, 1, Task.INFERENCE));
        add(new Bert(1, 1, Task.FULL_STEP));
        for (Task t : Task.values()) {
            add(new Net(ConvNet.resnet18(), 2, t));
            add(new Net(ConvNet.mobilenetV2(), 2, t));
        }
        for (Pass p : Pass.values()) {
            add(new Conv(2, 9, 8, 16, 3, 2, 1, p));
            add(new Conv(2, 10, 16, 16, 3, 1, 1, p));
            add(new Conv(2, 10, 16, 16, 3, 1, 16, p));
        }
    }

    private Works() {}

    private static void add(Work w) {
        if (ALL.put(w.name(), w) != null) {
            throw new IllegalStateException("two works are named " + w.name());
        }
    }

    /** Of ResNet-18/50 and MobileNetV2, forward. */
    public static List<Conv> convolutions() {
        List<Conv> all = new ArrayList<>();
        for (int batch : new int[] {8, 16}) {
            for (int[] s : new int[][] {{56, 64, 64, 3, 1, 1}, {28, 128, 128, 3, 1, 1}, {14, 256, 256, 3, 1, 1},
                {7, 512, 512, 3, 1, 1}, {56, 64, 256, 1, 1, 1}, {56, 256, 64, 1, 1, 1}, {14, 1024, 256, 1, 1, 1},
                {56, 64, 128, 3, 2, 1}, {56, 64, 128, 1, 2, 1}, {224, 3, 64, 7, 2, 1},
                {56, 144, 144, 3, 1, 144}, {14, 384, 384, 3, 1, 384}, {112, 96, 96, 3, 2, 96}}) {
                all.add(new Conv(batch, s[0], s[1], s[2], s[3], s[4], s[5], Pass.FORWARD));
            }
        }
        return all;
    }

    /** @throws IllegalArgumentException when there is none of this name */
    public static Work byName(String name) {
        Work w = ALL.get(name);
        if (w == null) {
            throw new IllegalArgumentException("there is no work '" + name + "'");
        }
        return w;
    }

    public static List<Work> all() {
        return List.copyOf(ALL.values());
    }
}
