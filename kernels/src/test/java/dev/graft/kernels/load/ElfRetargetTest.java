package dev.graft.kernels.load;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assumptions.abort;

import dev.graft.tensor.GraftException;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Reading and rewriting what a shared library needs: right on real libraries, one sentence on anything else. */
class ElfRetargetTest {
    private static final Map<String, String> TO_13 = Map.of("libcublas.so.12", "libcublas.so.13");

    @TempDir
    private Path temp;

    private static byte[] ofJCuda(String name) throws IOException {
        try (InputStream in = ElfRetargetTest.class.getClassLoader().getResourceAsStream("lib/" + name)) {
            return in.readAllBytes();
        }
    }

    private static byte[] jcublas() throws IOException {
        return ofJCuda("libJCublas2-12.6.0-linux-x86_64.so");
    }

    private static List<String> needed(byte[] image) {
        return new ElfDynamic("x.so", MemorySegment.ofArray(image)).needed();
    }

    @Test
    void jcudasLibraryNeedsTheOtherMajorAfterwards() throws IOException {
        byte[] image = jcublas();
        List<String> before = needed(image);
        assertThat(before).contains("libcublas.so.12", "libc.so.6");
        ElfRetarget.retarget("x.so", image, TO_13);
        assertThat(needed(image))
                .isEqualTo(before.stream().map(n -> n.replace("libcublas.so.12", "libcublas.so.13")).toList());
    }

    /** What binutils reads, which knows nothing of our code. */
    @Test
    void readelfAgrees() throws Exception {
        Path file = temp.resolve("x.so");
        Files.write(file, ElfRetarget.retarget("x.so", jcublas(), TO_13));
        String read;
        try {
            read = StubLibraries.run(List.of("readelf", "-d", "-V", "-W", file.toString()));
        } catch (IOException e) {
            read = abort("there is no readelf");
        }
        assertThat(read).startsWith("0 ").contains("Shared library: [libcublas.so.13]", "Library runpath: [$ORIGIN]")
                .contains("File: libcublas.so.13").contains("Name: libcublas.so.13  Flags: WEAK")
                .doesNotContain("libcublas.so.12", "Warning", "Error", "corrupt");
    }

    @Test
    void namesThatAreNotAskedForStay() throws IOException {
        byte[] image = ofJCuda("libJCudaDriver-12.6.0-linux-x86_64.so");
        byte[] before = image.clone();
        ElfRetarget.retarget("x.so", image, TO_13);
        assertThat(needed(image)).isEqualTo(needed(before)).contains("libcuda.so.1");
    }

    @Test
    void aLongerNameIsRefused() {
        assertThatThrownBy(() -> ElfRetarget.retarget("x.so", ElfFile.needing("libcudnn.so.8"),
                Map.of("libcudnn.so.8", "libcudnn.so.10")))
                .isInstanceOf(GraftException.class)
                .hasMessage("x.so is not a usable shared library: 'libcudnn.so.10' does not fit over 'libcudnn.so.8'");
    }

    @Test
    void headersAreReadFromAFileThatIsMuchLarger() throws IOException {
        Path file = temp.resolve("large.so");
        Files.write(file, ElfFile.needing("libcublasLt.so.13", "libc.so.6"));
        try (var channel = Files.newByteChannel(file, java.nio.file.StandardOpenOption.WRITE)) {
            channel.position(6L << 30).write(ByteBuffer.wrap(new byte[1]));         // a hole, which takes no room on disk
        }
        assertThat(ElfDynamic.needed(file)).containsExactly("libcublasLt.so.13", "libc.so.6");
    }

    @Test
    void whatIsNoSharedLibraryIsRefusedInOneSentence() {
        refused(new byte[0], "it is not an ELF file but empty");
        refused("this is a text, and a long one, of more bytes than the header of an ELF file has".getBytes(),
                "it is not an ELF file");
        refused(changed(b -> b.putShort(18, (short) 183)), "it is not a shared library for x86-64");
        refused(changed(b -> b.put(4, (byte) 1)), "it is not a shared library for x86-64");
        refused(changed(b -> b.putShort(16, (short) 2)), "it is not a shared library for x86-64");
        refused(changed(b -> b.putShort(56, (short) -1)),
                "65535 program headers of 56 bytes are not what a shared library has");
        refused(changed(b -> b.putLong(32, Long.MAX_VALUE - 10)), "its tables point outside the file");
        refused(changed(b -> b.putLong(32, -8)), "its tables point outside the file");
        refused(changed(b -> b.putInt(ElfFile.PROGRAM_HEADERS + 56, 4)), "it has no dynamic section");
        refused(changed(b -> b.putLong(ElfFile.PROGRAM_HEADERS + 56 + 32, 1L << 62)), "its tables point outside the file");
        refused(changed(b -> b.putLong(ElfFile.DYNAMIC + 8, 1L << 40)), "its tables point outside the file");
        refused(changed(b -> b.putLong(ElfFile.DYNAMIC + 16, 77)), "its dynamic section has no entry 0x5");
        refused(changed(b -> b.putLong(ElfFile.DYNAMIC + 24, 0x99999)), "its address 0x99999 lies outside the file");
        refused(changed(b -> b.put(b.capacity() - 1, (byte) 'x')), "its string table is damaged");
    }

    private static byte[] changed(Consumer<ByteBuffer> change) {
        byte[] image = ElfFile.needing("libcublas.so.12");
        assertThat(needed(image)).containsExactly("libcublas.so.12");
        change.accept(ByteBuffer.wrap(image).order(ByteOrder.LITTLE_ENDIAN));
        return image;
    }

    private static void refused(byte[] image, String why) {
        assertThatThrownBy(() -> needed(image)).isInstanceOf(GraftException.class)
                .hasMessage("x.so is not a usable shared library: " + why);
    }

    /** Cut anywhere, or with bytes changed where the headers and tables lie, it is rewritten or refused, soon. */
    @Test
    void damagedLibrariesAreRewrittenOrRefused() throws IOException {
        byte[] whole = jcublas();
        SplittableRandom random = new SplittableRandom(5);
        int[] refused = new int[1];
        assertTimeoutPreemptively(Duration.ofSeconds(30), () -> {
            for (int i = 0; i < 300; i++) {
                byte[] image = i < 100 ? Arrays.copyOf(whole, random.nextInt(whole.length)) : whole.clone();
                for (int k = 0; i >= 100 && k < 8; k++) {
                    image[k < 4 ? random.nextInt(1024) : random.nextInt(image.length)] = (byte) random.nextInt();
                }
                try {
                    ElfRetarget.retarget("x.so", image, TO_13);
                } catch (GraftException e) {
                    assertThat(e.getMessage()).startsWith("x.so is not a usable shared library: ").doesNotContain("\n");
                    refused[0]++;
                }
            }
        });
        assertThat(refused[0]).isBetween(100, 299);
    }
}
