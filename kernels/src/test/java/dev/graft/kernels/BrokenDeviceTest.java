package dev.graft.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.graft.kernels.emulator.EmulatedCuda;
import dev.graft.tensor.Context;
import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.Tensor;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** A device that breaks stays broken, so each case has a process of its own. */
class BrokenDeviceTest {
    private static String run(String what, String... options) throws IOException, InterruptedException {
        assumeTrue(EmulatedCuda.start(), EmulatedCuda::reason);
        List<String> c = new ArrayList<>(List.of(System.getProperty("java.home") + "/bin/java",
                "--enable-native-access=ALL-UNNAMED", "--add-modules=jdk.incubator.vector", "-Xmx512m", "-cp",
                System.getProperty("java.class.path")));
        c.addAll(List.of(options));
        c.addAll(List.of(BrokenDeviceTest.class.getName(), what));
        Process p = new ProcessBuilder(c).redirectErrorStream(true).start();
        String out = new String(p.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(p.waitFor(1, TimeUnit.MINUTES)).isTrue();
        return out;
    }

    public static void main(String[] args) {
        EmulatedCuda.start();
        Tensor x = Tensor.of(new float[] {1, 2, 3, 4, 5, 6}, 2, 3).to(Device.cuda());
        x.softmax().toFloats();
        switch (args[0]) {
            case "kernel" -> EmulatedCuda.failLaunch(EmulatedCuda.launches().keySet().stream()
                    .filter(k -> k.startsWith("softmax")).findFirst().orElseThrow(), 719);
            case "lost" -> EmulatedCuda.lose(719);
            default -> throw new IllegalArgumentException(args[0]);
        }
        for (int i = 0; i < 2; i++) {
            try {
                Context.inference().withPath("head").run(() -> x.softmax().toFloats());
                System.out.println("went well");
            } catch (GraftException e) {
                System.out.println("message " + i + ": " + e.getMessage());
            }
        }
    }

    @Test
    void aKernelThatFailsIsNamedWithPathAndShapesInSynchronousMode() throws Exception {
        String out = run("kernel", "-Dgraft.cuda.sync=true");
        assertThat(out).contains("message 0: softmax in head").contains("719").doesNotContain("went well");
        assertThat(out).contains("message 1:").contains("can no longer be used").contains("start the program again");
    }

    @Test
    void aLostDeviceEndsEveryLaterCallWithTheReason() throws Exception {
        String out = run("lost");
        assertThat(out).contains("message 0:").contains("719").contains("message 1:").contains("can no longer be used")
                .doesNotContain("went well");
    }
}
