package dev.graft.pretrained;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class WarmUpTest {
    private long now = 5_000_000_000L;
    private int passes;

    /** With passes that take so many milliseconds, the last of them again and again. */
    private WarmUp run(long... millis) {
        return WarmUp.until(() -> now, () -> now += 1_000_000 * millis[Math.min(passes++, millis.length - 1)]);
    }

    @Test
    void endsWhenPassesGetNoFaster() {
        WarmUp w = run(900, 400, 200, 100);
        assertThat(w).isEqualTo(new WarmUp(4 + 15, Duration.ofMillis(900), Duration.ofMillis(100)));   // 1.5 s later
        assertThat(passes).isEqualTo(w.passes());
    }

    @Test
    void aLittleFasterIsNoFaster() {
        assertThat(run(1000, 990, 980, 970, 960)).isEqualTo(new WarmUp(4, Duration.ofMillis(1000), Duration.ofMillis(970)));
    }

    @Test
    void slowPassesAreSeveral() {
        assertThat(run(4000).passes()).isEqualTo(4);        // three that were not faster
        passes = 0;
        assertThat(run(20_000).passes()).isEqualTo(2);      // half a minute is over
    }
}
