package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A run that is killed, or whose disk is full, keeps what it had and goes on to the same bits. */
class KillTest {
    private static final int EPOCHS = 9;

    @TempDir
    private Path folder;

    private static List<String> java(String... words) {
        List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules=jdk.incubator.vector", "-Xmx1g", "-XX:-UsePerfData", "-cp",
                System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                Main.class.getName()));
        command.addAll(List.of(words));
        return command;
    }

    private static Map<Path, byte[]> checkpoints(Path run) throws IOException {
        Path at = run.resolve("checkpoints");
        Map<Path, byte[]> found = new HashMap<>();
        if (Files.isDirectory(at)) {
            try (Stream<Path> all = Files.list(at)) {
                for (Path p : all.filter(p -> p.toString().endsWith(".safetensors")).toList()) {
                    found.put(p, Files.readAllBytes(p));
                }
            }
        }
        return found;
    }

    private void killAfterFirstCheckpoint(Path photos, Path run) throws Exception {
        Process p = new ProcessBuilder(java("finetune", "--model", "graft_cifar", "--strategy", "finetune", "--data",
                photos.toString(), "--out", run.toString(), "--epochs", Integer.toString(EPOCHS), "--batch", "8",
                "--threads", "1")).redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.DISCARD).start();
        while (p.isAlive() && checkpointCount(run) == 0) {
            Thread.sleep(5);
        }
        p.destroyForcibly();
        assertThat(p.waitFor(60, TimeUnit.SECONDS)).isTrue();
    }

    private static long checkpointCount(Path run) throws IOException {
        Path at = run.resolve("checkpoints");
        if (!Files.isDirectory(at)) {
            return 0;
        }
        try (Stream<Path> all = Files.list(at)) {
            return all.filter(p -> p.toString().endsWith(".safetensors")).count();
        }
    }

    @Test
    void killedThenOutOfSpaceThenResumedGivesTheBitsOfAnUninterruptedRun() throws Exception {
        Path photos = SmallPhotos.split(folder.resolve("photos"), 2, 6, 2);
        Path killed = folder.resolve("killed");
        killAfterFirstCheckpoint(photos, killed);
        assertThat(killed.resolve("result.json")).doesNotExist();
        Map<Path, byte[]> before = checkpoints(killed);
        assertThat(before).isNotEmpty();

        outOfSpace(killed, before);

        Graft resumed = Graft.run("finetune", "--resume", killed);
        assertThat(resumed.err()).isEmpty();
        assertThat(resumed.out()).contains("Resuming").contains("epoch 9/9").doesNotContain("epoch 1/9");
        Path whole = folder.resolve("whole");
        assertThat(Graft.run("finetune", "--model", "graft_cifar", "--strategy", "finetune", "--data", photos, "--out",
                whole, "--epochs", EPOCHS, "--batch", 8).code()).isZero();
        assertThat(Files.readAllBytes(killed.resolve("model.safetensors")))
                .isEqualTo(Files.readAllBytes(whole.resolve("model.safetensors")));
    }

    /** Resumes under a limit on the size of files, at which the system refuses writes as it does on a full disk. */
    private void outOfSpace(Path run, Map<Path, byte[]> before) throws Exception {
        assumeTrue(Files.isExecutable(Path.of("/bin/bash")), "there is no /bin/bash to limit the size of files");
        List<String> command = new ArrayList<>(List.of("/bin/bash", "-c", "ulimit -f 600 && exec \"$@\"", "bash"));
        command.addAll(java("finetune", "--resume", run.toString(), "--threads", "1"));
        Path errors = folder.resolve("errors.txt");
        Process p = new ProcessBuilder(command).redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(errors.toFile()).start();
        assertThat(p.waitFor(120, TimeUnit.SECONDS)).isTrue();
        assertThat(p.exitValue()).isEqualTo(1);
        assertThat(Files.readString(errors, StandardCharsets.UTF_8).lines().filter(l -> l.startsWith("graft: ")))
                .singleElement().asString().contains("checkpoint").doesNotContain("unexpected");
        Map<Path, byte[]> after = checkpoints(run);
        assertThat(after.keySet()).isEqualTo(before.keySet());
        before.forEach((file, bytes) -> assertThat(after.get(file)).as(file.toString()).isEqualTo(bytes));
        assertThat(run.resolve("model.safetensors")).doesNotExist();
    }
}
