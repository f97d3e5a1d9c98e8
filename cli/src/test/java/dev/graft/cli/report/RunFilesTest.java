package dev.graft.cli.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.graft.tensor.GraftException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunFilesTest {
    @TempDir
    Path folder;

    @Test
    void historyComesBackAsItWasWritten() throws IOException {
        List<EpochRow> rows = List.of(new EpochRow(1, 1.0 / 3, 0.5, Double.NaN, Double.NaN, 1e-5, 12.5),
                new EpochRow(2, 1e-30, 1, 0.25, 0.75, 0, 1e9));
        RunFiles.writeHistory(folder, rows);
        assertThat(Files.readString(folder.resolve("history.csv"))).startsWith(
                "epoch,train_loss,train_accuracy,val_loss,val_accuracy,learning_rate,seconds\n"
                        + "1,0.3333333333333333,0.5,,,1.0E-5,12.5\n");
        assertThat(RunFiles.readHistory(folder)).isEqualTo(rows);
        RunFiles.writeHistory(folder, List.of());
        assertThat(RunFiles.readHistory(folder)).isEmpty();
    }

    @Test
    void damagedHistoryNamesFileAndLine() throws IOException {
        RunFiles.writeHistory(folder, Samples.history(2, 0.9));
        Path file = folder.resolve("history.csv");
        Files.writeString(file, Files.readString(file) + "3,x,0,0,0,0,0\n");
        assertThatThrownBy(() -> RunFiles.readHistory(folder)).isInstanceOf(GraftException.class)
                .hasMessageContaining("history.csv, line 4").hasMessageContaining("not a number");
        Files.writeString(file, "epoch\n1,2\n");
        assertThatThrownBy(() -> RunFiles.readHistory(folder)).isInstanceOf(GraftException.class)
                .hasMessageContaining("expected 7 values, found 2");
    }

    @Test
    void resultHasTheDocumentedKeysAndComesBack() throws IOException {
        RunFiles.writeResult(folder, Samples.summary());
        JsonNode json = new ObjectMapper().readTree(folder.resolve("result.json").toFile());
        assertThat(json.fieldNames()).toIterable().containsExactly("model", "strategy", "classes", "train_images",
                "val_images", "best_val_accuracy", "best_epoch", "epochs", "seconds", "images_per_second", "parameters",
                "trainable_parameters", "seed");
        assertThat(json.get("classes").get(2).asText()).isEqualTo(Samples.NASTY);
        assertThat(RunFiles.readResult(folder)).isEqualTo(Samples.summary());
    }

    @Test
    void missingOrDamagedResultIsOneSentence() throws IOException {
        assertThatThrownBy(() -> RunFiles.readResult(folder)).isInstanceOf(GraftException.class)
                .hasMessageContaining("not the folder of a finished run");
        Files.writeString(folder.resolve("result.json"), "{\"model\": \"a");
        assertThatThrownBy(() -> RunFiles.readResult(folder)).isInstanceOf(GraftException.class)
                .hasMessageContaining("result.json is damaged");
    }

    @Test
    void aFailedWriteLeavesTheEarlierFileAndNoRubbish() throws IOException {
        Path file = folder.resolve("a.txt");
        AtomicFile.write(file, "first");
        AtomicFile.write(file, "second");
        assertThat(file).hasContent("second");
        Path blocked = Files.createDirectories(folder.resolve("b.txt/inside"));
        assertThatThrownBy(() -> AtomicFile.write(folder.resolve("b.txt"), "x")).isInstanceOf(IOException.class);
        assertThat(blocked).exists();
        try (var files = Files.list(folder)) {
            assertThat(files.map(p -> p.getFileName().toString())).containsExactlyInAnyOrder("a.txt", "b.txt");
        }
    }
}
