package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class InspectTest {
    @TempDir
    Path folder;

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    private int inspect(Object... args) {
        String[] line = new String[args.length + 1];
        line[0] = "inspect";
        for (int i = 0; i < args.length; i++) {
            line[i + 1] = args[i].toString();
        }
        return Main.run(line, new PrintWriter(out, true), new PrintWriter(err, true));
    }

    /** The layout from the format's description: 8 bytes of header length, JSON header, data. */
    private Path safetensors(String header, int dataBytes) throws IOException {
        byte[] json = header.getBytes(StandardCharsets.UTF_8);
        ByteBuffer file = ByteBuffer.allocate(8 + json.length + dataBytes).order(ByteOrder.LITTLE_ENDIAN);
        file.putLong(json.length).put(json);
        return Files.write(folder.resolve("w.safetensors"), file.array());
    }

    @Test
    void listsTensorsAndTotals() throws IOException {
        Path file = safetensors("{\"__metadata__\":{\"made\":\"by hand\"},"
                + "\"fc.weight\":{\"dtype\":\"F32\",\"shape\":[2,300],"
                + "\"data_offsets\":[0,2400]},\"n\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[2400,2408]}}", 2408);
        assertThat(inspect(file)).as(err.toString()).isZero();
        assertThat(out.toString()).containsPattern("fc\\.weight +float32 +\\[2, 300] +2,400")
                .containsPattern("n +int64 .* 8\\R")
                .contains("2 tensors, 601 elements, 2,408 bytes", "made: by hand");
        assertThat(err.toString()).isEmpty();
    }

    @Test
    void jsonHasEveryTensor() throws IOException {
        Path file = safetensors("{\"a\":{\"dtype\":\"F16\",\"shape\":[3,4],\"data_offsets\":[0,24]}}", 24);
        assertThat(inspect("--json", file)).isZero();
        JsonNode json = new ObjectMapper().readTree(out.toString());
        assertThat(json.get("format").asText()).isEqualTo("safetensors");
        assertThat(json.get("tensors")).hasSize(1);
        assertThat(json.get("tensors").get(0).toString())
                .isEqualTo("{\"name\":\"a\",\"dtype\":\"float16\",\"shape\":[3,4],\"bytes\":24}");
    }

    @Test
    void namesCannotSteerTheTerminal() throws IOException {
        Path file = safetensors("{\"a\\u001b[2Jb\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1);
        inspect(file);
        assertThat(out.toString()).doesNotContain("\u001b");
    }

    @Test
    void aMissingAForeignAndATruncatedFileAreOneSentence() throws IOException {
        assertThat(inspect(folder.resolve("none.pt"))).isEqualTo(1);
        assertThat(inspect(Files.writeString(folder.resolve("notes.txt"), "hello, these are no weights"))).isEqualTo(1);
        Path cut = safetensors("{\"a\":{\"dtype\":\"F32\",\"shape\":[9],\"data_offsets\":[0,36]}}", 20);
        assertThat(inspect(cut)).isEqualTo(1);
        assertThat(err.toString().lines()).hasSize(3).allMatch(l -> l.startsWith("graft: "))
                .noneMatch(l -> l.contains("unexpected"));
        assertThat(out.toString()).isEmpty();
    }

    @Test
    void aMistypedCommandIsAnsweredWithTheNearest() {
        assertThat(Main.run(new String[] {"inspct"}, new PrintWriter(out, true), new PrintWriter(err, true))).isEqualTo(2);
        assertThat(err.toString()).contains("there is no command 'inspct'", "Did you mean: graft inspect");
    }
}
