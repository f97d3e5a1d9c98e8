package dev.graft.kernels.ops;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.kernels.CudaBackend;
import dev.graft.kernels.emulator.EmulatedCuda;
import dev.graft.tensor.Context;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.backend.Backends;
import dev.graft.tensor.op.ConvParams;
import dev.graft.tensor.op.FusedOp;
import dev.graft.tensor.reference.ReferenceBackend;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A machine that has everything but cuDNN, in a process of its own: convolutions carry on, and it is said once. */
class WithoutCudnnTest {
    @TempDir
    Path folder;

    @Test
    void convolutionsRunOnOwnKernels() throws IOException, InterruptedException {
        Assumptions.assumeTrue(EmulatedCuda.start(), () -> EmulatedCuda.reason());
        Path libraries = Files.createDirectory(folder.resolve("lib"));
        try (Stream<Path> files = Files.list(EmulatedCuda.folder())) {
            for (Path f : files.filter(p -> Files.isRegularFile(p) && !p.toString().contains("libcudnn")).toList()) {
                Files.copy(f, libraries.resolve(f.getFileName()));
            }
        }
        Path kernels = Files.createSymbolicLink(libraries.resolve("kernels"), EmulatedCuda.folder().resolve("kernels"));
        Path log = folder.resolve("log");
        Process p = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED", "--add-modules=jdk.incubator.vector", "-Dgraft.cuda.path=" + libraries,
                "-Dgraft.cuda.path.only=true", "-Dgraft.cuda.cache=" + folder.resolve("cache"), "-cp",
                System.getProperty("java.class.path"), InItsOwnProcess.class.getName())
                .redirectErrorStream(true).redirectOutput(log.toFile()).start();
        assertThat(p.waitFor(120, TimeUnit.SECONDS)).isTrue();
        Files.delete(kernels);
        String said = Files.readString(log, StandardCharsets.UTF_8);
        assertThat(p.exitValue()).as(said).isZero();
        assertThat(said).containsPattern("choice im2col").containsPattern("choice gemm").containsPattern("choice depthwise")
                .containsOnlyOnce("cuDNN cannot be used").contains("convolutions run on Graft's own kernels and cuBLAS")
                .containsOnlyOnce("all right");
    }

    /** What runs there. */
    static final class InItsOwnProcess {
        private InItsOwnProcess() {}

        public static void main(String[] args) {
            SplittableRandom r = new SplittableRandom(1);
            conv(r, ConvParams.of(2, 1), 3, 6, 3);
            conv(r, ConvParams.of(1, 0), 6, 8, 1);
            conv(r, ConvParams.of(1, 1).withGroups(6), 6, 6, 3);
            ((CudaBackend) Backends.of(Device.cuda())).convolutionChoices()
                    .forEach(c -> System.out.println("choice " + c.choice() + " for " + c.problem()));
            System.out.println("all right");
        }

        private static void conv(SplittableRandom r, ConvParams p, int c, int o, int k) {
            Tensor x = OnDevice.random(r, DType.F32, 2, 7, 6, c);
            Tensor w = OnDevice.random(r, DType.F32, o, k, k, c / p.groups());
            Tensor b = OnDevice.random(r, DType.F32, o);
            var op = new FusedOp.ConvBiasActivation(p, FusedOp.Activation.RELU6);
            Tensor want = Context.inference().withCpu(new ReferenceBackend())
                    .call(() -> op.compose(new Tensor[] {x, w, b})[0]);
            Tensor got = Dispatcher.one(op, x.to(Device.cuda()), w.to(Device.cuda()), b.to(Device.cuda()));
            double difference = OnDevice.difference(got, want);
            if (!(difference < 1e-4)) {
                throw new AssertionError(p + " is off by " + difference);
            }
        }
    }
}
