package dev.graft.benchmarks.compare;

import dev.graft.benchmarks.peers.Engine;
import dev.graft.benchmarks.peers.RowRunner;
import dev.graft.benchmarks.peers.Values;
import dev.graft.benchmarks.peers.Work;
import dev.graft.benchmarks.peers.Work.Pass;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.cpu.CpuFeatures;
import dev.graft.tensor.cpu.WorkerPool;
import dev.graft.tensor.op.ConvOp;
import dev.graft.tensor.op.ConvParams;
import dev.graft.tensor.op.MatMul;
import dev.graft.tensor.op.Update;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/** Graft on the CPU. */
public final class GraftEngine implements Engine {
    public static void main(String[] args) {
        RowRunner.run(new GraftEngine(), args);
    }

    @Override
    public String describe() {
        return "Graft, " + CpuFeatures.describe() + ", " + WorkerPool.shared().threads() + " threads, NHWC";
    }

    @Override
    public Prepared prepare(Work work) {
        return switch (work) {
            case Work.Gemm g -> gemm(g);
            case Work.Conv c -> convolution(c);
            case Work.Op o -> GraftOps.prepare(o);
            case Work.Net n -> GraftNetworks.prepare(n);
            case Work.Bert b -> GraftNetworks.prepare(b);
        };
    }

    static Tensor tensor(String name, int... dims) {
        return Tensor.of(Values.of(name, dims), dims);
    }

    /** One call of {@code f}; its outputs one behind the other are the result. */
    static Prepared of(Supplier<Tensor[]> f) {
        return new Prepared() {
            @Override
            public void run() {
                try (Scope s = Scope.open("row")) {
                    f.get();
                }
            }

            @Override
            public float[] result() {
                try (Scope s = Scope.open("row")) {
                    List<float[]> all = new ArrayList<>();
                    for (Tensor t : f.get()) {
                        all.add(t.toFloats());
                    }
                    return join(all);
                }
            }
        };
    }

    static Prepared one(Supplier<Tensor> f) {
        return of(() -> new Tensor[] {f.get()});
    }

    private static float[] join(List<float[]> parts) {
        float[] all = new float[parts.stream().mapToInt(p -> p.length).sum()];
        int at = 0;
        for (float[] p : parts) {
            System.arraycopy(p, 0, all, at, p.length);
            at += p.length;
        }
        return all;
    }

    private static Prepared gemm(Work.Gemm g) {
        Tensor a = tensor("a", g.a());
        Tensor b = tensor("b", g.b());
        MatMul op = new MatMul(g.form() == Work.Gemm.Form.TN, g.form() == Work.Gemm.Form.NT);
        Runnable change = changing(b);
        return one(() -> {
            change.run();
            return Dispatcher.one(op, a, b);
        });
    }

    /**
     * Counts as a write to all of {@code t}'s values, so that nothing made of them earlier, such as packed weights, is used
     * again: the peers keep nothing from call to call either.
     */
    private static Runnable changing(Tensor t) {
        Tensor first = t.reshape((int) t.size()).slice(0, 0, 1);
        Update nothing = new Update.Axpby(1, 0);
        return () -> Dispatcher.update(nothing, first, first);
    }

    private static Prepared convolution(Work.Conv c) {
        Tensor x = tensor("x", c.x());
        Tensor w = tensor("w", c.w());
        Tensor dy = tensor("dy", c.y());
        ConvParams params = ConvParams.of(c.stride(), c.kernel() / 2).withGroups(c.groups());
        ConvOp backwardInput = new ConvOp.Conv2dBackwardInput(params, c.size(), c.size());
        ConvOp backwardWeight = new ConvOp.Conv2dBackwardWeight(params, c.kernel(), c.kernel());
        Runnable change = c.pass() == Pass.FORWARD_FROZEN ? () -> {} : changing(w);
        return of(() -> {
            change.run();
            if (c.pass() == Pass.FORWARD || c.pass() == Pass.FORWARD_FROZEN) {
                return new Tensor[] {x.conv2d(w, params)};
            }
            if (c.pass().withForward()) {
                x.conv2d(w, params);
            }
            List<Tensor> gradients = new ArrayList<>();
            if (c.pass().data()) {
                gradients.add(Dispatcher.one(backwardInput, dy, w));
            }
            if (c.pass().weight()) {
                gradients.add(Dispatcher.one(backwardWeight, x, dy));
            }
            return gradients.toArray(Tensor[]::new);
        });
    }
}
