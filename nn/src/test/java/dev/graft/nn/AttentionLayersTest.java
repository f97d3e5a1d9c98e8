package dev.graft.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.autograd.GradCheck;
import dev.graft.autograd.Gradients;
import dev.graft.autograd.Tape;
import dev.graft.tensor.DType;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Attention and transformer layers against loops over doubles that follow the formulas, and gradients by differences. */
class AttentionLayersTest {
    private static final int SIZE = 6;
    private static final int HEADS = 2;
    private Scope scope;

    @BeforeEach
    void open() {
        scope = Scope.open("test");
    }

    @AfterEach
    void close() {
        scope.close();
    }

    // ------------------------------------------------------------------ the naive twin, for one sample

    private static double[][] rows(Tensor x, int sample) {
        double[][] r = new double[x.dim(1)][x.dim(2)];
        for (int t = 0; t < r.length; t++) {
            for (int c = 0; c < r[t].length; c++) {
                r[t][c] = x.get(sample, t, c);
            }
        }
        return r;
    }

    private static double[][] linear(double[][] x, Tensor w, Tensor b, int from, int out) {
        double[][] y = new double[x.length][out];
        for (int t = 0; t < x.length; t++) {
            for (int o = 0; o < out; o++) {
                y[t][o] = b == null ? 0 : b.get(from + o);
                for (int c = 0; c < x[t].length; c++) {
                    y[t][o] += x[t][c] * w.get(from + o, c);
                }
            }
        }
        return y;
    }

    private static double[][] attention(MultiheadAttention m, double[][] x, double[][] memory, boolean[] mask,
                                        boolean causal) {
        Tensor w = m.parameters().get("in_proj_weight").value();
        Tensor b = m.parameters().containsKey("in_proj_bias") ? m.parameters().get("in_proj_bias").value() : null;
        double[][] q = linear(x, w, b, 0, SIZE);
        double[][] k = linear(memory, w, b, SIZE, SIZE);
        double[][] v = linear(memory, w, b, 2 * SIZE, SIZE);
        int d = SIZE / HEADS;
        double[][] o = new double[x.length][SIZE];
        for (int h = 0; h < HEADS; h++) {
            for (int i = 0; i < x.length; i++) {
                double[] p = new double[memory.length];
                double sum = 0;
                for (int j = 0; j < memory.length; j++) {
                    boolean seen = (mask == null || mask[j]) && (!causal || j <= i + memory.length - x.length);
                    double s = 0;
                    for (int c = h * d; c < (h + 1) * d; c++) {
                        s += q[i][c] * k[j][c];
                    }
                    p[j] = seen ? Math.exp(s / Math.sqrt(d)) : 0;
                    sum += p[j];
                }
                for (int j = 0; j < memory.length && sum > 0; j++) {
                    for (int c = h * d; c < (h + 1) * d; c++) {
                        o[i][c] += p[j] / sum * v[j][c];
                    }
                }
            }
        }
        return linear(o, m.parameters().get("out_proj.weight").value(),
                b == null ? null : m.parameters().get("out_proj.bias").value(), 0, SIZE);
    }

    private static double[][] norm(double[][] x, Module n) {
        double[][] y = new double[x.length][];
        for (int t = 0; t < x.length; t++) {
            double mean = java.util.Arrays.stream(x[t]).average().orElseThrow();
            double var = java.util.Arrays.stream(x[t]).map(v -> (v - mean) * (v - mean)).average().orElseThrow();
            y[t] = new double[x[t].length];
            for (int c = 0; c < y[t].length; c++) {
                y[t][c] = (x[t][c] - mean) / Math.sqrt(var + 1e-5) * n.parameters().get("weight").value().get(c)
                        + n.parameters().get("bias").value().get(c);
            }
        }
        return y;
    }

    private static double[][] add(double[][] a, double[][] b) {
        double[][] y = new double[a.length][a[0].length];
        for (int t = 0; t < a.length; t++) {
            for (int c = 0; c < y[t].length; c++) {
                y[t][c] = a[t][c] + b[t][c];
            }
        }
        return y;
    }

