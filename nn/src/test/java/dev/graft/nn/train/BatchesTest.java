package dev.graft.nn.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.nn.loss.Mse;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class BatchesTest {
    private static final Tensor X = Tensor.of(new float[] {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13}, 7, 2);
    private static final Tensor Y = Tensor.of(new int[] {0, 10, 20, 30, 40, 50, 60}, 7);

    private static List<List<Integer>> read(Batches b, int epoch, int from) {
        List<List<Integer>> all = new ArrayList<>();
        try (Scope s = Scope.open(); Batches.Cursor c = b.open(epoch, from)) {
            while (c.hasNext()) {
                TrainingBatch t = c.next();
                List<Integer> rows = IntStream.of(t.indices()).boxed().toList();
                assertThat(t.target().toInts()).containsExactly(rows.stream().mapToInt(i -> 10 * i).toArray());
                for (int i = 0; i < rows.size(); i++) {
                    assertThat(t.input().get(i, 1)).isEqualTo(2 * rows.get(i) + 1);
                }
                all.add(rows);
            }
        }
        return all;
    }

    @Test
    void inOrder() {
        Batches b = Batches.of(X, Y, 3);
        assertThat(b.count()).isEqualTo(3);
        assertThat(b.samples()).isEqualTo(7);
        assertThat(read(b, 5, 0)).containsExactly(List.of(0, 1, 2), List.of(3, 4, 5), List.of(6));
        assertThatThrownBy(() -> Batches.of(X, Tensor.of(new int[] {1}, 1), 3)).isInstanceOf(GraftException.class);
    }

    @Test
    void shuffledEachEpochAnewAndTheSameAgain() {
        Batches b = Batches.shuffled(X, Y, 3, 11);
        List<List<Integer>> first = read(b, 0, 0);
        assertThat(first.stream().flatMap(List::stream)).containsExactlyInAnyOrder(0, 1, 2, 3, 4, 5, 6);
        assertThat(read(Batches.shuffled(X, Y, 3, 11), 0, 0)).isEqualTo(first);
        assertThat(read(b, 1, 0)).isNotEqualTo(first);
        assertThat(read(Batches.shuffled(X, Y, 3, 12), 0, 0)).isNotEqualTo(first);
        assertThat(read(b, 0, 1)).isEqualTo(first.subList(1, 3));
    }

    /** Against plain loops over the same values. */
    @Test
    void evaluationWeighsBatchesByTheirSize() {
        Tensor target = Tensor.of(new float[] {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 5}, 7, 2);
        double sum = 0;
        float[] x = X.toFloats();
        float[] t = target.toFloats();
        for (int i = 0; i < 14; i++) {
            sum += (2 * x[i] - t[i]) * (2 * x[i] - t[i]);
        }
        Evaluator e = new Evaluator(v -> v.mul(2), new Mse(), dev.graft.tensor.Device.CPU);
        Evaluation result = e.evaluate(Batches.of(X, target, 3));
        assertThat(result.loss()).isCloseTo(sum / 14, org.assertj.core.api.Assertions.within(1e-4));
        assertThat(result.accuracy()).isNaN();
        assertThat(result.samples()).isEqualTo(7);
    }

    @Test
    void theProgressBarShowsSpeedAndRemainingTime() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        Tally tally = new Tally();
        try (ProgressDisplay d = new ProgressDisplay(new PrintStream(bytes, true, StandardCharsets.UTF_8), 20, 64)) {
            d.epoch(2, 0);
            tally.add(0.5, 32, 1, 2);
            d.step(tally);
        }
        assertThat(bytes.toString(StandardCharsets.UTF_8)).contains("epoch 3/20").contains("32/64 samples")
                .contains("loss 0.5000").contains("acc 0.500").contains("samples/s");
        assertThat(ProgressDisplay.terminal(false)).isNull();
    }
}
