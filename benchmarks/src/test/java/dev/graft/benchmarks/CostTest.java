package dev.graft.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

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
        assertThat(Cost.of("DataBenchmark.decodeResizeCrop", Map.of("workers", "1"))).isNull();
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
