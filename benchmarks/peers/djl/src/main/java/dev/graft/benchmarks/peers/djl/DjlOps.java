package dev.graft.benchmarks.peers.djl;

import static dev.graft.benchmarks.peers.djl.DjlEngine.array;
import static dev.graft.benchmarks.peers.djl.DjlEngine.image;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.nn.norm.LayerNorm;
import ai.djl.nn.pooling.Pool;
import ai.djl.training.loss.Loss;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import dev.graft.benchmarks.peers.Engine.Prepared;
import dev.graft.benchmarks.peers.Values;
import dev.graft.benchmarks.peers.Work;
import dev.graft.benchmarks.peers.Work.Pass;
import java.util.List;
import java.util.function.Function;
import java.util.function.UnaryOperator;

/** DJL's ops that move more than they compute; gradients by autograd behind a forward pass. */
final class DjlOps {
    private static final float EPS = 1e-5f;

    private DjlOps() {}

    static Prepared prepare(Work.Op work) {
        int[] dims = work.kind().dims();
        return switch (work.kind()) {
            case RELU -> unary(work, Activation::relu);
            case GELU -> unary(work, Activation::gelu);
            case TANH -> unary(work, NDArray::tanh);
            case EXP -> unary(work, NDArray::exp);
            case SOFTMAX -> choose(work.pass(), List.of(array("x", dims)), array("dy", dims),
                    in -> in.getFirst().softmax(1));
            case BATCH_NORM -> {
                int c = dims[3];
                NDArray mean = array(new float[c], c);
                NDArray variance = array(Values.uniform("variance", c, 1, 1), c);
                yield choose(work.pass(), withAffine(image("x", dims), c), image("dy", dims), in ->
                        BatchNorm.batchNorm(in.get(0), mean, variance, in.get(1), in.get(2), 1, 0.9f, EPS, true).get(0));
            }
            case LAYER_NORM -> choose(work.pass(), withAffine(array("x", dims), dims[1]), array("dy", dims), in ->
                    LayerNorm.layerNorm(in.get(0), new Shape(dims[1]), in.get(1), in.get(2), EPS).get(0));
            case MAX_POOL -> choose(work.pass(), List.of(image("x", dims)),
                    image("dy", dims[0], dims[1] / 2, dims[2] / 2, dims[3]),
                    in -> Pool.maxPool2d(in.getFirst(), new Shape(3, 3), new Shape(2, 2), new Shape(1, 1), false));
            case CROSS_ENTROPY -> {
                NDList target = new NDList(DjlEngine.labels(dims[0], dims[1]));
                Loss loss = Loss.softmaxCrossEntropyLoss();
                yield choose(work.pass(), List.of(array("x", dims)), null,
                        in -> loss.evaluate(target, new NDList(in.getFirst())));
            }
            case SGD -> optimizer(dims[0], Optimizer.sgd().setLearningRateTracker(Tracker.fixed(1e-3f)).optMomentum(0.9f)
                    .build());
            case ADAMW -> optimizer(dims[0], Optimizer.adamW().optLearningRateTracker(Tracker.fixed(1e-3f))
                    .optWeightDecays(0.01f).build());
        };
    }

    private static List<NDArray> withAffine(NDArray x, int channels) {
        return List.of(x, array(Values.uniform("gamma", channels, 0.8, 1.2), channels), array("beta", channels));
    }

    private static Prepared unary(Work.Op work, UnaryOperator<NDArray> f) {
        return choose(work.pass(), List.of(image("x", work.kind().dims())), image("dy", work.kind().dims()),
                in -> f.apply(in.getFirst()));
    }

    private static Prepared choose(Pass pass, List<NDArray> in, NDArray dy, Function<List<NDArray>, NDArray> f) {
        if (pass == Pass.FORWARD) {
            return DjlEngine.forward(in, f);
        }
        boolean[] all = new boolean[in.size()];
        java.util.Arrays.fill(all, true);
        return DjlEngine.recorded(in, all, dy, f);
    }

    private static Prepared optimizer(int count, Optimizer optimizer) {
        NDArray p = array(Values.uniform("p", count, -1e-3, 1e-3), count);
        NDArray g = array("g", count);
        return new Prepared() {
            @Override
            public void run() {
                optimizer.update("p", p, g);
            }

            @Override
            public float[] result() {
                run();
                return DjlEngine.values(p);
            }

            @Override
            public void close() {
                p.close();
                g.close();
            }
        };
    }
}
