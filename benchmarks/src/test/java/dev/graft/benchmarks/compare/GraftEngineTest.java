package dev.graft.benchmarks.compare;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.benchmarks.peers.ConvNet;
import dev.graft.benchmarks.peers.Engine;
import dev.graft.benchmarks.peers.Fingerprint;
import dev.graft.benchmarks.peers.Values;
import dev.graft.benchmarks.peers.Work;
import dev.graft.benchmarks.peers.Work.Pass;
import dev.graft.benchmarks.peers.Works;
import dev.graft.tensor.Context;
import dev.graft.tensor.cpu.PackedCache;
import dev.graft.tensor.reference.ReferenceBackend;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Our side computes what it says, on small works; the peers' fingerprints of the same works were the same. */
class GraftEngineTest {
    private static Fingerprint fast(Work w) {
        try (Engine.Prepared p = new GraftEngine().prepare(w)) {
            return Fingerprint.of(p.result());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"gemm/7x9x5/tn", "conv3x3/16x10/b2/fwd", "conv3x3/16x10/b2/bwd_data",
        "conv3x3/16x10/b2/bwd_weight", "conv3x3s2/8-16x9/b2/bwd", "depthwise3x3/16x10/b2/bwd"})
    void agreesWithTheReference(String name) {
        Fingerprint slow = Context.current().withCpu(new ReferenceBackend()).call(() -> fast(Works.byName(name)));
        assertThat(fast(Works.byName(name)).difference(slow)).isLessThan(1e-4);
    }

    @Test
    void aProductIsTheSumOfProducts() {
        Work.Gemm g = new Work.Gemm(Work.Gemm.Form.TN, 7, 5, 9);
        float[] a = Values.of("a", 9, 7);
        float[] b = Values.of("b", 9, 5);
        float[] c = new float[35];
        for (int i = 0; i < 7; i++) {
            for (int j = 0; j < 5; j++) {
                double sum = 0;
                for (int k = 0; k < 9; k++) {
                    sum += a[k * 7 + i] * b[k * 5 + j];
                }
                c[i * 5 + j] = (float) sum;
            }
        }
        assertThat(fast(g).difference(Fingerprint.of(c))).isLessThan(1e-5);
    }

    /** What libtorch 2.10 gave for the same weights and images: the logits' two sums, losses of the first and third step. */
    @Test
    void aResNet18HasTheOtherEnginesLogitsAndLosses() {
        Fingerprint logits = fast(new Work.Net(ConvNet.resnet18(), 2, Work.Task.INFERENCE));
        assertThat(logits.difference(new Fingerprint(20, -6.0446627, 15.9455058, logits.samples()))).isLessThan(1e-4);
        assertThat(fast(new Work.Net(ConvNet.resnet18(), 2, Work.Task.HEAD_STEP)).difference(
                new Fingerprint(2, 3.21603131, 3.21603131, new double[] {2.31163621, 0.904395103}))).isLessThan(1e-4);
    }

    @Test
    void frozenAndForwardAreTheSame() {
        Work.Conv c = new Work.Conv(2, 10, 16, 16, 3, 1, 1, Pass.FORWARD);
        PackedCache.clear();
        Fingerprint fresh = fast(c);
        assertThat(PackedCache.bytes()).isZero();
        try (Engine.Prepared p = new GraftEngine().prepare(c.with(Pass.FORWARD_FROZEN))) {
            for (int i = 0; i < 3; i++) {
                p.run();
            }
            assertThat(PackedCache.bytes()).isPositive();
            assertThat(Fingerprint.of(p.result()).difference(fresh)).isLessThan(1e-6);
        }
    }
}
