package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.tensor.GraftException;
import java.io.FileNotFoundException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.file.NoSuchFileException;
import org.junit.jupiter.api.Test;

class MainTest {
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    private int graft(String... args) {
        return Main.run(args, new PrintWriter(out, true), new PrintWriter(err, true));
    }

    @Test
    void helpAndVersionGoToStandardOutput() {
        assertThat(graft("--help")).isZero();
        assertThat(graft("--version")).isZero();
        assertThat(out.toString()).contains("Usage: graft").contains("graft (development build)");
        assertThat(err.toString()).isEmpty();
    }

    @Test
    void wrongUsageIsCode2WithoutAStackTrace() {
        assertThat(graft("--debgu")).isEqualTo(2);
        assertThat(err.toString()).startsWith("graft: Unknown option: '--debgu'").contains("--debug").contains("--help")
                .doesNotContain("\tat ");
        assertThat(out.toString()).isEmpty();
    }

    @Test
    void noCommandIsCode2WithTheHelp() {
        assertThat(graft()).isEqualTo(2);
        assertThat(err.toString()).contains("Usage: graft");
    }

    @Test
    void aFailureIsOneSentenceAndTheStackTraceOnlyForDebug() {
        StringWriter text = new StringWriter();
        GraftException broken = new GraftException("weights.pt: truncated\nat byte 7");
        assertThat(Failure.report(broken, false, new PrintWriter(text))).isEqualTo(1);
        assertThat(text.toString().lines()).containsExactly("graft: weights.pt: truncated; at byte 7");
        Failure.report(new GraftException("again"), true, new PrintWriter(text));
        assertThat(text.toString()).contains("GraftException: again").contains("\tat ");
    }

    @Test
    void systemErrorsAreTranslated() {
        assertThat(Failure.sentence(new UncheckedIOException(new NoSuchFileException("a.pt"))))
                .isEqualTo("a.pt does not exist");
        assertThat(Failure.sentence(new FileNotFoundException("b (Is a directory)")))
                .isEqualTo("cannot open b (Is a directory)");
        assertThat(Failure.sentence(new OutOfMemoryError("Java heap space"))).contains("--batch");
        assertThat(Failure.sentence(new IllegalStateException("odd")))
                .contains("IllegalStateException: odd").contains("--debug");
    }
}
