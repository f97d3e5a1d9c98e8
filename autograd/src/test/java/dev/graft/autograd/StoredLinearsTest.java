package dev.graft.autograd;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.tensor.op.StoredLinearOp.StoredLinear;
import org.junit.jupiter.api.Test;

/** What a tape keeps for layers with stored weights: bit i is input i. */
class StoredLinearsTest {
    @Test
    void theBiasIsNotKept() {
        assertThat(GradientTable.saves(new StoredLinear(true), new boolean[] {true, false, true})).isEqualTo(0b10);
        assertThat(GradientTable.saves(new StoredLinear(false), new boolean[] {true, false})).isEqualTo(0b10);
        assertThat(GradientTable.saves(new StoredLinear(true), new boolean[] {true, false, false, true})).isEqualTo(0b110);
        assertThat(GradientTable.saves(new StoredLinear(false), new boolean[] {true, false, false})).isEqualTo(0b110);
    }

    @Test
    void aGradientByTheBiasAloneNeedsNoWeight() {
        assertThat(GradientTable.saves(new StoredLinear(true), new boolean[] {false, false, true})).isZero();
        assertThat(GradientTable.saves(new StoredLinear(true), new boolean[] {false, false, false, true})).isZero();
    }
}
