package dev.graft.nn;

import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.TensorSpec;
import dev.graft.tensor.op.CreateOp;

/**
 * How a parameter's first values are made. Fan-in is the number of inputs that one output sums over: all sizes but the
 * first of [O, ..., I] weights. Defaults of the layers are PyTorch's.
 */
@FunctionalInterface
public interface Init {
    /** New float32 values, a pure function of the arguments. */
    Tensor make(Shape shape, long seed, long stream);

    static Init zeros() {
        return constant(0);
    }

    static Init ones() {
        return constant(1);
    }

    static Init constant(double value) {
        return (shape, seed, stream) -> Tensor.fill(new TensorSpec(DType.F32, shape), value, Device.CPU);
    }

    static Init uniform(double low, double high) {
        return (shape, seed, stream) -> random(shape, CreateOp.Distribution.UNIFORM, low, high, seed, stream);
    }

    static Init normal(double mean, double std) {
        return (shape, seed, stream) -> random(shape, CreateOp.Distribution.NORMAL, mean, std, seed, stream);
    }

    /** Normal with variance 2/fanIn, for layers before a ReLU (He et al. 2015, arXiv:1502.01852). */
    static Init kaimingNormal() {
        return (shape, seed, stream) ->
                normal(0, Math.sqrt(2.0 / fanIn(shape))).make(shape, seed, stream);
    }

    /** Normal with variance 2/fanOut, torchvision's choice for the convolutions of ResNet and MobileNet. */
    static Init kaimingNormalFanOut() {
        return (shape, seed, stream) ->
                normal(0, Math.sqrt(2.0 * shape.dim(-1) / Math.max(1, shape.size()))).make(shape, seed, stream);
    }

    /** Uniform in ±1/sqrt(fanIn): PyTorch's default for linear and convolution weights. */
    static Init kaimingUniform() {
        return (shape, seed, stream) -> fanInUniform(fanIn(shape)).make(shape, seed, stream);
    }

    /** Uniform in ±1/sqrt(fanIn): PyTorch's default for biases of layers with that fan-in. */
    static Init fanInUniform(long fanIn) {
        double bound = 1 / Math.sqrt(Math.max(1, fanIn));
        return uniform(-bound, bound);
    }

    /** Uniform with variance 2/(fanIn + fanOut) (Glorot and Bengio 2010). */
    static Init xavierUniform() {
        return (shape, seed, stream) -> {
            double fanOut = (double) shape.size() / shape.dim(-1);
            double bound = Math.sqrt(6.0 / (fanIn(shape) + fanOut));
            return uniform(-bound, bound).make(shape, seed, stream);
        };
    }

    private static long fanIn(Shape shape) {
        return Math.max(1, shape.count(1, shape.rank()));
    }

    private static Tensor random(Shape shape, CreateOp.Distribution d, double a, double b, long seed, long stream) {
        return Dispatcher.one(new CreateOp.Random(new TensorSpec(DType.F32, shape), d, a, b, seed, stream, Device.CPU));
    }
}