    private static double[][] feedForward(Module layer, double[][] x, int hidden) {
        double[][] h = linear(x, value(layer, "linear1.weight"), value(layer, "linear1.bias"), 0, hidden);
        for (double[] row : h) {
            for (int c = 0; c < row.length; c++) {
                row[c] = Math.max(0, row[c]);
            }
        }
        return linear(h, value(layer, "linear2.weight"), value(layer, "linear2.bias"), 0, SIZE);
    }

    private static Tensor value(Module m, String path) {
        return m.parameters().get(path).value();
    }

    private static TransformerEncoderLayer layer(double dropout, boolean normFirst) {
        return new TransformerEncoderLayer(SIZE, HEADS, 5, dropout, Activation.gelu(), 1e-5, normFirst);
    }

    private static void assertRows(Tensor y, int sample, double[][] expected) {
        double[][] got = rows(y, sample);
        for (int t = 0; t < expected.length; t++) {
            assertThat(got[t]).as("sample " + sample + ", place " + t).containsExactly(expected[t], within(1e-4));
        }
    }

    // ------------------------------------------------------------------ tests

    private static final boolean[][] MASK = {{true, true, false, true}, {true, false, false, false}};

    private static Tensor mask() {
        boolean[] flat = new boolean[8];
        for (int i = 0; i < 8; i++) {
            flat[i] = MASK[i / 4][i % 4];
        }
        return Tensor.of(flat, 2, 4);
    }

