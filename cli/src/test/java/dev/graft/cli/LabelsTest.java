package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.tensor.GraftException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LabelsTest {
    @TempDir
    private Path folder;

    private List<String> read(int classes, String text) throws IOException {
        return Labels.read(Files.writeString(folder.resolve("labels"), text), classes);
    }

    @Test
    void oneNameALine() throws IOException {
        assertThat(read(2, "tench, Tinca tinca\n\ngold fish \n")).containsExactly("tench, Tinca tinca", "gold fish");
    }

    @Test
    void aBackgroundClassInFrontIsLeftOut() throws IOException {
        assertThat(read(2, "background\ntench\ngoldfish\n")).containsExactly("tench", "goldfish");
        assertThat(read(3, "background\ntench\ngoldfish\n")).containsExactly("background", "tench", "goldfish");
    }

    @Test
    void columnsWithAHeading() throws IOException {
        assertThat(read(3, "class_index\twnid\tname\n0\tn01\ttench\n2\tn03\tshark\n1\tn02\tgoldfish\n"))
                .containsExactly("tench", "goldfish", "shark");
    }

    @Test
    void theIndexMayStandInAnotherColumnAndNamesMayBeMissing() throws IOException {
        assertThat(read(3, "file\tclass_index\twnid\na.jpg\t2\tn03\nb.jpg\t2\tn03\nc.jpg\t0\tn01\n"))
                .containsExactly("n01", "1", "n03");
    }

    @Test
    void columnsWithoutAHeading() throws IOException {
        assertThat(read(2, "0\tcat\n1\tdog\n")).containsExactly("cat", "dog");
    }

    @Test
    void anotherNumberOfClassesIsRefused() {
        assertThatThrownBy(() -> read(3, "a\nb\n")).isInstanceOf(GraftException.class).hasMessageContaining("2 classes")
                .hasMessageContaining("3 outputs");
        assertThatThrownBy(() -> read(3, "0\ta\n7\tb\n")).hasMessageContaining("class 7");
        assertThatThrownBy(() -> read(2, "a\tb\nc\td\n")).hasMessageContaining("index");
    }
}
