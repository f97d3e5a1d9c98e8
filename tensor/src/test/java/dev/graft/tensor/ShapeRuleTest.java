package dev.graft.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.tensor.op.ConvOp;
import dev.graft.tensor.op.ConvParams;
import dev.graft.tensor.op.FusedOp;
import dev.graft.tensor.op.MatMul;
import dev.graft.tensor.op.NormOp;
import dev.graft.tensor.op.PoolOp;
import dev.graft.tensor.op.PoolParams;
import dev.graft.tensor.op.ReduceFn;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What a user reads when shapes or types do not fit, word for word. */
class ShapeRuleTest {
    private static Tensor ints(int... dims) {
        return Tensor.fill(new TensorSpec(DType.I32, Shape.of(dims)), 0, Device.CPU);
    }

    private static Tensor of(DType d, int... dims) {
        return Tensor.fill(new TensorSpec(d, Shape.of(dims)), 1, Device.CPU);
    }

    private static Arguments bad(String message, Runnable run) {
        return Arguments.of(message, run);
    }

    static Stream<Arguments> mistakes() {
        Tensor image = Tensor.zeros(2, 8, 8, 3);
        Tensor m = Tensor.zeros(2, 3);
        return Stream.of(
                bad("matmul: [2, 3] x [2, 3]: inner sizes 3 and 2 differ", () -> m.matmul(m)),
                bad("matmul: [2, 3] x [2, 4]ᵀ: inner sizes 3 and 4 differ", () -> m.matmulTransposed(Tensor.zeros(2, 4))),
                bad("matmul: [2, 3] x [3]: both sides need at least two axes", () -> m.matmul(Tensor.zeros(3))),
                bad("matmul: [2, 4, 3] x [3, 3, 5]: the batch axes do not broadcast",
                        () -> Tensor.zeros(2, 4, 3).matmul(Tensor.zeros(3, 3, 5))),
                bad("matmul: left side is int32[2, 3], a floating-point tensor is needed: cast it first",
                        () -> ints(2, 3).matmul(ints(3, 2))),
                bad("add: [2, 3] + [4]: the shapes do not broadcast (sizes must agree from the last axis on, or be 1)",
                        () -> m.add(Tensor.zeros(4))),
                bad("mul: float32[2, 3] and int32[3] have different element types: cast one of them", () -> m.mul(ints(3))),
                bad("add: element type bool does not fit: cast bool to a number first",
                        () -> of(DType.BOOL, 2).add(of(DType.BOOL, 2))),
                bad("add: element type bool does not fit: cast bool to a number first", () -> of(DType.BOOL, 2).add(1)),
                bad("and: element type float32 does not fit: bool is needed", () -> m.and(m)),
                bad("mul: 0.5 is no value of uint8: cast the tensor to float32 first", () -> of(DType.U8, 2).mul(0.5)),
                bad("exp: input is int32[2], a floating-point tensor is needed: cast it first", () -> ints(2).exp()),
                bad("where: condition is float32[2, 3], bool is needed", () -> m.where(m, m)),
                bad("conv2d: input [2, 8, 8, 3] has 3 channels, weight [4, 3, 3, 5] with 1 groups takes 5",
                        () -> image.conv2d(Tensor.zeros(4, 3, 3, 5), ConvParams.of(1, 1))),
                bad("conv2d: input [2, 8, 8, 3] is smaller than kernel 9x9 with stride 1x1, padding 0,0,0,0, dilation 1x1,"
                        + " groups 1", () -> image.conv2d(Tensor.zeros(4, 9, 9, 3), ConvParams.of(1, 0))),
                bad("conv2d: the 4 outputs of weight [4, 3, 3, 1] cannot be split into 3 groups",
                        () -> image.conv2d(Tensor.zeros(4, 3, 3, 1), ConvParams.of(1, 1).withGroups(3))),
                bad("conv2d: input has shape [2, 3], [N, H, W, C] is needed",
                        () -> m.conv2d(Tensor.zeros(4, 3, 3, 3), ConvParams.of(1, 1))),
                bad("conv2d_backward_input: gradient has shape [2, 7, 8, 4] where [2, 8, 8, 4] is needed",
                        () -> Dispatcher.one(new ConvOp.Conv2dBackwardInput(ConvParams.of(1, 1), 8, 8),
                                Tensor.zeros(2, 7, 8, 4), Tensor.zeros(4, 3, 3, 3))),
                bad("conv2d_bias_activation: bias has shape [3] where [4] is needed",
                        () -> Dispatcher.one(new FusedOp.ConvBiasActivation(ConvParams.of(1, 1), FusedOp.Activation.RELU),
                                image, Tensor.zeros(4, 3, 3, 3), Tensor.zeros(3))),
                bad("max_pool2d: input [2, 8, 8, 3] is smaller than the window 9x9",
                        () -> image.maxPool2d(PoolParams.of(9, 1, 0))),
                bad("max_pool2d: input [2, 0, 8, 3] is empty",
                        () -> Tensor.zeros(2, 0, 8, 3).maxPool2d(PoolParams.of(2, 1, 1))),
                bad("max_pool2d_backward: takes 2 inputs, got 1",
                        () -> Dispatcher.one(new PoolOp.MaxPool2dBackward(8, 8), image)),
                bad("batch_norm: scale of input [2, 8, 8, 3] has shape [4] where [3] is needed",
                        () -> Dispatcher.run(new NormOp.BatchNorm(1e-5), image, Tensor.zeros(4), Tensor.zeros(3))),
                bad("batch_norm: scale is float16[3] beside float32[2, 8, 8, 3]: float32 is needed, cast one of them",
                        () -> Dispatcher.run(new NormOp.BatchNorm(1e-5), image, of(DType.F16, 3), of(DType.F16, 3))),
                bad("layer_norm: scale is float64[3] beside float16[2, 3]: float16 or float32 is needed, cast one of them",
                        () -> Dispatcher.run(new NormOp.LayerNorm(1e-5), m.cast(DType.F16), of(DType.F64, 3),
                                of(DType.F64, 3))),
                bad("layer_norm_backward: mean of input [2, 3] has shape [3] where [2] is needed",
                        () -> Dispatcher.run(new NormOp.LayerNormBackward(1e-5), m, m, Tensor.zeros(3), Tensor.zeros(3),
                                Tensor.zeros(2))),
                bad("batch_norm_activation: residual has shape [2, 8, 8, 1] where [2, 8, 8, 3] is needed",
                        () -> Dispatcher.run(new NormOp.BatchNormActivation(1e-5, FusedOp.Activation.RELU), image,
                                Tensor.zeros(3), Tensor.zeros(3), Tensor.zeros(2, 8, 8, 1))),
                bad("group_norm: 3 channels of input [2, 8, 8, 3] cannot be split into 2 groups",
                        () -> image.groupNorm(2, Tensor.zeros(3), Tensor.zeros(3), 1e-5)),
                bad("cross_entropy: target of logits [2, 3] has shape [3] where [2] is needed",
                        () -> m.crossEntropy(ints(3), 0, -100)),
                bad("cross_entropy: target 3 is none of the 3 classes of logits [2, 3]",
                        () -> m.crossEntropy(ints(2).add(3), 0, -100)),
                bad("attention: value of key [2, 5, 4, 8] has shape [2, 6, 4, 8] where [2, 5, 4, 8] is needed",
                        () -> Tensor.zeros(2, 3, 4, 8).attention(Tensor.zeros(2, 5, 4, 8), Tensor.zeros(2, 6, 4, 8), null,
                                false)),
                bad("attention: mask is float32[2, 5], bool is needed",
                        () -> Tensor.zeros(2, 3, 4, 8).attention(Tensor.zeros(2, 5, 4, 8), Tensor.zeros(2, 5, 4, 8),
                                Tensor.zeros(2, 5), false)),
                bad("dropout: probability 1.0 is not from 0 to below 1", () -> m.dropout(1)),
                bad("max: of no elements: axis 0 of [0, 3] is empty", () -> Tensor.zeros(0, 3).max(0)),
                bad("mean: input is int32[4], a floating-point tensor is needed: cast it first", () -> ints(4).mean()),
                bad("sum: uint8 is too small for sums: cast it first", () -> of(DType.U8, 4).reduce(ReduceFn.SUM, false)),
                bad("softmax: needs at least one axis, got a scalar", () -> Tensor.scalar(1).softmax()),
                bad("reshape: [2, 3] to [4]: 6 elements do not fill 4", () -> m.reshape(4)),
                bad("reshape: [2, 3] to [4, -1]: 6 elements are no multiple of 4", () -> m.reshape(4, -1)),
                bad("permute: axes [0, 0] are no order of the 2 axes of [2, 3]", () -> m.permute(0, 0)),
                bad("broadcast_to: [2, 3] does not broadcast to [4, 3]", () -> m.broadcastTo(Shape.of(4, 3))),
                bad("slice: axis 1 of [2, 3] has no range 2 to 5 in steps of 1", () -> m.slice(1, 2, 5)),
                bad("concat: [2, 3] and [2, 4] differ outside axis 0", () -> Tensor.concat(0, m, Tensor.zeros(2, 4))),
                bad("pad: padding must not be negative: slice instead", () -> m.pad(new int[] {-1, 0}, new int[2], 0)),
                bad("pad: an axis of 4294967296 is longer than 2147483647, the most it can be",
                        () -> m.pad(new int[] {0, Integer.MAX_VALUE}, new int[] {0, Integer.MAX_VALUE - 1}, 0)),
                bad("unsqueeze: axis 4 is not from -3 to 2 for shape [2, 3]", () -> m.unsqueeze(4)),
                bad("take: indices are float32[2, 3], int32 or int64 is needed: cast them first", () -> m.take(m)),
                bad("take_along: input [2, 3] and indices [3, 3] differ outside axis 1", () -> m.takeAlong(1, ints(3, 3))),
                bad("axis 2 does not exist in shape [2, 3] of rank 2", () -> m.sum(2)),
                bad("shape [2, -1]: sizes must not be negative", () -> Tensor.zeros(2, -1)),
                bad("tensor: 3 values do not fill shape [2] of 2", () -> Tensor.of(new float[3], 2)),
                bad("tensor: a double[] cannot hold float32", () -> Tensor.from(DType.F32, new double[2], Shape.of(2))),
                bad("item: shape [2, 3] has 6 elements, one is needed", () -> m.item()),
                bad("get: index 3 is outside axis 1 of [2, 3]", () -> m.get(0, 3)),
                bad("a tensor of int32 has no gradient: only floating-point tensors do", () -> ints(1).requiresGrad(true)),
                bad("device cuda:7 has no backend on the class path: add graft-kernels, or use cpu",
                        () -> m.to(Device.cuda(7))),
                bad("device 'tpu' is not known: use cpu, cuda or cuda:INDEX", () -> Device.parse("tpu")));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("mistakes")
    void mistakesAreNamed(String message, Runnable mistake) {
        assertThatThrownBy(mistake::run).isInstanceOf(GraftException.class).hasMessage(message);
    }

    @Test
    void theModulePathIsInFrontOfWhatWentWrong() {
        Tensor x = Tensor.zeros(32, 1280);
        Tensor w = Tensor.zeros(512, 2);
        assertThatThrownBy(() -> Context.inference().withPath("classifier.1").run(() -> x.matmul(w)))
                .hasMessage("matmul in classifier.1: [32, 1280] x [512, 2]: inner sizes 1280 and 512 differ");
        assertThatThrownBy(() -> Context.inference().withPath("embeddings").run(() -> x.take(Tensor.of(new int[] {40}, 1))))
                .hasMessageStartingWith("take in embeddings: index 40 is outside axis 0 of [32, 1280]");
        assertThatThrownBy(() -> Context.inference().withPath("head").run(
                () -> Dispatcher.update(new dev.graft.tensor.op.Update.Assign(), x, w)))
                .hasMessage("assign in head: float32[512, 2] on cpu does not fit the target, float32[32, 1280] on cpu");
    }

    @Test
    void shapesThatFit() {
        assertThat(Shape.broadcast(Shape.of(3, 1), Shape.of(2, 1, 4))).isEqualTo(Shape.of(2, 3, 4));
        assertThat(Shape.broadcast(Shape.of(1), Shape.of(0))).isEqualTo(Shape.of(0));
        assertThat(Shape.broadcast(Shape.of(2), Shape.of(0))).isNull();
        assertThat(Shape.of(2, 3, 4).strides()).containsExactly(12, 4, 1);
        assertThat(Shape.of(2, 3, 4).dim(-1)).isEqualTo(4);
        assertThat(Tensor.zeros(2, 3).unsqueeze(-1).shape()).isEqualTo(Shape.of(2, 3, 1));
        assertThat(Tensor.zeros(2, 3).unsqueeze(0).shape()).isEqualTo(Shape.of(1, 2, 3));
        assertThat(Tensor.zeros(4, 0).reshape(0, 7).shape()).isEqualTo(Shape.of(0, 7));
        assertThat(new MatMul(true, true).infer(new TensorSpec[] {new TensorSpec(DType.F32, Shape.of(5, 1, 4, 3)),
            new TensorSpec(DType.F32, Shape.of(2, 6, 4))})[0].shape()).isEqualTo(Shape.of(5, 2, 3, 6));
        assertThat(PoolParams.of(3, 2, 1).withCeilMode(true).outH(6)).isEqualTo(4);
        assertThat(PoolParams.of(2, 2, 1).withCeilMode(true).outH(3)).as("no window begins in the end padding").isEqualTo(2);
        assertThat(Device.parse("CUDA:1")).isEqualTo(Device.cuda(1));
    }

    @Test
    void hugeStepsAndDilationsDoNotWrap() {
        assertThat(Tensor.arange(DType.F32, 5).slice(new int[] {2}, new int[] {5}, new int[] {Integer.MAX_VALUE}).toFloats())
                .containsExactly(2);
        // 2^30 * 4 is 0 in 32 bits
        assertThat(ConvParams.of(1, 0).withDilation(1 << 30).outH(8, 5)).isLessThan(1);
        assertThat(PoolParams.of(2, Integer.MAX_VALUE, 0).withCeilMode(true).outH(8)).isEqualTo(1);
    }
}
