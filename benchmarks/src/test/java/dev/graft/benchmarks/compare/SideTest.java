package dev.graft.benchmarks.compare;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.graft.benchmarks.peers.Row;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Engines that crash or hang: the others' rows are measured all the same. */
class SideTest {
    private static final Path SHELL = Path.of("/bin/sh");
    private static final Duration SHORT = Duration.ofSeconds(1);

    @TempDir
    Path folder;

    private Path starts;
    private final Measured measured = new Measured();

    @BeforeEach
    void none() {
        assumeTrue(Files.isExecutable(SHELL),
                "the engines of these tests are scripts for /bin/sh, which is not on this machine");
        starts = folder.resolve("starts");
    }

    /** An engine for which every work takes 5 ms, but "crash" ends it and "hang" makes it and a child of it sleep. */
    private Side side(String first) throws IOException {
        Path script = Files.writeString(folder.resolve("engine.sh"), """
                echo start >>%s
                %s
                printf 'engine\\tfake\\n'
                while read -r what work; do
                    echo "$what $work" >>%s
                    case "$work" in
                    crash*) echo 'about to crash'; kill -9 $$ ;;
                    hang) sleep 600 & echo $! >%s; wait ;;
                    late) printf 'ready\\t%%s\\n' "$work"; exit 0 ;;
                    refused) printf 'failed\\trefused\\tno such op\\n'; continue ;;
                    esac
                    case $what in
                    prepare) printf 'ready\\t%%s\\n' "$work" ;;
                    drop) printf 'dropped\\t\\n' ;;
                    *) printf 'row\\t%%s\\t5.0\\t5.0\\t3\\t1;1.0;1.0;1.0\\n' "$work" ;;
                    esac
                done
                """.formatted(starts, first, folder.resolve("asked"), folder.resolve("child")));
        return new Side("fake", null, List.of(SHELL.toString(), script.toString()), 1, Map.of(), SHORT);
    }

    private String said(String work) {
        Sample s = measured.sample("fake", 0, work);
        Row row = new Row(work, Row.Kind.TIME, List.of(work), List.of(work), 1, false);
        return s != null ? "measured" : measured.line(row, "fake", "fake", 1).problem();
    }

    private void run(Side side, int round, String... works) throws Exception {
        try (EngineProcess p = side.begin("gemm", List.of(), measured)) {
            for (String w : works) {
                p.prepare(w);
            }
            for (String w : works) {
                p.time(w, round);
            }
            p.drop();
        }
    }

    private int starts() throws IOException {
        return Files.readAllLines(starts).size();
    }

    @Test
    void theWorkThatACrashEndedHasFailedAndTheRestIsDoneByAnotherProcess() throws Exception {
        Side side = side("");
        run(side, 0, "a", "crash", "b");
        assertThat(said("a")).isEqualTo("measured");
        assertThat(said("b")).isEqualTo("measured");
        assertThat(said("crash")).isEqualTo("fake: the process was ended by signal 9 at crash");
        assertThat(starts()).isEqualTo(2);
        run(side, 1, "a", "crash", "b");
        assertThat(starts()).as("not tried again").isEqualTo(3);
        assertThat(Files.readAllLines(folder.resolve("asked")))
                .as("what a process had prepared is prepared again by the next")
                .containsExactly("prepare a", "prepare crash", "prepare b", "prepare a", "time a", "time b", "drop ",
                        "prepare a", "prepare b", "time a", "time b", "drop ");
    }

    @Test
    void aHangingProcessIsEndedWithItsChildren() throws Exception {
        run(side(""), 0, "hang", "a");
        assertThat(said("hang")).isEqualTo("fake: the process was ended as it said nothing for 1 s at hang");
        assertThat(said("a")).isEqualTo("measured");
        long child = Long.parseLong(Files.readString(folder.resolve("child")).strip());
        Optional<ProcessHandle> left = ProcessHandle.of(child).filter(ProcessHandle::isAlive);
        if (left.isPresent()) {
            left.get().onExit().join();
        }
        assertThat(ProcessHandle.of(child).filter(ProcessHandle::isAlive)).isEmpty();
    }

    @Test
    void oneThatEndsWhileOthersHaveTheirTurnIsReplacedAndNoWorkIsToBlame() throws Exception {
        try (EngineProcess p = side("").begin("gemm", List.of(), measured)) {
            p.prepare("a");
            p.prepare("late");
            Thread.sleep(500);      // until the system knows that it has ended
            p.time("a", 0);
        }
        assertThat(said("a")).isEqualTo("measured");
        assertThat(starts()).isEqualTo(2);
    }

    @Test
    void whatOneGroupRefusesTheNextTriesAgain() throws Exception {
        Side side = side("");
        run(side, 0, "refused", "a");
        assertThat(said("refused")).isEqualTo("fake: no such op");
        run(side, 0, "refused", "a");
        assertThat(Files.readAllLines(folder.resolve("asked"))).filteredOn("prepare refused"::equals).hasSize(2);
        assertThat(starts()).isEqualTo(2);
    }

    /** Else it would be the first work of the next unit that failed. */
    @Test
    void oneThatCannotLetGoIsReplaced() throws Exception {
        try (EngineProcess p = side("read -r what work; printf 'engine\\tfake\\nready\\ta\\n'; read -r what;"
                + " [ -e " + folder.resolve("again") + " ] || { touch " + folder.resolve("again") + "; sleep 600; }")
                .begin("gemm", List.of(), measured)) {
            p.prepare("a");
            p.drop();
            p.prepare("a");
            p.time("a", 0);
        }
        assertThat(starts()).isEqualTo(2);
    }

    @Test
    void aGroupThatBreaksTwiceIsGivenUp() throws Exception {
        run(side(""), 0, "crash", "crash again", "a");
        assertThat(starts()).isEqualTo(2);
        assertThat(said("a")).contains("ended by signal 9");
    }

    @Test
    void anEngineThatDoesNotEvenStartIsStartedOnce() throws Exception {
        run(side("echo 'no such library'; exit 3"), 0, "a", "b");
        assertThat(starts()).isEqualTo(1);
        assertThat(said("a")).isEqualTo("fake: the process ended with status 3 at a");
        assertThat(said("b")).isEqualTo(said("a"));
    }

    @Test
    void limitsAreForAVX2Only() throws IOException {
        assertThat(Side.ours(1, false).limits()).isEmpty();
        assertThat(Side.ours(1, true).limits()).isEqualTo("-XX:UseAVX=2");
    }

    @Test
    void itsOwnWordsAreHandedOn() throws Exception {
        List<String> lines = new ArrayList<>();
        WatchedProcess.Ending end = WatchedProcess.run(new ProcessBuilder("sh", "-c", "echo one; echo two >&2; exit 7"),
                Duration.ofSeconds(30), lines::add);
        assertThat(lines).containsExactly("one", "two");
        assertThat(end.good()).isFalse();
        assertThat(end).hasToString("ended with status 7");
    }
}
