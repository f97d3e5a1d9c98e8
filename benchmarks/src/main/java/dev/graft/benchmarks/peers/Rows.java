package dev.graft.benchmarks.peers;

import dev.graft.benchmarks.peers.Row.Kind;
import dev.graft.benchmarks.peers.Work.Bert;
import dev.graft.benchmarks.peers.Work.Conv;
import dev.graft.benchmarks.peers.Work.Gemm;
import dev.graft.benchmarks.peers.Work.Net;
import dev.graft.benchmarks.peers.Work.Op;
import dev.graft.benchmarks.peers.Work.Pass;
import dev.graft.benchmarks.peers.Work.Task;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** The table's rows for one peer, with the bars that were set for them before anything was measured. */
public final class Rows {
    /** The engines that are compared with ours. */
    public enum Peer {
        /** libtorch, channels-last, with oneDNN and OpenBLAS: the fastest setting known. */
        TORCH,
        /** DJL with PyTorch's own native build: what a Java user gets. */
        DJL,
        /** Deeplearning4j. */
        DL4J,
        /** ONNX Runtime: inference of networks only. */
        ONNXRUNTIME;

        /** Whether the backward passes of ops can be called without their forward pass. */
        boolean apart() {
            return this == TORCH;
        }
    }

    private final Peer peer;
    private final List<Row> rows = new ArrayList<>();

    private Rows(Peer peer) {
        this.peer = peer;
    }

    /** @param all also shapes that the standard table leaves out */
    public static List<Row> of(Peer peer, boolean all) {
        Rows r = new Rows(peer);
        switch (peer) {
            case TORCH, DJL -> r.everything(all);
            case DL4J -> r.dl4j();
            case ONNXRUNTIME -> r.onnx();
        }
        return List.copyOf(r.rows);
    }

    private double bar(double torch, double djl) {
        return peer == Peer.TORCH ? torch : djl;
    }

    private void everything(boolean all) {
        for (Work w : Works.all()) {
            if (w instanceof Gemm g && g.m() >= 512) {
                rows.add(Row.same(g, bar(1.0, 1.8)));
            }
        }
        for (Conv c : Works.convolutions()) {
            // ResNet-50 is compared at batch 8, the others at 16
            if (all || c.batch() == (c.kernel() == 1 && c.stride() == 1 ? 8 : 16)) {
                convolution(c);
            }
        }
        for (Op.Kind k : Op.Kind.values()) {
            op(k);
        }
        net(ConvNet.resnet18(), 16, new double[] {1.5, 1.3, 1.5}, new double[] {2.3, 1.8, 2.3});
        net(ConvNet.resnet50(), 8, new double[] {1.25, 1.15, 1.3}, new double[] {1.6, 1.4, 1.7});
        net(ConvNet.mobilenetV2(), 16, new double[] {1.3, 1.2, 1.4}, new double[] {3, 2.5, 3});
        rows.add(Row.same(new Bert(12, 8, Task.INFERENCE), bar(1.0, 1.9)));
        rows.add(Row.same(new Bert(12, 8, Task.FULL_STEP), bar(1.0, 1.9)));
        epoch(ConvNet.resnet18(), 16);
        // ours at most 0.8 or 0.6 of the peer's
        for (Task step : List.of(Task.FULL_STEP, Task.HEAD_STEP)) {
            memory(new Net(ConvNet.resnet18(), 16, step), bar(1 / 0.8, 1 / 0.6));
            memory(new Net(ConvNet.resnet50(), 8, step), bar(1 / 0.8, 1 / 0.6));
            memory(new Net(ConvNet.mobilenetV2(), 16, step), bar(1 / 0.8, 1 / 0.6));
        }
        memory(new Bert(12, 8, Task.FULL_STEP), bar(1 / 0.8, 1 / 0.6));
        if (peer == Peer.DJL) {
            List<String> works = List.of("predict/resnet18");
            rows.add(new Row("predict/resnet18/cold", Kind.PREDICT, works, works, 2, true));
        }
    }

    private void convolution(Conv c) {
        if (c.groups() > 1) {
            forward(c, bar(1.1, 2.5), false);
            backward(c, Pass.BACKWARD, Pass.FORWARD_AND_BACKWARD, bar(1.1, 2.5));
        } else if (c.kernel() == 3 && c.stride() == 1) {
            forward(c, bar(1.7, 2.0), true);
            backward(c, Pass.BACKWARD_DATA, Pass.FORWARD_AND_DATA, bar(1.5, 1.8));
            backward(c, Pass.BACKWARD_WEIGHT, Pass.FORWARD_AND_WEIGHT, bar(1.2, 1.4));
        } else {
            forward(c, bar(1.0, 1.3), false);
            if (c.in() == 3) {      // images need no gradient
                backward(c, Pass.BACKWARD_WEIGHT, Pass.FORWARD_AND_WEIGHT, bar(1.0, 1.3));
            } else {
                backward(c, Pass.BACKWARD, Pass.FORWARD_AND_BACKWARD, bar(1.0, 1.3));
            }
        }
    }

