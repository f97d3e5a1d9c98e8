package dev.graft.benchmarks.compare;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.benchmarks.peers.Fingerprint;
import dev.graft.benchmarks.peers.Row;
import dev.graft.benchmarks.peers.Rows;
import dev.graft.benchmarks.peers.Rows.Peer;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class ComparisonTest {
    private static final Row ROW = new Row("row", Row.Kind.TIME, List.of("fwd", "bwd"), List.of("whole"), 2, true);
    private static final Fingerprint PRINT = Fingerprint.of(new float[] {1, 2, 3});

    private static Measured measured(double[][] rounds) {
        Measured m = new Measured();
        for (int r = 0; r < rounds.length; r++) {
            m.add("ours", r, "fwd", new Sample(rounds[r][0], Fingerprint.of(new float[] {7})));
            m.add("ours", r, "bwd", new Sample(rounds[r][1], PRINT));
            m.add("peer", r, "whole", new Sample(rounds[r][2], PRINT));
        }
        return m;
    }

    @Test
    void ratiosAreTakenWithinARoundAndTheirMedianCounts() {
        // the second round ran while everything was slow by 10: the medians' ratio would say 3.0
        Measured.Line l = measured(new double[][] {{1, 1, 6}, {10, 10, 40}, {1, 2, 9}}).line(ROW, "ours", "peer", 3);
        assertThat(l.ratios()).containsExactly(3, 2, 3);
        assertThat(l.ratio()).isEqualTo(3);
        assertThat(l.least()).isEqualTo(2);
        assertThat(l.most()).isEqualTo(3);
        assertThat(l.ours()).isEqualTo(3);
        assertThat(l.theirs()).isEqualTo(9);
        assertThat(l.same()).isTrue();
        assertThat(l.reached()).isTrue();
    }

    @Test
    void anEvenNumberOfRoundsTakesTheMiddle() {
        assertThat(measured(new double[][] {{1, 1, 2}, {1, 1, 4}}).line(ROW, "ours", "peer", 2).ratio())
                .isCloseTo(1.5, within(1e-12));
    }

    @Test
    void aDifferentResultReachesNoBar() {
        Measured m = measured(new double[][] {{1, 1, 60}, {1, 1, 60}});
        m.add("peer", 1, "whole", new Sample(60, Fingerprint.of(new float[] {1, 2, 3.1f})));
        Measured.Line l = m.line(ROW, "ours", "peer", 2);
        assertThat(l.same()).isFalse();
        assertThat(l.reached()).isFalse();
        assertThat(new Table("peer", List.of(l)).text()).contains("RESULTS DIFFER").contains("0 of 1 rows");
    }

    @Test
    void aRoundThatLacksAWorkIsLeftOutAndAFailureIsTold() {
        Measured m = measured(new double[][] {{1, 1, 6}});
        m.add("ours", 1, "fwd", new Sample(1, PRINT));
        assertThat(m.line(ROW, "ours", "peer", 2).ratios()).containsExactly(3);
        Measured none = new Measured();
        none.failed("peer", "whole", "no such op");
        Measured.Line l = none.line(ROW, "ours", "peer", 2);
        assertThat(l.reached()).isFalse();
        assertThat(l.problem()).isEqualTo("peer: no such op");
        assertThat(new Table("peer", List.of(l)).text()).contains("no such op");
    }

    @Test
    void theTableSaysHowMuchOfABarIsReached() {
        Measured m = measured(new double[][] {{1, 1, 3}});
        String text = new Table("peer", List.of(m.line(ROW, "ours", "peer", 1))).text();
        assertThat(text).contains("1.50").contains("no, 75 % of it").contains("0 of 1 rows reach their bar,")
                .contains("1 miss it in every turn");
        Measured changing = measured(new double[][] {{1, 1, 3}, {1, 1, 6}, {1, 1, 5}});
        assertThat(new Table("peer", List.of(changing.line(ROW, "ours", "peer", 3))).text())
                .contains("1 of 1 rows reach their bar, 0 of them in every turn; 0 miss it in every turn");
        Row bare = new Row(ROW.name(), ROW.kind(), ROW.ours(), ROW.theirs(), Row.NO_BAR, ROW.exact());
        assertThat(new Table("peer", List.of(m.line(bare, "ours", "peer", 1))).text()).contains("1.50").doesNotContain("yes")
                .doesNotContain("reach their bar");
    }

    @Test
    void bothSidesOfARowTakeTurnsInOneUnit() {
        for (Peer peer : Peer.values()) {
            for (Row r : Rows.of(peer, true)) {
                if (r.kind() == Row.Kind.TIME) {
                    assertThat(Stream.concat(r.ours().stream(), r.theirs().stream()).map(Compare::unit).distinct())
                            .as(r.name()).hasSize(1);
                }
            }
        }
    }

    @Test
    void optionsAreReadAndRefusedWithAReason() {
        Options o = Options.parse("--peer", "djl", "--only", "gemm", "--rounds", "5", "--seconds", "0.2", "--threads", "1");
        assertThat(o.peers()).containsExactly(Peer.DJL);
        assertThat(o.rounds()).isEqualTo(5);
        assertThat(o.seconds()).isEqualTo(0.2);
        assertThat(o.threads()).isEqualTo(1);
        assertThat(Options.parse().peers()).containsExactly(Peer.TORCH, Peer.DJL);
        assertThat(Options.parse().rounds()).isGreaterThanOrEqualTo(3);
        assertThat(Options.parse().avx2()).isFalse();
        assertThat(Options.parse("--avx2", "--minutes", "17.5").minutes()).isEqualTo(17.5);
        assertThatThrownBy(() -> Options.parse("--avx2", "--peer", "onnxruntime"))
                .hasMessageContaining("only torch and djl");
        assertThatThrownBy(() -> Options.parse("--rounds", "0")).hasMessageContaining("--rounds is 0");
        assertThatThrownBy(() -> Options.parse("--peer", "mkl")).hasMessageContaining("torch, djl");
        assertThatThrownBy(() -> Options.parse("--only", "(")).hasMessageContaining("no regular expression");
        assertThatThrownBy(() -> Options.parse("--fast")).hasMessageContaining("unknown argument --fast");
        assertThatThrownBy(() -> Options.parse("--only")).hasMessageContaining("needs a value");
    }
}
