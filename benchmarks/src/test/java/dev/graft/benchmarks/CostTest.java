package dev.graft.benchmarks;

import static dev.graft.tensor.op.FusedOp.Activation.RELU;
import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.tensor.DType;
import dev.graft.tensor.Shape;
import dev.graft.tensor.TensorSpec;
import dev.graft.tensor.op.AttentionOp;
import dev.graft.tensor.op.ConvOp;
import dev.graft.tensor.op.ConvParams;
import dev.graft.tensor.op.ElementwiseOp;
import dev.graft.tensor.op.FusedOp;
import dev.graft.tensor.op.IndexOp;
import dev.graft.tensor.op.LayoutOp;
import dev.graft.tensor.op.MatMul;
import dev.graft.tensor.op.Op;
import dev.graft.tensor.op.StoredLinearOp;
import dev.graft.tensor.op.UnaryFn;
import dev.graft.tensor.op.Update;
import java.lang.reflect.Modifier;
import java.util.Map;
import org.junit.jupiter.api.Test;

class CostTest {
    private static final Peak PEAK = new Peak(1, 100, 10);

    @Test
    void countsOperationsAndBytes() {
        Cost c = Cost.of("MatMulBenchmark.matmul", Map.of("mnk", "2x3x4", "form", "NT"));
        assertThat(c.flops()).isEqualTo(48);
        assertThat(c.bytes()).isEqualTo(4 * (6 + 8 + 12));
        Cost s = Cost.of("ConvolutionBenchmark.forward", Map.of("shape", "1x224x3x64x7x2x1"));
        assertThat(s.flops()).isEqualTo(2.0 * 112 * 112 * 64 * 49 * 3);
        Cost depthwise = Cost.of("ConvolutionBenchmark.forward", Map.of("shape", "1x4x6x6x3x1x6"));
        assertThat(depthwise.flops()).isEqualTo(2.0 * 16 * 6 * 9);
        Cost batch = Cost.of("MatMulBenchmark.matmul", Map.of("mnk", "5x2x3x4", "form", "NN"));
        assertThat(batch).isEqualTo(new Cost(5 * 48, 5 * 4 * 26));
        Cost transposed = Cost.of("ConvolutionBenchmark.backwardInput", Map.of("shape", "1x56x3x5x2x2x1"));
        assertThat(transposed).isEqualTo(new Cost(2.0 * 28 * 28 * 5 * 4 * 3, 4.0 * (56 * 56 * 3 + 28 * 28 * 5 + 4 * 3 * 5)));
        assertThat(Cost.of("StoredLinearBenchmark.forward", Map.of("linear", "2x3x5", "weights", "I8")))
                .isEqualTo(new Cost(60, 4 * (6 + 10 + 5 + 5) + 15));
        assertThat(Cost.of("StoredLinearBenchmark.backward", Map.of("linear", "2x3x5", "weights", "BF16")))
                .isEqualTo(new Cost(60, 4 * (6 + 10) + 30));
        assertThat(Cost.of("InvertedResidualBenchmark.block", Map.of("block", "1x5x2x12x3x2"))).isEqualTo(new Cost(
                2.0 * (25 * 24 + 9 * 12 * 9 + 9 * 36), 4.0 * (50 + 27 + 24 + 108 + 36 + 12 + 12 + 3)));
        assertThat(Cost.of("DataBenchmark.decodeResizeCrop", Map.of("workers", "1"))).isNull();
    }

    /** Inputs and outputs once, however often an op has to read them. */
    @Test
    void memoryBoundOpsMoveTheirTensorsOnce() {
        double image = 4.0 * 16 * 56 * 56 * 64;
        assertThat(bytes("batchNormForward")).isEqualTo(2 * image);
        assertThat(bytes("batchNormBackward")).isEqualTo(3 * image);
        assertThat(bytes("dropout")).isEqualTo(2 * image);
        assertThat(bytes("add")).isEqualTo(3 * image);
    }

