package dev.graft.cli;

import dev.graft.cli.report.Table;
import dev.graft.tensor.Device;
import dev.graft.tensor.backend.Backends;
import dev.graft.tensor.cpu.CpuFeatures;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** What a measurement needs beside its number: the machine, the JVM, the kernels. */
final class Environment {
    private Environment() {}

    /** @param device where was computed */
    static Table table(Device device) {
        Map<String, String> rows = rows();
        if (device.kind() != Device.Kind.CPU) {
            rows.put("Device", device + ", " + Backends.of(device).name());
        }
        return Table.of("Machine and program", rows);
    }

    /** Names and values, in the order to show them. */
    static Map<String, String> rows() {
        Map<String, String> rows = new LinkedHashMap<>();
        String version = Main.class.getPackage().getImplementationVersion();
        rows.put("Graft", version == null ? "development build" : version);
        rows.put("Java", System.getProperty("java.vm.name") + " " + Runtime.version());
        rows.put("System", System.getProperty("os.name") + " " + System.getProperty("os.version") + ", "
                + System.getProperty("os.arch"));
        rows.put("Processor", processor() + ", " + Runtime.getRuntime().availableProcessors() + " cores for this process");
        rows.put("Backend", CpuFeatures.describe());
        rows.put("Heap limit", Runtime.getRuntime().maxMemory() / (1 << 20) + " MiB");
        return rows;
    }

    /** The model name where the system tells it in a file. */
    private static String processor() {
        try (var lines = Files.lines(Path.of("/proc/cpuinfo"))) {
            return lines.filter(l -> l.startsWith("model name")).findFirst()
                    .map(l -> l.substring(l.indexOf(':') + 1).strip()).orElse(System.getProperty("os.arch"));
        } catch (IOException e) {
            return System.getProperty("os.arch");
        }
    }
}
