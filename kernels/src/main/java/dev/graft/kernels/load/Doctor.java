package dev.graft.kernels.load;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/**
 * Says for a person what of CUDA is on this machine, where, in which version, what is missing or does not fit, and the
 * fix. Asks the libraries by themselves, so that it works as well where the backend does not.
 */
public final class Doctor {
    /** The oldest compute capability that CUDA 13 supports, times ten. */
    private static final int OLDEST_FOR_CUDA_13 = 75;
    private static final int MOST_ARCHITECTURES = 1024;
    private static final double GIB = 1 << 30;

    private final LibraryReport report;
    private final List<String> lines = new ArrayList<>();
    private final List<String> problems = new ArrayList<>();

    private Doctor(LibraryReport report) {
        this.report = report;
    }

    /** One sentence where there is no driver, else a few lines: what is there, then what is wrong. Never throws. */
    public static String diagnose() {
        return new Doctor(NativeLoader.load()).examine();
    }

    private String examine() {
        Library driver = report.found().get(Component.DRIVER);
        if (driver == null) {
            return sentence(report.problem());
        }
        problems.addAll(report.missing().values());
        int newest = report.driverVersion();
        line("driver", (newest == 0 ? "" : "for CUDA " + Versions.cuda(newest) + " and older, ") + kernelModule()
                + driver.path());
        try {
            if (report.has(Component.DRIVER)) {
                devices(SharedObject.open(driver.path()));
            }
            report.found().values().stream().filter(l -> l.component() != Component.DRIVER)
                    .forEach(l -> line(l.component().title(), describe(l)));
        } catch (RuntimeException | LinkageError e) {
            problems.add("the examination broke off (" + e.getMessage() + "): please report it");
        }
        if (report.problem() == null) {
            lines.add("A CUDA device can be used" + (problems.isEmpty() ? "." : ", but:"));
        } else {
            lines.add("No CUDA device can be used:");
        }
        problems.forEach(p -> lines.add("- " + p));
        return String.join("\n", lines);
    }

    private void devices(SharedObject driver) {
        int count = driver.number("cuDeviceGetCount").orElse(0);
        for (int i = 0; i < count; i++) {
            DeviceProbe d = DeviceProbe.of(driver, i);
            line("cuda:" + i, d.name() + ", compute capability " + capability(d.capability()) + ", memory " + gib(d.total())
                    + ", free " + gib(d.free()));
            if (d.capability() != 0) {
                checkCompiler(d);
            }
        }
    }

    /** Whether NVRTC can compile for the device. */
    private void checkCompiler(DeviceProbe d) {
        String has = "cuda:" + d.index() + " has compute capability " + capability(d.capability());
        if (d.capability() < OLDEST_FOR_CUDA_13 && report.cudaMajor() >= 13) {
            problems.add(has + " and CUDA 13 supports " + capability(OLDEST_FOR_CUDA_13)
                    + " and newer: install the libraries of CUDA 12 and choose them by -D" + CudaLibraries.MAJOR + "=12");
        } else if (report.has(Component.NVRTC)) {
            int newest = architectures(SharedObject.open(report.found().get(Component.NVRTC).path())).max().orElse(0);
            if (newest != 0 && d.capability() > newest) {
                problems.add(has + " and this NVRTC compiles for " + capability(newest)
                        + " and older: install a newer NVRTC");
            }
        }
    }

    private static IntStream architectures(SharedObject nvrtc) {
        int count = nvrtc.number("nvrtcGetNumSupportedArchs").orElse(0);
        if (count <= 0 || count > MOST_ARCHITECTURES) {
            return IntStream.empty();
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment all = arena.allocate(ValueLayout.JAVA_INT, count);
            return nvrtc.call("nvrtcGetSupportedArchs", all).orElse(-1) == 0
                    ? IntStream.of(all.toArray(ValueLayout.JAVA_INT)) : IntStream.empty();
        }
    }

    private String describe(Library l) {
        if (!report.has(l.component())) {
            return l.major() + ", not loaded, " + l.path();
        }
        String version = Versions.of(l.component(), SharedObject.open(l.path()));
        return (version.isEmpty() ? Integer.toString(l.major()) : version)
                + (l.component() == Component.CUDNN ? " for CUDA " + report.cudaMajor() : "") + ", " + l.path();
    }

    private void line(String name, String text) {
        lines.add(String.format(Locale.ROOT, "%-8s %s", name, text));
    }

    /** The version by which NVIDIA sells its driver, where the kernel module tells it. */
    private static String kernelModule() {
        try {
            Matcher m = Pattern.compile("Kernel Module\\D* (\\d+(\\.\\d+)+)")
                    .matcher(Files.readString(Path.of("/proc/driver/nvidia/version")));
            return m.find() ? "version " + m.group(1) + ", " : "";
        } catch (IOException e) {
            return "";                          // not a plain Linux host, for example WSL
        }
    }

    private static String capability(int tenfold) {
        return tenfold == 0 ? "unknown" : tenfold / 10 + "." + tenfold % 10;
    }

    private static String gib(OptionalLong bytes) {
        return bytes.isEmpty() ? "unknown" : String.format(Locale.ROOT, "%.1f GiB", bytes.getAsLong() / GIB);
    }

    private static String sentence(String clause) {
        return Character.toUpperCase(clause.charAt(0)) + clause.substring(1) + ".";
    }
}
