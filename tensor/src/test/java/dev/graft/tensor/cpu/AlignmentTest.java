package dev.graft.tensor.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class AlignmentTest {
    @Test
    void leavesOutWhatLiesBetweenTheHeaderAndTheNextCacheLine() {
        assertThat(Alignment.first(64)).isEqualTo(12);
        assertThat(Alignment.first(128)).isEqualTo(12);
        assertThat(Alignment.first(8)).isZero();
        assertThat(Alignment.first(32)).isZero();
        assertThat(Alignment.first(0)).isZero();
        assertThat(Alignment.first(-64)).isZero();
    }
}
