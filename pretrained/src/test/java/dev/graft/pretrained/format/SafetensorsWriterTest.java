package dev.graft.pretrained.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.abort;

import dev.graft.tensor.DType;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Shape;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SafetensorsWriterTest {
    @TempDir
    Path folder;

    private static SafetensorsWriter of(float value) {
        float[] values = new float[100_000];
        Arrays.fill(values, value);
        return new SafetensorsWriter().put("w", DType.F32, Shape.of(100, 1000), values);
    }

    private static float first(Path file) {
        try (WeightFile w = WeightFile.open(file)) {
            return w.floats("w")[99_999];
        }
    }

    private long files() throws IOException {
        try (Stream<Path> s = Files.list(folder)) {
            return s.count();
        }
    }

    /** A disk that is full after {@code room} bytes. */
    private record FullDisk(FileChannel file, long room) implements SeekableByteChannel {
        @Override
        public int write(ByteBuffer bytes) throws IOException {
            if (file.position() + bytes.remaining() > room) {
                throw new IOException("No space left on device");
            }
            return file.write(bytes);
        }

        @Override
        public int read(ByteBuffer to) throws IOException {
            return file.read(to);
        }

        @Override
        public long position() throws IOException {
            return file.position();
        }

        @Override
        public SeekableByteChannel position(long at) throws IOException {
            file.position(at);
            return this;
        }

        @Override
        public long size() throws IOException {
            return file.size();
        }

        @Override
        public SeekableByteChannel truncate(long size) throws IOException {
            file.truncate(size);
            return this;
        }

        @Override
        public boolean isOpen() {
            return file.isOpen();
        }

        @Override
        public void close() throws IOException {
            file.close();
        }
    }

    @Test
    void aFullDiskLeavesTheEarlierFile() throws IOException {
        Path file = folder.resolve("w.safetensors");
        of(1).write(file);
        for (long room : new long[] {0, 10, 1000, 70_000, 399_999}) {
            assertThatThrownBy(() -> of(2).write(file, f -> new FullDisk(
                    FileChannel.open(f, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE), room)))
                    .isInstanceOf(GraftException.class).hasMessageContaining("No space left").hasMessageContaining("w.safe");
            assertThat(files()).isEqualTo(1);
            assertThat(first(file)).isEqualTo(1);
        }
        of(2).write(file);
        assertThat(first(file)).isEqualTo(2);
        assertThat(files()).isEqualTo(1);
    }

    @Test
    void aMissingFolderIsNamed() {
        Path file = folder.resolve("no/such/w.safetensors");
        assertThatThrownBy(() -> of(1).write(file)).isInstanceOf(GraftException.class).hasMessageContaining("no/such")
                .hasMessageContaining("folder");
    }

    @Test
    void aLinkStaysALink() throws IOException {
        Path file = folder.resolve("real");
        Path link = folder.resolve("link");
        of(1).write(file);
        try {
            Files.createSymbolicLink(link, file);
        } catch (IOException | UnsupportedOperationException e) {
            abort("this file system has no symbolic links");
        }
        of(2).write(link);
        assertThat(Files.isSymbolicLink(link)).isTrue();
        assertThat(first(file)).isEqualTo(2);
    }

    @Test
    void mistakesAreNamedBeforeAnythingIsWritten() {
        SafetensorsWriter w = of(1);
        assertThatThrownBy(() -> w.put("w", Shape.of(1), new long[1])).hasMessageContaining("already");
        assertThatThrownBy(() -> w.put("x", Shape.of(2), new long[1])).hasMessageContaining("[2]");
        assertThatThrownBy(() -> w.put("x", DType.I32, Shape.of(1), new float[1])).hasMessageContaining("int32");
        assertThatThrownBy(() -> w.put("x", DType.F32, Shape.of(1), MemorySegment.ofArray(new byte[3])))
                .hasMessageContaining("3 bytes");
        assertThatThrownBy(() -> w.put("__metadata__", Shape.of(1), new long[1])).hasMessageContaining("metadata()");
        assertThatThrownBy(() -> w.metadata("graft.sha256", "0")).isInstanceOf(GraftException.class);
    }

    @Test
    void segmentsAreCopiedBitForBit() throws IOException {
        Path file = folder.resolve("a");
        Path copy = folder.resolve("b");
        of(3).metadata("k", "v").write(file);
        try (WeightFile w = WeightFile.open(file)) {
            SafetensorsWriter out = new SafetensorsWriter().metadata("k", "v");
            w.entries().forEach(e -> out.put(e.name(), e.dtype(), e.shape(), w.read(e.name())));
            out.write(copy);
        }
        assertThat(Files.mismatch(file, copy)).isEqualTo(-1);
    }
}