    @Test
    void everyMemoryBoundOpIsCounted() {
        assertThat(MemoryBoundBenchmark.class.getDeclaredMethods())
                .filteredOn(m -> Modifier.isPublic(m.getModifiers()) && !m.getName().equals("setup"))
                .hasSizeGreaterThan(15)
                .allSatisfy(m -> assertThat(Cost.of("MemoryBoundBenchmark." + m.getName(), Map.of())).isNotNull());
    }

    /** Of ops of the catalogue as of the same work elsewhere in the suite. */
    @Test
    void productsOfTheCatalogueCountAsElsewhere() {
        ConvParams strided = ConvParams.of(2, 1);
        TensorSpec x = f32(4, 7, 7, 6);
        TensorSpec w = f32(8, 3, 3, 6);
        TensorSpec y = f32(4, 4, 4, 8);
        Cost conv = Cost.of("ConvolutionBenchmark.forward", Map.of("shape", "4x7x6x8x3x2x1"));
        assertThat(cost(new ConvOp.Conv2d(strided), x, w)).isEqualTo(conv);
        assertThat(cost(new ConvOp.Conv2dBackwardInput(strided, 7, 7), y, w)).isEqualTo(conv);
        assertThat(cost(new ConvOp.Conv2dBackwardWeight(strided, 3, 3), x, y)).isEqualTo(conv);
        assertThat(cost(new FusedOp.ConvBiasActivation(strided, RELU), x, w, f32(8), y))
                .isEqualTo(new Cost(conv.flops(), conv.bytes() + 4 * (8 + 4 * 4 * 4 * 8)));
        assertThat(cost(new FusedOp.InvertedResidual(ConvParams.of(2, 1).withGroups(12), RELU), f32(1, 5, 5, 2),
                f32(12, 1, 1, 2), f32(12), f32(12, 3, 3, 1), f32(12), f32(3, 1, 1, 12), f32(3)))
                .isEqualTo(Cost.of("InvertedResidualBenchmark.block", Map.of("block", "1x5x2x12x3x2")));
        assertThat(cost(new MatMul(true, false), f32(5, 4, 2), f32(5, 4, 3)))
                .isEqualTo(Cost.of("MatMulBenchmark.matmul", Map.of("mnk", "5x2x3x4", "form", "TN")));
        assertThat(cost(new StoredLinearOp.StoredLinear(true), f32(2, 3), new TensorSpec(DType.I8, Shape.of(5, 3)), f32(5),
                f32(5))).isEqualTo(Cost.of("StoredLinearBenchmark.forward", Map.of("linear", "2x3x5", "weights", "I8")));
        assertThat(cost(new StoredLinearOp.StoredLinearBackward(), f32(2, 5), new TensorSpec(DType.BF16, Shape.of(5, 3))))
                .isEqualTo(Cost.of("StoredLinearBenchmark.backward", Map.of("linear", "2x3x5", "weights", "BF16")));
        assertThat(cost(new FusedOp.LinearBiasActivation(RELU), f32(7, 3), f32(5, 3), f32(5)).flops())
                .isEqualTo(2 * 7 * 5 * 3);
        assertThat(cost(new FusedOp.Projections(3), f32(7, 4), f32(6, 4), f32(6)).flops()).isEqualTo(2 * 7 * 6 * 4);
        TensorSpec dy = f32(7, 2);
        assertThat(cost(new FusedOp.ProjectionsBackward(3, true, true), dy, dy, dy, f32(6, 4), f32(7, 4)).flops())
                .isEqualTo(2 * 2 * 7 * 6 * 4);
    }

    @Test
    void attentionOfTheCatalogueCountsWhatTheOrderAllows() {
        TensorSpec q = f32(2, 3, 4, 8);
        TensorSpec k = f32(2, 5, 4, 8);
        double pair = 2.0 * 2 * 4 * 8;
        assertThat(cost(new AttentionOp.Attention(1, false), q, k, k).flops()).isEqualTo(2 * pair * 15);
        assertThat(cost(new AttentionOp.Attention(1, true), q, k, k).flops()).isEqualTo(2 * pair * (3 + 4 + 5));
        assertThat(cost(new AttentionOp.AttentionBackward(1, true, false), k, k, q, q, k, f32(2, 4, 5)).flops())
                .isEqualTo(5 * pair * (0 + 0 + 1 + 2 + 3));
    }

