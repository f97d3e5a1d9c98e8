package dev.graft.benchmarks.peers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.junit.jupiter.api.Test;

class StolenTimeTest {
    @Test
    void theEighthFieldCountsHundredths() {
        StolenTime read = StolenTime.of(List.of("cpu  6767206 23939 379806 1996014 5260 0 2684 52342 0 0",
                "cpu0 3383603 11969 189903 998007 2630 0 1342 26171 0 0",
                "cpu11 3383603 11970 189903 998007 2630 0 1342 26171 0 0", "intr 9 0", "ctxt 2", "processes 4"), 7);
        assertThat(read).isEqualTo(new StolenTime(523.42, 2, 7));
        assertThat(StolenTime.of(List.of("cpu  1 2 3 4", "cpu0 1 2 3 4"), 0)).as("kernels before 2.6.11 do not tell")
                .isEqualTo(new StolenTime(0, 1, 0));
        assertThat(StolenTime.of(List.of(), 0)).as("no such file").isEqualTo(new StolenTime(0, 0, 0));
    }

    @Test
    void theShareIsOfAllProcessorsOfTheMachine() {
        StolenTime before = new StolenTime(5, 192, 0);
        StolenTime after = new StolenTime(5 + 0.3 * 192, 192, 3_000_000_000L);
        assertThat(before.shareUntil(after)).isEqualTo(0.1, within(1e-9));
        assertThat(before.shareUntil(before)).isZero();
        StolenTime unknown = new StolenTime(0, 0, 0);
        assertThat(unknown.shareUntil(new StolenTime(0, 0, 3_000_000_000L))).isZero();
        assertThat(StolenTime.now().seconds()).isNotNegative();
    }
}
