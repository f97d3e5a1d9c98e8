package dev.graft.benchmarks;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.graft.tensor.cpu.CpuFeatures;
import dev.graft.tensor.cpu.WorkerPool;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Where and with what something was measured. */
public final class Environment {
    private Environment() {}

    /** Of this process, which must have been started with the flags of those that are measured. */
    public static ObjectNode of(String commit) throws IOException {
        ObjectNode e = new ObjectMapper().createObjectNode();
        e.put("commit", commit);
        e.put("date", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
        e.put("cpu", cpu());
        e.put("cores", Runtime.getRuntime().availableProcessors());
        e.put("threads", WorkerPool.shared().threads());
        e.put("kernels", CpuFeatures.describe());
        e.put("java", System.getProperty("java.vm.name") + " " + System.getProperty("java.runtime.version"));
        e.put("flags", ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
                .filter(a -> !a.startsWith("-Dbench.")).collect(Collectors.joining(" ")));
        e.put("os", System.getProperty("os.name") + " " + System.getProperty("os.version") + " "
                + System.getProperty("os.arch"));
        e.put("load", ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage());
        return e;
    }

    private static String cpu() throws IOException {
        Path info = Path.of("/proc/cpuinfo");
        if (!Files.isReadable(info)) {
            return System.getProperty("os.arch");
        }
        try (Stream<String> lines = Files.lines(info)) {
            return lines.filter(l -> l.startsWith("model name")).findFirst().map(l -> l.substring(l.indexOf(':') + 2))
                    .orElse("unknown");
        }
    }
}
