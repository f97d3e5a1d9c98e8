package dev.graft.benchmarks.peers;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class RowRunnerTest {
    private static final String NAME = "gemm/512x512x512/nn";

    private final List<String> done = new ArrayList<>();
    private final ByteArrayOutputStream said = new ByteArrayOutputStream();
    private RuntimeException onClose;
    private final RowRunner runner = new RowRunner(new Engine() {
        @Override
        public String describe() {
            return "none";
        }

        @Override
        public Prepared prepare(Work work) {
            done.add("prepare");
            return new Prepared() {
                @Override
                public void run() {
                    done.add("run");
                }

                @Override
                public float[] result() {
                    done.add("result");
                    return new float[] {1, -2};
                }

                @Override
                public void close() {
                    done.add("close");
                    if (onClose != null) {
                        throw onClose;
                    }
                }
            };
        }
    }, new Stopwatch(0.001, 0.001, 0.002), new PrintStream(said, true, StandardCharsets.UTF_8));

    private String ask(String line) {
        said.reset();
        done.clear();
        runner.answer(line);
        return said.toString(StandardCharsets.UTF_8).strip();
    }

    @Test
    void whatIsPreparedIsTimedAsOftenAsWantedUntilItIsDropped() {
        assertThat(ask("prepare\t" + NAME)).isEqualTo("ready\t" + NAME);
        assertThat(done).as("compared is what is timed, with what is kept from use to use")
                .startsWith("prepare", "run", "run", "run", "result", "run");
        for (int turn = 0; turn < 2; turn++) {
            String[] row = ask("time\t" + NAME).split("\t");
            assertThat(row).startsWith("row", NAME).hasSize(6);
            assertThat(done).as("one call that does not count, and those that do").containsOnly("run")
                    .hasSizeGreaterThan(Integer.parseInt(row[4]));
            assertThat(Fingerprint.parse(row[5]).difference(Fingerprint.of(new float[] {1, -2}))).isZero();
        }
        assertThat(ask("drop")).isEqualTo("dropped");
        assertThat(done).containsExactly("close");
        assertThat(ask("time\t" + NAME)).startsWith("failed\t" + NAME).contains("not prepared");
    }

    @Test
    void theResultOfAWorkThatChangesWhatItWorksOnIsTakenFirst() {
        for (String name : List.of("op/sgd", "resnet18/b16/full_step", "bert12/8x128/full_step")) {
            assertThat(ask("prepare\t" + name)).isEqualTo("ready\t" + name);
            assertThat(done).as(name).startsWith("prepare", "result", "run");
        }
    }

    @Test
    void everyQuestionHasOneAnswerAlsoWhenItGoesWrong() {
        ask("prepare\t" + NAME);
        onClose = new IllegalStateException("device\tlost");
        assertThat(ask("drop")).startsWith("failed\t").endsWith("device lost");
        assertThat(ask("drop")).isEqualTo("dropped");
        assertThat(ask("prepare\tno/such/work")).startsWith("failed\tno/such/work\t");
        assertThat(ask("sing\t" + NAME)).contains("no such question");
    }
}