    @ParameterizedTest
    @CsvSource({"false, false, true", "true, false, true", "false, true, true", "true, true, false"})
    void attentionIsItsFormula(boolean masked, boolean causal, boolean bias) {
        MultiheadAttention m = Samples.randomize(new MultiheadAttention(SIZE, HEADS, bias), 1);
        Tensor x = Samples.floats(50, 2, 3, SIZE);
        Tensor memory = Samples.floats(51, 2, 4, SIZE);
        Tensor y = m.call(x, memory, masked ? mask() : null, causal);
        for (int n = 0; n < 2; n++) {
            assertRows(y, n, attention(m, rows(x, n), rows(memory, n), masked ? MASK[n] : null, causal));
        }
        Tensor self = m.call(x);
        assertRows(self, 1, attention(m, rows(x, 1), rows(x, 1), null, false));
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void anEncoderLayerIsItsFormula(boolean normFirst) {
        TransformerEncoderLayer l = Samples.randomize(
                new TransformerEncoderLayer(SIZE, HEADS, 5, 0.1, Activation.relu(), 1e-5, normFirst), 3);
        Tensor x = Samples.floats(52, 2, 4, SIZE);
        Tensor y = l.call(x, mask(), false);
        MultiheadAttention a = (MultiheadAttention) l.at("self_attn");
        for (int n = 0; n < 2; n++) {
            double[][] r = rows(x, n);
            double[][] expected;
            if (normFirst) {
                double[][] v = norm(r, l.at("norm1"));
                double[][] z = add(r, attention(a, v, v, MASK[n], false));
                expected = add(z, feedForward(l, norm(z, l.at("norm2")), 5));
            } else {
                double[][] z = norm(add(r, attention(a, r, r, MASK[n], false)), l.at("norm1"));
                expected = norm(add(z, feedForward(l, z, 5)), l.at("norm2"));
            }
            assertRows(y, n, expected);
        }
    }

    @Test
    void namesArePyTorchs() {
        TransformerEncoder e = new TransformerEncoder(2, () -> layer(0, true), new LayerNorm(SIZE));
        assertThat(e.parameters().keySet()).contains("layers.1.self_attn.in_proj_weight", "layers.1.self_attn.in_proj_bias",
                "layers.1.self_attn.out_proj.weight", "layers.1.self_attn.out_proj.bias", "layers.0.linear1.weight",
                "layers.0.linear2.bias", "layers.0.norm1.weight", "layers.0.norm2.bias", "norm.weight").hasSize(2 * 12 + 2);
        assertThat(new TransformerEncoderLayer(8, 2).parameters().get("linear1.weight").shape().dim(0)).isEqualTo(2048);
        e.initialize(4);
        assertThat(e.parameters().get("layers.0.self_attn.in_proj_bias").value().toFloats()).containsOnly(0);
        assertThat(e.parameters().get("layers.0.self_attn.out_proj.bias").value().toFloats()).containsOnly(0);
        float bound = (float) Math.sqrt(6.0 / (4 * SIZE));
        assertThat(value(e, "layers.0.self_attn.in_proj_weight").abs().max().item()).isBetween(0.8 * bound, 1.0 * bound);
    }

    @Test
    void anEncoderIsItsLayersInTurn() {
        TransformerEncoder e = new TransformerEncoder(3, () -> layer(0, true), new LayerNorm(SIZE));
        Samples.randomize(e, 5);
        Tensor x = Samples.floats(53, 2, 4, SIZE);
        Tensor y = x;
        for (int i = 0; i < 3; i++) {
            y = ((TransformerEncoderLayer) e.at("layers." + i)).call(y, mask(), true);
        }
        assertThat(e.call(x, mask(), true).toFloats()).isEqualTo(e.at("norm").call(y).toFloats());
        assertThatThrownBy(() -> e.call(Samples.floats(1, 2, 4, 5))).isInstanceOf(GraftException.class)
                .hasMessageContaining("layers.0");
    }

    @Test
    void laterPlacesDoNotMatterToCausalAttention() {
        TransformerEncoderLayer l = Samples.randomize(layer(0, true), 6);
        Tensor x = Samples.floats(54, 1, 4, SIZE);
        Tensor other = Tensor.concat(1, x.slice(1, 0, 3), Samples.floats(55, 1, 1, SIZE));
        assertThat(l.call(x, null, true).slice(1, 0, 3).toFloats())
                .isEqualTo(l.call(other, null, true).slice(1, 0, 3).toFloats());
        assertThat(l.call(x, null, false).slice(1, 0, 3).toFloats())
                .isNotEqualTo(l.call(other, null, false).slice(1, 0, 3).toFloats());
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void gradients(boolean normFirst) {
        Samples.checkGradients(new MultiheadAttention(SIZE, HEADS), false, Samples.doubles(56, 2, 3, SIZE));
        Samples.checkGradients(layer(0.2, normFirst), true, Samples.doubles(57, 2, 3, SIZE));
        Samples.checkGradients(new PositionalEmbedding(4, SIZE), false, Samples.doubles(58, 2, 3, SIZE));
    }

    @Test
    void crossAttentionHasGradientsByBothInputs() {
        MultiheadAttention m = new MultiheadAttention(SIZE, HEADS);
        m.parameters().values().forEach(p -> p.assign(Samples.doubles(p.size(), p.shape().dims())));
        GradCheck.of(t -> m.call(t[0], t[1], mask(), true), Samples.doubles(59, 2, 3, SIZE),
                Samples.doubles(60, 2, 4, SIZE)).check();
    }

    /** Sizes at which products write whole vectors: bias, GELU and residual in the write-back, or op by op under a tape. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void whatIsFusedIsWhatIsRecorded(boolean normFirst) {
        TransformerEncoderLayer l = Samples.randomize(
                new TransformerEncoderLayer(64, 4, 192, 0.1, Activation.gelu(), 1e-5, normFirst), 8);
        Tensor x = Samples.floats(62, 3, 17, 64);
        float[] fused = l.call(x).toFloats();
        try (Tape tape = new Tape()) {
            tape.watch(x);
            float[] recorded = tape.record(() -> l.call(x)).toFloats();
            for (int i = 0; i < fused.length; i++) {
                assertThat(fused[i]).isCloseTo(recorded[i], within(2e-6f * Math.max(1, Math.abs(recorded[i]))));
            }
        }
        Linear linear = Samples.randomize(new Linear(64, 64, false), 9);
        assertThat(Fused.linear(linear, x, x).toFloats()).isEqualTo(x.add(linear.call(x)).toFloats());
        for (Linear each : List.of(linear, Samples.randomize(new Linear(64, 64), 9))) {
            assertThatThrownBy(() -> Fused.linear(each, Samples.floats(1, 64), x)).isInstanceOf(GraftException.class)
                    .hasMessageContaining("residual").hasMessageContaining("[64]").hasMessageContaining("[3, 17, 64]");
        }
    }

    /** In float32 layers are recorded whole, in float64, which is compared with differences above, op by op. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void gradientsOfWhatIsRecordedWhole(boolean frozen) {
        TransformerEncoderLayer l = new TransformerEncoderLayer(32, 4, 48, 0, Activation.gelu(), 1e-5, false);
        Map<String, double[]> values = new HashMap<>();
        l.parameters().forEach((path, p) -> values.put(path, Samples.doubles(p.size(), p.shape().dims()).mul(0.2)
                .toDoubles()));
        if (frozen) {
            l.freeze(ParamSelector.of("self_attn.in_proj_weight", "linear2"));
        }
        Tensor x = Samples.doubles(63, 2, 9, 32);
        Map<String, double[]> expected = gradients(l, values, x, DType.F64);
        Map<String, double[]> got = gradients(l, values, x, DType.F32);
        assertThat(got.keySet()).isEqualTo(expected.keySet()).hasSize(frozen ? 10 : 13);
        expected.forEach((path, e) -> {
            double largest = Arrays.stream(e).map(Math::abs).max().orElseThrow();
            for (int i = 0; i < e.length; i++) {
                assertThat(got.get(path)[i]).as(path + " " + i).isCloseTo(e[i], within(1e-4 * largest + 1e-4));
            }
        });
    }

    private static Map<String, double[]> gradients(TransformerEncoderLayer l, Map<String, double[]> values, Tensor x,
            DType type) {
        l.parameters().forEach((path, p) -> p.assign(Tensor.of(values.get(path), p.shape().dims()).cast(type)));
        Map<String, double[]> all = new HashMap<>();
        try (Tape tape = new Tape()) {
            Tensor in = tape.watch(x.cast(type));
            Gradients g = tape.backward(tape.record(() -> l.call(in, mask(9), true).square().mean()));
            all.put("x", g.of(in).toDoubles());
            l.parameters().forEach((path, p) -> {
                if (g.find(p.value()) != null) {
                    all.put(path, g.of(p.value()).toDoubles());
                }
            });
        }
        return all;
    }

    private static Tensor mask(int places) {
        Tensor place = Tensor.arange(DType.F32, 2 * places).reshape(2, places);
        return place.ne(3).and(place.ne(2 * places - 1));
    }

    @Test
    void positionsAreAdded() {
        PositionalEmbedding p = Samples.randomize(new PositionalEmbedding(5, 3), 7);
        Tensor x = Samples.floats(61, 2, 4, 3);
        assertThat(p.call(x).get(1, 2, 1)).isCloseTo(x.get(1, 2, 1) + p.weight().value().get(2, 1), within(1e-6));
        assertThatThrownBy(() -> p.call(Samples.floats(1, 2, 6, 3))).hasMessageContaining("up to 5 places");
    }

    @Test
    void whatDoesNotFitIsNamed() {
        assertThatThrownBy(() -> new MultiheadAttention(10, 3)).isInstanceOf(GraftException.class)
                .hasMessageContaining("3 heads");
        MultiheadAttention m = new MultiheadAttention(SIZE, HEADS);
        Tensor x = Samples.floats(1, 2, 3, SIZE);
        assertThatThrownBy(() -> m.call(Samples.floats(1, 2, SIZE))).hasMessageContaining("[B, T, 6]");
        assertThatThrownBy(() -> m.call(x, x, Tensor.ones(2, 3), false)).hasMessageContaining("bool [B, S]");
        for (List<Integer> bad : List.of(List.of(2, 4), List.of(3, 3))) {
            assertThatThrownBy(() -> m.call(x, x, Tensor.ones(bad.get(0), bad.get(1)).cast(DType.BOOL), false))
                    .isInstanceOf(GraftException.class);
        }
    }
}
