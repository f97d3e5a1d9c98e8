package dev.graft.benchmarks.peers.torch;

import static dev.graft.benchmarks.peers.torch.TorchEngine.image;
import static dev.graft.benchmarks.peers.torch.TorchEngine.longs;
import static dev.graft.benchmarks.peers.torch.TorchEngine.of;
import static dev.graft.benchmarks.peers.torch.TorchEngine.one;
import static dev.graft.benchmarks.peers.torch.TorchEngine.tensor;
import static org.bytedeco.pytorch.global.torch.cross_entropy_loss;
import static org.bytedeco.pytorch.global.torch.gelu;
import static org.bytedeco.pytorch.global.torch.gelu_backward;
import static org.bytedeco.pytorch.global.torch.max_pool2d_with_indices;
import static org.bytedeco.pytorch.global.torch.max_pool2d_with_indices_backward;
import static org.bytedeco.pytorch.global.torch.native_batch_norm;
import static org.bytedeco.pytorch.global.torch.native_batch_norm_backward;
import static org.bytedeco.pytorch.global.torch.native_layer_norm;
import static org.bytedeco.pytorch.global.torch.native_layer_norm_backward;
import static org.bytedeco.pytorch.global.torch.relu;
import static org.bytedeco.pytorch.global.torch.softmax;
import static org.bytedeco.pytorch.global.torch.tanh_backward;
import static org.bytedeco.pytorch.global.torch.threshold_backward;

import dev.graft.benchmarks.peers.Engine.Prepared;
import dev.graft.benchmarks.peers.Values;
import dev.graft.benchmarks.peers.Work;
import dev.graft.benchmarks.peers.Work.Pass;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.bytedeco.javacpp.BoolPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.AdamW;
import org.bytedeco.pytorch.AdamWOptions;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.Optimizer;
import org.bytedeco.pytorch.SGD;
import org.bytedeco.pytorch.SGDOptions;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.T_TensorTensorTensor_T;
import org.bytedeco.pytorch.T_TensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorArrayRefOptional;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;

/** libtorch's ops that move more than they compute; gradients by its own backward functions where it has them. */
final class TorchOps {
    private static final double EPS = 1e-5;
    private static final BoolPointer ALL = new BoolPointer(3).put(0, true).put(1, true).put(2, true);

    private TorchOps() {}

    static Prepared prepare(Work.Op work) {
        int[] dims = work.kind().dims();
        Pass pass = work.pass();
        return switch (work.kind()) {
            case RELU -> {
                Tensor x = image("x", dims);
                Tensor dy = image("dy", dims);
                Scalar zero = new Scalar(0);
                yield choose(pass, () -> relu(x), () -> threshold_backward(dy, x, zero));
            }
            case GELU -> {
                Tensor x = image("x", dims);
                Tensor dy = image("dy", dims);
                yield choose(pass, () -> gelu(x), () -> gelu_backward(dy, x));
            }
            case TANH -> {
                Tensor x = image("x", dims);
                Tensor dy = image("dy", dims);
                Tensor y = x.tanh();
                yield choose(pass, x::tanh, () -> tanh_backward(dy, y));
            }
            case EXP -> {
                Tensor x = image("x", dims);
                yield one(x::exp);
            }
            case SOFTMAX -> {
                Tensor x = tensor("x", dims);
                Tensor dy = tensor("dy", dims);
                yield pass == Pass.FORWARD ? one(() -> softmax(x, 1)) : recorded(x, dy, t -> softmax(t, 1));
            }
            case BATCH_NORM -> batchNorm(dims, pass);
            case LAYER_NORM -> layerNorm(dims, pass);
            case MAX_POOL -> maxPool(dims, pass);
            case CROSS_ENTROPY -> {
                Tensor x = tensor("x", dims);
                Tensor target = Tensor.create(Values.labels(dims[0], dims[1]), (long) dims[0]);
                yield pass == Pass.FORWARD ? one(() -> cross_entropy_loss(x, target))
                        : recorded(x, null, t -> cross_entropy_loss(t, target));
            }
            case SGD -> optimizer(dims[0], params -> {
                SGDOptions o = new SGDOptions(1e-3);
                o.momentum().put(0.9);
                return new SGD(params, o);
            });
            case ADAMW -> optimizer(dims[0], params -> {
                AdamWOptions o = new AdamWOptions(1e-3);
                o.weight_decay().put(0.01);
                return new AdamW(params, o);
            });
        };
    }

