package dev.graft.benchmarks.gpu;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.graft.kernels.CudaBackend;
import dev.graft.kernels.load.Doctor;
import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.backend.Backends;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What {@code kernels/gpu-check} starts. Its arguments are that script's own. */
public final class GpuCheck {
    private static final int NO_DEVICE = 3;

    private GpuCheck() {}

    /** {@code run [--only a,b] [--seconds S] [--commit ID] OUT} or {@code report OWN PEER OUT}. */
    public static void main(String[] args) throws IOException {
        if (args.length == 4 && args[0].equals("report")) {
            Report.write(Path.of(args[1]), Path.of(args[2]), Path.of(args[3]));
        } else if (args.length > 1 && args[0].equals("run")) {
            System.exit(run(args));
        } else {
            System.err.println("GpuCheck: start it by kernels/gpu-check");
            System.exit(2);
        }
    }

    private static int run(String[] args) throws IOException {
        Map<String, String> options = new HashMap<>(Map.of("--only", "", "--seconds", "1.0", "--commit", "unknown"));
        for (int i = 1; i + 1 < args.length - 1; i += 2) {
            options.put(args[i], args[i + 1]);
        }
        CudaBackend backend;
        try {
            backend = (CudaBackend) Backends.of(Device.cuda());
        } catch (GraftException e) {
            System.out.println(e.getMessage());
            return NO_DEVICE;
        }
        List<String> only = Arrays.asList(options.get("--only").split(","));
        double seconds = Double.parseDouble(options.get("--seconds"));
        CheckLog log = new CheckLog();
        environment(log.root().putObject("environment"), options.get("--commit"), backend);
        if (only.contains("smoke")) {
            new SmokeCheck(log, backend).run();
        }
        if (only.contains("catalogue")) {
            CatalogueCheck.run(log, backend);
        }
        if (only.contains("train")) {
            new TrainingCheck(log).run();
        }
        if (only.contains("leak")) {
            new LeakCheck(log).run();
        }
        if (only.contains("speed")) {
            new KernelSpeed(log, backend, seconds).run();
            new StepSpeed(log, backend, seconds).run();
        }
        Files.writeString(Path.of(args[args.length - 1]), new ObjectMapper().writeValueAsString(log.root()));
        System.out.println(log.failed() == 0 ? "all ok" : log.failed() + " FAILED");
        return log.failed() == 0 ? 0 : 1;
    }

    private static void environment(ObjectNode e, String commit, CudaBackend backend) {
        e.put("commit", commit);
        e.put("date", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
        e.put("device", backend.cuda().name());
        e.put("compute_capability", backend.cuda().computeCapability());
        e.put("java", System.getProperty("java.vm.name") + " " + System.getProperty("java.runtime.version"));
        e.put("os", System.getProperty("os.name") + " " + System.getProperty("os.version") + " "
                + System.getProperty("os.arch"));
        e.put("cores", Runtime.getRuntime().availableProcessors());
        Doctor.diagnose().lines().forEach(e.withArray("libraries")::add);
    }
}
