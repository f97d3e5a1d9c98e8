package dev.graft.benchmarks.compare;

import static dev.graft.benchmarks.compare.GraftEngine.of;
import static dev.graft.benchmarks.compare.GraftEngine.one;
import static dev.graft.benchmarks.compare.GraftEngine.tensor;

import dev.graft.benchmarks.peers.Engine.Prepared;
import dev.graft.benchmarks.peers.Values;
import dev.graft.benchmarks.peers.Work;
import dev.graft.benchmarks.peers.Work.Pass;
import dev.graft.nn.loss.CrossEntropy;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.ElementwiseOp;
import dev.graft.tensor.op.LossOp;
import dev.graft.tensor.op.NormOp;
import dev.graft.tensor.op.Op;
import dev.graft.tensor.op.PoolOp;
import dev.graft.tensor.op.PoolParams;
import dev.graft.tensor.op.ReduceOp;
import dev.graft.tensor.op.UnaryFn;
import dev.graft.tensor.op.Update;
import java.util.function.Supplier;

/** Graft's ops that move more than they compute. */
final class GraftOps {
    private static final double EPS = 1e-5;

    private GraftOps() {}

    static Prepared prepare(Work.Op work) {
        int[] dims = work.kind().dims();
        return switch (work.kind()) {
            case RELU -> unary(UnaryFn.RELU, work);
            case GELU -> unary(UnaryFn.GELU, work);
            case TANH -> unary(UnaryFn.TANH, work);
            case EXP -> unary(UnaryFn.EXP, work);
            case SOFTMAX -> {
                Tensor x = tensor("x", dims);
                Tensor y = x.softmax();
                Tensor dy = tensor("dy", dims);
                yield choose(work.pass(), () -> x.softmax(), one(new ReduceOp.SoftmaxBackward(false), dy, y));
            }
            case BATCH_NORM -> norm(dims, work.pass(), new NormOp.BatchNorm(EPS), new NormOp.BatchNormBackward(EPS));
            case LAYER_NORM -> norm(dims, work.pass(), new NormOp.LayerNorm(EPS), new NormOp.LayerNormBackward(EPS));
            case MAX_POOL -> maxPool(dims, work.pass());
            case CROSS_ENTROPY -> crossEntropy(dims, work.pass());
            case SGD -> optimizer(dims[0], 1, step -> new Update.Sgd(1e-3, 0.9, 0, 0, false, false));
            case ADAMW -> optimizer(dims[0], 2, step -> new Update.Adam(1e-3, 0.9, 0.999, 1e-8, 0.01, true, step));
        };
    }

    private static Supplier<Tensor[]> one(Op op, Tensor... in) {
        return () -> Dispatcher.run(op, in);
    }

    private static Prepared choose(Pass pass, Supplier<Tensor> forward, Supplier<Tensor[]> backward) {
        return switch (pass) {
            case FORWARD, FORWARD_FROZEN -> GraftEngine.one(forward);
            case BACKWARD, BACKWARD_DATA, BACKWARD_WEIGHT -> of(backward);
            case FORWARD_AND_BACKWARD, FORWARD_AND_DATA, FORWARD_AND_WEIGHT -> of(() -> {
                forward.get();
                return backward.get();
            });
        };
    }

    private static Prepared unary(UnaryFn fn, Work.Op work) {
        Tensor x = tensor("x", work.kind().dims());
        Tensor dy = tensor("dy", work.kind().dims());
        Tensor saved = fn.savesOutput() ? x.unary(fn) : x;
        return choose(work.pass(), () -> x.unary(fn), one(new ElementwiseOp.UnaryBackward(fn, 0), dy, saved));
    }

    private static Prepared norm(int[] dims, Pass pass, NormOp forward, NormOp backward) {
        int channels = dims[dims.length - 1];
        Tensor x = tensor("x", dims);
        Tensor dy = tensor("dy", dims);
        Tensor gamma = Tensor.of(Values.uniform("gamma", channels, 0.8, 1.2), channels);
        Tensor beta = tensor("beta", channels);
        Tensor[] y = Dispatcher.run(forward, x, gamma, beta);
        return choose(pass, () -> Dispatcher.run(forward, x, gamma, beta)[0], one(backward, dy, x, gamma, y[1], y[2]));
    }

    private static Prepared maxPool(int[] dims, Pass pass) {
        PoolParams window = PoolParams.of(3, 2, 1);
        PoolOp forward = new PoolOp.MaxPool2d(window);
        Tensor x = tensor("x", dims);
        Tensor[] y = Dispatcher.run(forward, x);
        Tensor dy = tensor("dy", y[0].shape().dims());
        return choose(pass, () -> Dispatcher.run(forward, x)[0],
                one(new PoolOp.MaxPool2dBackward(dims[1], dims[2], window), dy, y[1]));
    }

    private static Prepared crossEntropy(int[] dims, Pass pass) {
        Tensor x = tensor("x", dims);
        Tensor target = Tensor.of(Values.labels(dims[0], dims[1]), dims[0]);
        LossOp.CrossEntropy forward = new LossOp.CrossEntropy(0, -100);
        Tensor lse = Dispatcher.run(forward, x, target)[1];
        Tensor share = Tensor.full(1.0 / dims[0], dims[0]);
        return choose(pass, () -> new CrossEntropy().of(x, target),
                one(new LossOp.CrossEntropyBackward(0, -100), share, x, target, lse));
    }

    private interface Rule {
        Update update(long step);
    }

    private static Prepared optimizer(int count, int states, Rule rule) {
        Tensor p = Tensor.of(Values.uniform("p", count, -1e-3, 1e-3), count);
        Tensor[] in = new Tensor[1 + states];
        in[0] = tensor("g", count);
        for (int i = 1; i < in.length; i++) {
            in[i] = Tensor.zeros(count);
        }
        return new Prepared() {
            private long step;

            @Override
            public void run() {
                Dispatcher.update(rule.update(++step), p, in);
            }

            @Override
            public float[] result() {
                run();
                return p.toFloats();
            }
        };
    }
}