    @Test
    void opsOfTheCatalogueCountWhatTheyMove() {
        assertThat(cost(new ElementwiseOp.UnaryBackward(UnaryFn.RELU, 0), f32(3, 5), f32(3, 5))).isEqualTo(new Cost(0, 180));
        assertThat(cost(new LayoutOp.Reshape(Shape.of(15)), f32(3, 5)).bytes()).isZero();
        assertThat(cost(new LayoutOp.Slice(new int[] {0, 1}, new int[] {3, 3}, new int[] {1, 1}), f32(3, 5)).bytes())
                .isEqualTo(2 * 4 * 6);
        assertThat(cost(new IndexOp.Take(), f32(1000, 5), new TensorSpec(DType.I32, Shape.of(2))).bytes())
                .isEqualTo(8 + 2 * 4 * 10);
        TensorSpec p = f32(10);
        assertThat(OpCost.of(new Update.Assign(), p).bytes()).isEqualTo(80);
        assertThat(OpCost.of(new Update.Axpby(1, 2), p).bytes()).isEqualTo(120);
        assertThat(OpCost.of(new Update.Sgd(1, 0, 0, 0, false, false), p).bytes()).isEqualTo(120);
        assertThat(OpCost.of(new Update.Sgd(1, 0.9, 0, 0, false, true), p).bytes()).isEqualTo(160);
        assertThat(OpCost.of(new Update.Sgd(1, 0.9, 0, 0, false, false), p).bytes()).isEqualTo(200);
        assertThat(OpCost.of(new Update.Adam(1, 0.9, 0.9, 1, 0, true, 1), p).bytes()).isEqualTo(280);
        assertThat(OpCost.of(new Update.RmsProp(1, 0.9, 1, 0, 0), p).bytes()).isEqualTo(200);
        assertThat(OpCost.of(new Update.RmsProp(1, 0.9, 1, 0, 0.9), p).bytes()).isEqualTo(280);
    }

    @Test
    void everyRowOfTheCatalogueIsCounted() {
        for (CatalogueRow r : CatalogueRow.rows()) {
            Cost c = Cost.of("CatalogueBenchmark.run", Map.of("op", r.name()));
            assertThat(c).as(r.name()).isEqualTo(r.cost());
            assertThat(c.bytes()).as(r.name()).matches(b -> b > 0 == !r.label().equals("reshape"));
            boolean product = r.label().matches("(matmul|stored_linear|conv2d|attention|inverted|linear|projections).*");
            assertThat(c.flops()).as(r.name()).matches(f -> f > 0 == product);
        }
    }

    private static Cost cost(Op op, TensorSpec... in) {
        return OpCost.of(op, in);
    }

    private static TensorSpec f32(int... dims) {
        return new TensorSpec(DType.F32, Shape.of(dims));
    }

    private static double bytes(String op) {
        return Cost.of("MemoryBoundBenchmark." + op, Map.of()).bytes();
    }

    @Test
    void theSlowerLimitIsThePeak() {
        assertThat(new Cost(50e9, 1e9).share(1, PEAK)).isEqualTo(0.5);      // 0.5 s of operations, 0.1 s of bytes
        assertThat(new Cost(1e9, 5e9).share(1, PEAK)).isEqualTo(0.5);
    }

    @Test
    void shapesComeFromTheNetworks() {
        assertThat(NetworkShapes.convolutions()).contains("8x224x3x64x7x2x1", "8x7x512x512x3x1x1", "8x14x1024x256x1x1x1",
                "8x112x96x96x3x2x96").hasSizeGreaterThan(50);
    }
}
