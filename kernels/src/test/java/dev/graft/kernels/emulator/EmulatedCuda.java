package dev.graft.kernels.emulator;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * A CUDA device without a GPU: stand-ins for libcuda, NVRTC, cuBLAS and cuDNN, built with g++ from {@code src/test/emulator},
 * in front of which the loader of the CUDA backend is put. Kernels run on the host, with checks that a device does not make.
 *
 * <p>{@link #start} comes before anything that loads CUDA. The other methods set switches of the device and read what it
 * counted; {@link #reset} belongs before or after every test that uses them.
 */
public final class EmulatedCuda {
    /** In which order the device runs the threads of a block and the blocks of a grid. Right kernels cannot tell. */
    public enum Order { FORWARD, REVERSE, RANDOM }

    /** A stand-in: its file, its sources without which it is an empty library, what it is compiled and linked with. */
    private record Library(String soname, List<String> sources, List<String> with) {
        Library(String soname, String source, List<String> with) {
            this(soname, List.of(source), with);
        }
    }

    /** cuBLAS and cuDNN multiply large matrices: for the very processor that runs them. */
    private static final List<String> ARITHMETIC = List.of("-std=c++20", "-march=native", "-fvisibility=hidden", "-ldl",
            "-l:libcuda.so.1", "-l:libcublasLt.so.13");

    private static final List<Library> LIBRARIES = List.of(
            new Library("libcuda.so.1", "libcuda.cpp", List.of("-Wl,-z,nodelete", "-ldl", "-lpthread")),
            new Library("libnvrtc.so.13", "libnvrtc.cpp", List.of("-ldl")),
            new Library("libcublasLt.so.13", "libcublasLt.cpp", List.of()),
            new Library("libcublas.so.13", "libcublas.cpp", ARITHMETIC),
            new Library("libcudnn.so.9", List.of("libcudnn.cpp", "libcudnn_data.cpp", "libcudnn_convolve.cpp",
                    "libcudnn_conv.cpp", "libcudnn_ops.cpp", "libcudnn_norm.cpp", "libcudnn_graph.cpp",
                    "libcudnn_graph_run.cpp"), ARITHMETIC));

    private static final Linker LINKER = Linker.nativeLinker();
    private static final Map<String, MethodHandle> FUNCTIONS = new HashMap<>();
    private static String reason;
    private static Path folder;
    private static SymbolLookup cuda;

    private EmulatedCuda() {}

    /** Builds the stand-ins unless that was done, and makes them what the loader finds. False with a {@link #reason}. */
    public static synchronized boolean start() {
        if (folder == null && reason == null) {
            try {
                Path module = module();
                folder = build(module.resolve("src/test/emulator"), module.resolve("target/emulator"));
                System.setProperty("graft.cuda.path", folder.toString());
                System.setProperty("graft.cuda.cache", folder.resolve("cache").toString());
                cuda = SymbolLookup.libraryLookup(folder.resolve("libcuda.so.1"), Arena.global());
            } catch (IOException e) {
                folder = null;
                reason = e.getMessage();
            }
        }
        return folder != null;
    }

    /** Why there is no emulated device. */
    public static String reason() {
        return reason;
    }

    /** Where the stand-ins lie. */
    public static Path folder() {
        return folder;
    }

    // ------------------------------------------------------------------ switches

    /** A working device as at the start; counters at 0. What is allocated, loaded or recorded stays. */
    public static void reset() {
        call("graft_emu_reset", FunctionDescriptor.ofVoid());
    }

    public static void totalMemory(long bytes) {
        set("memory", bytes);
    }

    /** Such as 12020. */
    public static void driverVersion(int version) {
        set("driver", version);
    }

    public static void devices(int count) {
        set("devices", count);
    }

    /** Such as 90. */
    public static void computeCapability(int capability) {
        set("capability", capability);
    }

    public static void order(Order order, long seed) {
        set("seed", seed);
        set("order", order.ordinal());
    }

    /** Streams run only when somebody waits for them, so that a missing wait shows. */
    public static void lazy(boolean on) {
        set("lazy", on ? 1 : 0);
    }

    /** After {@code more} further allocations one fails for lack of memory. */
    public static void failAllocationAfter(long more) {
        set("fail-allocation", more);
    }

    /** Every launch of the kernel or library function ends with this error, as 719; 0 ends that. */
    public static void failLaunch(String kernel, int error) {
        try (Arena a = Arena.ofConfined()) {
            call("graft_emu_fail_launch", FunctionDescriptor.ofVoid(ValueLayout.ADDRESS, ValueLayout.JAVA_INT),
                    a.allocateFrom(kernel), error);
        }
    }

    /** The device is lost: every call answers this error, as 719, 214 or 999, until {@link #reset}. */
    public static void lose(int error) {
        set("break", error);
    }

    /** One or two host threads for long launches. */
    public static void hostThreads(int n) {
        set("threads", n);
    }

    // ------------------------------------------------------------------ what was seen

    /**
     * A counter: launches, allocations, allocated, used, peak, live, copies, copied, memsets, graphs, host-calls, modules,
     * pinned, streams, events, captures.
     */
    public static long count(String counter) {
        long n = named("graft_emu_count", counter);
        if (n < 0) {
            throw new IllegalArgumentException("no counter " + counter);
        }
        return n;
    }

    /** How often the kernel or library function ran. */
    public static long launches(String kernel) {
        return named("graft_emu_launches", kernel);
    }

    /** What ran, and how often. */
    public static Map<String, Long> launches() {
        Map<String, Long> m = new java.util.TreeMap<>();
        text("graft_emu_launched").lines().forEach(l -> m.put(l.substring(0, l.lastIndexOf(' ')),
                Long.valueOf(l.substring(l.lastIndexOf(' ') + 1))));
        return m;
    }

    /** What the device complained about since the last call: one sentence each. */
    public static List<String> report() {
        return text("graft_emu_report").lines().toList();
    }

    // ------------------------------------------------------------------ calls

    private static void set(String name, long value) {
        try (Arena a = Arena.ofConfined()) {
            Object unknown = call("graft_emu_set", FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS,
                    ValueLayout.JAVA_LONG), a.allocateFrom(name), value);
            if ((int) unknown != 0) {
                throw new IllegalArgumentException("no switch " + name);
            }
        }
    }

    private static long named(String function, String name) {
        try (Arena a = Arena.ofConfined()) {
            return (long) call(function, FunctionDescriptor.of(ValueLayout.JAVA_LONG, ValueLayout.ADDRESS), a.allocateFrom(name));
        }
    }

    private static String text(String function) {
        try (Arena a = Arena.ofConfined()) {
            long size = 1 << 20;
            MemorySegment to = a.allocate(size);
            call(function, FunctionDescriptor.of(ValueLayout.JAVA_LONG, ValueLayout.ADDRESS, ValueLayout.JAVA_LONG), to, size);
            return to.getString(0);
        }
    }

    private static synchronized Object call(String function, FunctionDescriptor type, Object... arguments) {
        if (cuda == null) {
            throw new IllegalStateException("no emulated device was started");
        }
        try {
            return FUNCTIONS.computeIfAbsent(function, f -> LINKER.downcallHandle(cuda.findOrThrow(f), type))
                    .invokeWithArguments(arguments);
        } catch (Throwable e) {
            throw new IllegalStateException(function, e);
        }
    }

    // ------------------------------------------------------------------ building

    /** The folder of this module, wherever the tests were started. */
    private static Path module() throws IOException {
        for (Path p = Path.of("").toAbsolutePath(); p != null; p = p.getParent()) {
            for (Path m : List.of(p, p.resolve("kernels"))) {
                if (Files.isDirectory(m.resolve("src/test/emulator"))) {
                    return m;
                }
            }
        }
        throw new IOException("src/test/emulator is not above " + Path.of("").toAbsolutePath());
    }

    private static Path build(Path sources, Path target) throws IOException {
        String compiler = System.getProperty("graft.test.cxx", "g++");
        String version = version(compiler);
        List<String> kernelFlags = new ArrayList<>(List.of("-O1", "-std=c++17", "-fPIC", "-w", "-fno-math-errno",
                "-fno-trapping-math"));
        String cpu = cpuFlags();
        for (String f : List.of("fma", "f16c")) {
            if (cpu.contains(" " + f + " ")) {
                kernelFlags.add("-m" + f);
            }
        }
        String hash = hash(sources, version + kernelFlags);
        Path done = target.resolve(hash);
        if (Files.isDirectory(done)) {
            return done;
        }
        Files.createDirectories(target);
        Path work = Files.createTempDirectory(target, "build");
        try {
            try (Stream<Path> files = Files.list(sources)) {
                for (Path f : files.filter(Files::isRegularFile).toList()) {
                    Files.copy(f, work.resolve(f.getFileName()));
                }
            }
            List<List<String>> later = new ArrayList<>();
            for (Library l : LIBRARIES) {
                List<String> c = new ArrayList<>(List.of(compiler, "-O2", "-std=c++17", "-fPIC", "-shared", "-w", "-L.",
                        "-Wl,-soname," + l.soname(), "-Wl,-rpath,$ORIGIN", "-o", l.soname(), "-x", "c++"));
                c.addAll(Files.exists(work.resolve(l.sources().getFirst())) ? l.sources() : List.of("/dev/null"));
                c.addAll(List.of("-x", "none"));
                c.addAll(l.with());
                if (l.with().contains("-l:libcuda.so.1")) {
                    later.add(c);
                } else {
                    run(work, c);
                }
            }
            List<String> header = new ArrayList<>(List.of(compiler));
            header.addAll(kernelFlags);
            header.addAll(List.of("-x", "c++-header", "cuda_host.h", "-o", "cuda_host.h.gch"));
            later.add(header);
            for (List<String> c : later) {
                run(work, c);
            }
            List<String> flags = new ArrayList<>(List.of(compiler, "-x", "c++"));
            flags.addAll(kernelFlags);
            Files.write(work.resolve("flags"), flags);
            move(work, done);
        } finally {
            delete(work);
        }
        return done;
    }

    private static void run(Path in, List<String> command) throws IOException {
        Path log = in.resolve("log");
        Process p = new ProcessBuilder(command).directory(in.toFile()).redirectErrorStream(true).redirectOutput(log.toFile())
                .start();
        try {
            if (p.waitFor() != 0) {
                throw new IllegalStateException(String.join(" ", command) + "\n" + Files.readString(log));
            }
        } catch (InterruptedException e) {
            p.destroyForcibly();
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while the emulated device was built", e);
        }
    }

    private static String version(String compiler) throws IOException {
        try {
            Process p = new ProcessBuilder(compiler, "--version").redirectErrorStream(true).start();
            String s = new String(p.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            if (p.waitFor() != 0) {
                throw new IOException("the emulated CUDA device needs g++: " + compiler + " --version failed");
            }
            return s;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        } catch (IOException e) {
            throw new IOException("the emulated CUDA device needs g++ and there is none: " + e.getMessage(), e);
        }
    }

    private static String cpuFlags() {
        try (Stream<String> lines = Files.lines(Path.of("/proc/cpuinfo"))) {
            return lines.filter(l -> l.startsWith("flags")).findFirst().orElse("") + " ";
        } catch (IOException | java.io.UncheckedIOException e) {
            return "";
        }
    }

    private static String hash(Path sources, String more) throws IOException {
        try (Stream<Path> files = Files.list(sources)) {
            var d = java.security.MessageDigest.getInstance("SHA-256");
            d.update(more.getBytes(StandardCharsets.UTF_8));
            for (Path f : files.filter(Files::isRegularFile).sorted().toList()) {
                d.update(f.getFileName().toString().getBytes(StandardCharsets.UTF_8));
                d.update(Files.readAllBytes(f));
            }
            return java.util.HexFormat.of().formatHex(d.digest(), 0, 8);
        } catch (java.security.NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);   // every JDK has it
        }
    }

    /** Another process may have been quicker: then its work is as good. */
    private static void move(Path work, Path done) throws IOException {
        try {
            Files.move(work, done, StandardCopyOption.ATOMIC_MOVE);
        } catch (AtomicMoveNotSupportedException | FileAlreadyExistsException | java.nio.file.DirectoryNotEmptyException e) {
            if (!Files.isDirectory(done)) {
                throw e;
            }
        } catch (java.nio.file.FileSystemException e) {
            if (!Files.isDirectory(done)) {
                throw e;
            }
        }
    }

    private static void delete(Path folder) throws IOException {
        if (Files.isDirectory(folder)) {
            try (Stream<Path> files = Files.walk(folder)) {
                for (Path f : files.sorted(java.util.Comparator.reverseOrder()).toList()) {
                    Files.deleteIfExists(f);
                }
            }
        }
    }
}
