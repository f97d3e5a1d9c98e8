package dev.graft.benchmarks.peers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class StolenTimeTest {
    @Test
    void theEighthFieldCountsHundredths() {
        assertThat(StolenTime.of("cpu  6767206 23939 379806 1996014 5260 0 2684 52342 0 0")).isEqualTo(523.42);
        assertThat(StolenTime.of("cpu  1 2 3 4")).as("kernels before 2.6.11 do not tell").isZero();
    }

    @Test
    void theShareIsOfAllProcessors() {
        int processors = Runtime.getRuntime().availableProcessors();
        StolenTime before = new StolenTime(5, 0);
        StolenTime after = new StolenTime(5 + 0.3 * processors, 3_000_000_000L);
        assertThat(before.shareUntil(after)).isEqualTo(0.1, within(1e-9));
        assertThat(before.shareUntil(before)).isZero();
        assertThat(StolenTime.now().seconds()).isNotNegative();
    }
}