    private static Prepared choose(Pass pass, Supplier<Tensor> forward, Supplier<Tensor> backward) {
        return one(pass == Pass.FORWARD ? forward : backward);
    }

    /** Forward and backward by autograd; {@code dy} null for a single value. The result is the gradient. */
    private static Prepared recorded(Tensor x, Tensor dy, UnaryOperator<Tensor> f) {
        Tensor leaf = x.detach().clone().set_requires_grad(true);
        TensorArrayRefOptional all = new TensorArrayRefOptional();
        return of(true, () -> {
            leaf.mutable_grad().reset();
            Tensor y = f.apply(leaf);
            if (dy == null) {
                y.backward();
            } else {
                y.backward(dy, new BoolOptional(), false, all);
            }
            return new Tensor[] {leaf.grad()};
        });
    }

    private static Prepared batchNorm(int[] dims, Pass pass) {
        int c = dims[3];
        Tensor x = image("x", dims);
        Tensor dy = image("dy", dims);
        TensorOptional gamma = new TensorOptional(tensor(Values.uniform("gamma", c, 0.8, 1.2), c));
        TensorOptional beta = new TensorOptional(tensor("beta", c));
        TensorOptional mean = new TensorOptional(tensor(new float[c], c));
        TensorOptional variance = new TensorOptional(tensor(Values.uniform("variance", c, 1, 1), c));
        if (pass == Pass.FORWARD) {
            return one(() -> native_batch_norm(x, gamma, beta, mean, variance, true, 0.1, EPS).get0());
        }
        T_TensorTensorTensor_T y = native_batch_norm(x, gamma, beta, mean, variance, true, 0.1, EPS);
        TensorOptional savedMean = new TensorOptional(y.get1().clone());
        TensorOptional savedDeviation = new TensorOptional(y.get2().clone());
        return of(false, () -> three(native_batch_norm_backward(dy, x, gamma, mean, variance, savedMean, savedDeviation,
                true, EPS, ALL)));
    }

    private static Prepared layerNorm(int[] dims, Pass pass) {
        int c = dims[1];
        long[] last = longs(c);
        Tensor x = tensor("x", dims);
        Tensor dy = tensor("dy", dims);
        TensorOptional gamma = new TensorOptional(tensor(Values.uniform("gamma", c, 0.8, 1.2), c));
        TensorOptional beta = new TensorOptional(tensor("beta", c));
        if (pass == Pass.FORWARD) {
            return one(() -> native_layer_norm(x, last, gamma, beta, EPS).get0());
        }
        T_TensorTensorTensor_T y = native_layer_norm(x, last, gamma, beta, EPS);
        Tensor mean = y.get1().clone();
        Tensor deviation = y.get2().clone();
        return of(false, () -> three(native_layer_norm_backward(dy, x, last, mean, deviation, gamma, beta, ALL)));
    }

    private static Tensor[] three(T_TensorTensorTensor_T t) {
        return new Tensor[] {t.get0(), t.get1(), t.get2()};
    }

    private static Prepared maxPool(int[] dims, Pass pass) {
        long[] kernel = longs(3, 3);
        long[] stride = longs(2, 2);
        long[] one = longs(1, 1);
        Tensor x = image("x", dims);
        if (pass == Pass.FORWARD) {
            return one(() -> max_pool2d_with_indices(x, kernel, stride, one, one, false).get0());
        }
        T_TensorTensor_T y = max_pool2d_with_indices(x, kernel, stride, one, one, false);
        Tensor places = y.get1().clone();
        Tensor dy = image("dy", dims[0], dims[1] / 2, dims[2] / 2, dims[3]);
        return one(() -> max_pool2d_with_indices_backward(dy, x, kernel, stride, one, one, false, places));
    }

    private interface Rule {
        Optimizer of(TensorVector params);
    }

    private static Prepared optimizer(int count, Rule rule) {
        Tensor p = tensor(Values.uniform("p", count, -1e-3, 1e-3), count).set_requires_grad(true);
        p.mutable_grad().put(tensor("g", count));
        Optimizer o = rule.of(new TensorVector(p));
        return new Prepared() {
            @Override
            public void run() {
                try (PointerScope s = new PointerScope()) {
                    o.step();
                }
            }

            @Override
            public float[] result() {
                run();
                try (PointerScope s = new PointerScope()) {
                    return TorchEngine.values(p.detach());
                }
            }
        };
    }
}
