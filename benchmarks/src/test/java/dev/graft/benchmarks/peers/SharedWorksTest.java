package dev.graft.benchmarks.peers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.lang.syntax.ArchRuleDefinition;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class SharedWorksTest {
    @Test
    void whatAllEnginesShareNeedsNothingButTheJdk() {
        ArchRuleDefinition.classes().that().resideInAPackage("dev.graft.benchmarks.peers").should().onlyDependOnClassesThat()
                .resideInAnyPackage("java..", "dev.graft.benchmarks.peers")
                .check(new ClassFileImporter().importPackages("dev.graft.benchmarks.peers")
                        .that(DescribedPredicate.describe("no test", c -> !c.getName().endsWith("Test"))));
    }

    @Test
    void rowsNameWorksThatExistAndNoRowStandsTwice() {
        for (Rows.Peer peer : Rows.Peer.values()) {
            List<String> names = new ArrayList<>();
            for (Row r : Rows.of(peer, true)) {
                names.add(r.name());
                assertThat(r.bar()).as(r.name()).matches(b -> b > 0.5 || b == Row.NO_BAR);
                if (r.kind() != Row.Kind.PREDICT) {
                    assertThat(r.ours()).as(r.name()).isNotEmpty().allSatisfy(w -> assertThat(Works.byName(w)).isNotNull());
                    assertThat(r.theirs()).as(r.name()).isNotEmpty()
                            .allSatisfy(w -> assertThat(Works.byName(w)).isNotNull());
                }
            }
            assertThat(names).doesNotHaveDuplicates();
        }
    }

    @Test
    void valuesAreEvenlySpreadAndDependOnTheName() {
        float[] a = Values.uniform("a", 100_000, -2, 4);
        double sum = 0;
        for (float v : a) {
            assertThat(v).isBetween(-2f, 4f);
            sum += v;
        }
        assertThat(sum / a.length).isCloseTo(1, within(0.02));
        assertThat(Values.of("b", 4)).isNotEqualTo(Values.of("a", 4));
        assertThat(Values.of("a", 2, 2)).isEqualTo(Values.of("a", 4));
    }

    @Test
    void channelsMoveToTheFrontAndBack() {
        float[] nhwc = {1, 10, 2, 20, 3, 30, 4, 40, 5, 50, 6, 60};      // [1, 2, 3, 2]
        float[] nchw = Values.channelsFirst(nhwc, 1, 2, 3, 2);
        assertThat(nchw).containsExactly(1, 2, 3, 4, 5, 6, 10, 20, 30, 40, 50, 60);
        assertThat(Values.channelsLast(nchw, 1, 2, 2, 3)).isEqualTo(nhwc);
    }

    @Test
    void fingerprintsTellWhatDiffers() {
        float[] x = Values.of("x", 1000);
        Fingerprint a = Fingerprint.of(x);
        assertThat(Fingerprint.parse(a.text()).difference(a)).isLessThan(1e-8);
        float[] close = x.clone();
        float[] swapped = x.clone();
        for (int i = 0; i < x.length; i++) {
            close[i] *= 1.0001f;
            swapped[i] = x[x.length - 1 - i];       // the same sums
        }
        assertThat(a.difference(Fingerprint.of(close))).isBetween(1e-6, 1e-3);
        assertThat(a.difference(Fingerprint.of(swapped))).isGreaterThan(0.1);
        assertThat(a.difference(Fingerprint.of(new float[999]))).isInfinite();
        close[3] = Float.NaN;
        assertThat(a.difference(Fingerprint.of(close))).isInfinite();
    }

    @Test
    void aFoldedUnitIsTheConvolutionAndItsBatchNorm() {
        ConvNet.Unit u = new ConvNet.Unit("c", "n", 3, 2, 1, 1, 1, ConvNet.Act.NONE, false);
        float[] weight = u.weight();
        float[] folded = u.weight();
        float[] bias = u.fold(folded);
        float[] x = {0.5f, -1, 2};
        for (int o = 0; o < 2; o++) {
            double y = 0;
            double z = bias[o];
            for (int i = 0; i < 3; i++) {
                y += weight[3 * o + i] * x[i];
                z += folded[3 * o + i] * x[i];
            }
            double expected = (y - u.mean()[o]) / Math.sqrt(u.variance()[o] + ConvNet.EPS) * u.gamma()[o] + u.beta()[o];
            assertThat(z).isCloseTo(expected, within(1e-5));
        }
    }

    @Test
    void timesAreMedians() {
        assertThat(Stopwatch.Times.of(List.of(5.0, 1.0, 3.0))).isEqualTo(new Stopwatch.Times(3, 1, 3));
        assertThat(Stopwatch.Times.of(List.of(4.0, 1.0)).median()).isEqualTo(2.5);
    }
}
