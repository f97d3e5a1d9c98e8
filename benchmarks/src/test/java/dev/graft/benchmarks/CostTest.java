package dev.graft.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

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
