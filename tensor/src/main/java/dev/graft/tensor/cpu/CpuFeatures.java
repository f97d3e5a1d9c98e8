package dev.graft.tensor.cpu;

import java.util.Locale;

/** Which set of inner loops this process uses, and why. Chosen once, at first use. */
public final class CpuFeatures {
    private static final String REASON;
    private static MicroKernels kernels;

    static {
        String obstacle = obstacle();
        MicroKernels chosen = null;
        if (obstacle == null) {
            try {
                // By name: the class does not link when the Vector API is absent.
                chosen = (MicroKernels) Class.forName("dev.graft.tensor.cpu.VectorKernels")
                        .getDeclaredConstructor().newInstance();
                obstacle = tooNarrow(chosen.lanes());
            } catch (ReflectiveOperationException | LinkageError e) {
                obstacle = "the Vector API does not start (" + e + ")";
            }
        }
        kernels = obstacle == null ? chosen : new PlainKernels();
        REASON = obstacle;
    }

    private CpuFeatures() {}

    /** One line for logs: the kernels in use, the number of threads, and why SIMD is off when it is. */
    public static String describe() {
        String text = "CPU kernels: " + kernels.name() + ", " + WorkerPool.shared().threads() + " threads";
        return REASON == null ? text : text + " (" + REASON + ")";
    }

    /** Whether kernels may use the Vector API; classes that do must be reached only if this is true. */
    public static boolean simd() {
        return REASON == null;
    }

    static MicroKernels kernels() {
        return kernels;
    }

    /** Replaces the kernels and returns the former ones, so that tests can compare implementations in one process. */
    static MicroKernels select(MicroKernels other) {
        MicroKernels old = kernels;
        kernels = other;
        return old;
    }

    private static String obstacle() {
        if (System.getProperty("graft.simd", "true").equalsIgnoreCase("false")) {
            return "SIMD is switched off by -Dgraft.simd=false";
        }
        if (ModuleLayer.boot().findModule("jdk.incubator.vector").isEmpty()) {
            return "for speed start Java with --add-modules jdk.incubator.vector";
        }
        if (System.getProperty("java.vm.info", "").contains("interpreted")) {
            return "the JVM runs without its compiler, where the Vector API is slower than loops";
        }
        return null;
    }

    private static String tooNarrow(int lanes) {
        String arch = System.getProperty("os.arch", "").toLowerCase(Locale.ROOT);
        boolean x86 = arch.equals("amd64") || arch.equals("x86_64");
        // x86 without AVX2 has no fused multiply-add either, and its emulation is a thousand times slower.
        return lanes < (x86 ? 8 : 4) ? "the CPU's vectors hold " + lanes + " floats only" : null;
    }
}