    private void forward(Conv c, double bar, boolean frozen) {
        rows.add(Row.same(c, bar));
        if (frozen) {
            String ours = c.with(Pass.FORWARD_FROZEN).name();
            rows.add(new Row(ours, Kind.TIME, List.of(ours), List.of(c.name()), bar, true));
        }
    }

    private void backward(Conv c, Pass alone, Pass behindForward, double bar) {
        both(c, c.with(alone), c.with(behindForward), bar);
    }

    private void both(Work forward, Work backward, Work whole, double bar) {
        rows.add(peer.apart() ? Row.same(backward, bar)
                : together(forward, backward, whole, bar));
    }

    private static Row together(Work forward, Work backward, Work whole, double bar) {
        return new Row(whole.name(), Kind.TIME, List.of(forward.name(), backward.name()), List.of(whole.name()), bar, true);
    }

    private void op(Op.Kind k) {
        boolean plain = k == Op.Kind.SOFTMAX || k == Op.Kind.EXP || k == Op.Kind.SGD;
        double bar = plain ? 1.0 : bar(1.2, 1.3);
        Op forward = new Op(k, Pass.FORWARD);
        rows.add(Row.same(forward, bar));
        if (!k.isOptimizer() && k != Op.Kind.EXP) {
            Op backward = new Op(k, Pass.BACKWARD);
            Op whole = new Op(k, Pass.FORWARD_AND_BACKWARD);
            if (k == Op.Kind.CROSS_ENTROPY) {       // no engine but ours has its gradient as one op
                rows.add(together(forward, backward, whole, bar));
            } else {
                both(forward, backward, whole, bar);
            }
        }
    }

    private void net(ConvNet net, int batch, double[] torch, double[] djl) {
        String ours = new Net(net, batch, Task.INFERENCE).name();
        rows.add(Row.same(new Net(net, batch, Task.INFERENCE), bar(torch[0], djl[0])));
        String folded = new Net(net, batch, Task.INFERENCE_FOLDED).name();
        rows.add(new Row(folded, Kind.TIME, List.of(ours), List.of(folded), bar(torch[0], djl[0]), true));
        rows.add(Row.same(new Net(net, batch, Task.FULL_STEP), bar(torch[1], djl[1])));
        Row head = Row.same(new Net(net, batch, Task.HEAD_STEP), bar(torch[2], djl[2]));
        rows.add(head);
        // the peer's user has folded the frozen backbone: its inference alone, without the head's gradient and update
        rows.add(new Row(head.name() + "_folded", Kind.TIME, head.ours(), List.of(folded), Row.NO_BAR, false));
    }

    /** The peer has no cache: its epoch is as many head-only steps as there are batches. */
    private void epoch(ConvNet net, int batch) {
        String ours = new Net(net, batch, Task.HEAD_EPOCH).name();
        String step = new Net(net, batch, Task.HEAD_STEP).name();
        rows.add(new Row(ours, Kind.TIME, List.of(ours), Collections.nCopies(ConvNet.EPOCH / batch, step), 100, false));
    }

    private void memory(Work w, double bar) {
        rows.add(new Row("memory/" + w.name(), Kind.MEMORY, List.of(w.name()), List.of(w.name()), bar, false));
    }

    /** To show where it stands, without bars. */
    private void dl4j() {
        for (Work w : Works.all()) {
            if (w instanceof Gemm g && g.m() >= 512 && g.form() == Gemm.Form.NN) {
                rows.add(Row.same(g, Row.NO_BAR));
            }
        }
        rows.add(Row.same(new Net(ConvNet.resnet18(), 16, Task.INFERENCE), Row.NO_BAR));
        // its momentum is Nesterov's, so its losses are others
        String step = new Net(ConvNet.resnet18(), 16, Task.FULL_STEP).name();
        rows.add(new Row(step, Kind.TIME, List.of(step), List.of(step), Row.NO_BAR, false));
    }

    private void onnx() {
        for (Work w : List.of(new Net(ConvNet.resnet18(), 16, Task.INFERENCE),
                new Net(ConvNet.resnet50(), 8, Task.INFERENCE), new Net(ConvNet.mobilenetV2(), 16, Task.INFERENCE))) {
            rows.add(Row.same(w, Row.NO_BAR));
        }
    }
}
