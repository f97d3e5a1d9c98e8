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
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A CUDA device without a GPU: stand-ins for libcuda, NVRTC, cuBLAS and cuDNN, built with g++ from
 * {@code src/test/emulator}, to which the loader of the CUDA backend is pointed. Kernels run on the host, with checks that a
 * device does not make.
 *
 * <p>{@link #start} comes before anything that loads CUDA. The other methods set switches of the device and read what it
 * counted; {@link #reset} belongs before or after every test that uses them.
 */
public final class EmulatedCuda {
    /** In which order the device runs the threads of a block and the blocks of a grid. Right kernels cannot tell. */
    public enum Order { FORWARD, REVERSE, RANDOM }

    /**
     * A stand-in.
     *
     * @param name  its sources are name.cpp and name_*.cpp, none for an empty library
     * @param after what must be built before
     */
    private record Library(String soname, String name, List<String> after) {
        boolean compiles(Path file) {
            String f = file.getFileName().toString();
            return f.equals(name + ".cpp") || f.startsWith(name + "_") && f.endsWith(".cpp");
        }

        List<String> command(String compiler, List<Path> sources) {
            List<String> c = new ArrayList<>(List.of(compiler, "-O2", "-std=c++20", "-fPIC", "-shared", "-w", "-L.",
                    "-Wl,-soname," + soname, "-Wl,-rpath,$ORIGIN", "-Wl,-z,nodelete", "-o", soname, "-x", "c++"));
            sources.stream().filter(this::compiles).forEach(f -> c.add(f.getFileName().toString()));
            if (c.getLast().equals("c++")) {
                c.add("/dev/null");
            }
            if (name.equals("libcublas") || name.equals("libcudnn")) {
                c.add(1, "-march=native");                       // their products are long: five times quicker with AVX
            }
            c.addAll(List.of("-x", "none", "-ldl", "-lpthread"));
            after.forEach(l -> c.add("-l:" + l));
            return c;
        }
    }

    private static final List<Library> LIBRARIES = List.of(
            new Library("libcuda.so.1", "libcuda", List.of()),
            new Library("libnvrtc.so.13", "libnvrtc", List.of()),
            new Library("libcublasLt.so.13", "libcublasLt", List.of()),
            new Library("libcublas.so.13", "libcublas", List.of("libcuda.so.1", "libcublasLt.so.13")),
            new Library("libcudnn.so.9", "libcudnn", List.of("libcuda.so.1")));
    private static final List<String> KERNEL_HEADERS = List.of("cuda_host.h", "cuda_tensor.h", "runtime.h");

    private static final Pattern INCLUDE = Pattern.compile("(?m)^#include \"(.+)\"");

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
                Path target = Files.createDirectories(module.resolve("target/emulator"));
                try (FileChannel c = FileChannel.open(target.resolve("lock"), StandardOpenOption.CREATE,
                        StandardOpenOption.WRITE)) {
                    c.lock();   // until it is closed: two processes need not both build
                    folder = build(module.resolve("src/test/emulator"), target);
                }
                System.setProperty("graft.cuda.path", folder.toString());
                System.setProperty("graft.cuda.families", "true");     // g++ starts slowly, NVRTC does not
                System.setProperty("graft.cuda.cache", folder.resolve("kernels").toRealPath().resolve("cache").toString());
                cuda = SymbolLookup.libraryLookup(folder.resolve("libcuda.so.1"), Arena.global());
                reset();
            } catch (IOException e) {
                folder = null;
                reason = e.getMessage();
            }
        }
        return folder != null;
    }

    /**
     * Whether kernels are compiled with checks of every memory access ({@code checks.h}), about ten times slower: property
     * {@code graft.emulator.checked}, set before {@link #start}.
     */
    public static boolean checked() {
        return Boolean.getBoolean("graft.emulator.checked");
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

    /**
     * A working device as at the start; counters at 0. What is allocated, loaded or recorded stays. The properties
     * {@code graft.emulator.order} and {@code graft.emulator.lazy} set another order for a whole run of tests.
     */
    public static void reset() {
        call("graft_emu_reset", FunctionDescriptor.ofVoid());
        order(Order.valueOf(System.getProperty("graft.emulator.order", "FORWARD")), Long.getLong("graft.emulator.seed", 1));
        lazy(Boolean.getBoolean("graft.emulator.lazy"));
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
        Map<String, Long> m = new TreeMap<>();
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
            return (long) call(function, FunctionDescriptor.of(ValueLayout.JAVA_LONG, ValueLayout.ADDRESS),
                    a.allocateFrom(name));
        }
    }

    private static String text(String function) {
        try (Arena a = Arena.ofConfined()) {
            long size = 1 << 20;
            MemorySegment to = a.allocate(size);
            call(function, FunctionDescriptor.of(ValueLayout.JAVA_LONG, ValueLayout.ADDRESS, ValueLayout.JAVA_LONG), to,
                    size);
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

    /** The libraries by a hash of all sources, what kernels are compiled with by a hash of what they see. */
    private static Path build(Path sources, Path target) throws IOException {
        String compiler = System.getProperty("graft.test.cxx", "g++");
        String version = version(compiler);
        List<String> kernelFlags = new ArrayList<>(List.of("-O1", "-std=c++17", "-fPIC", "-w", "-fno-math-errno",
                "-fno-trapping-math", "-fvisibility=hidden", "-fno-gnu-unique",
                "-fstack-clash-protection"));
        if (checked()) {
            kernelFlags.addAll(List.of("-g1", "-gdwarf-4", "-DGRAFT_EMU_CHECKED", "-fsanitize=thread",
                    "-fno-sanitize-recover=all",
                    "-fsanitize=alignment,bounds,signed-integer-overflow,integer-divide-by-zero,shift-exponent,unreachable,"
                            + "return,bool,enum,vla-bound"));
        }
        String cpu = cpuFlags();
        for (String f : List.of("fma", "f16c")) {
            if (cpu.contains(" " + f + " ")) {
                kernelFlags.add("-m" + f);
            }
        }
        List<Path> all;
        try (Stream<Path> files = Files.list(sources)) {
            all = files.filter(Files::isRegularFile).sorted().toList();
        }
        List<Path> headers = KERNEL_HEADERS.stream().map(sources::resolve).toList();
        Path kernels = target.resolve("kernels-" + hash(headers, version + kernelFlags));
        Path done = target.resolve(hash(all, version + kernelFlags));
        publish(target, kernels, work -> {
            copy(headers, work);
            List<String> c = new ArrayList<>(List.of(compiler));
            c.addAll(kernelFlags);
            c.addAll(List.of("-x", "c++-header", "cuda_host.h", "-o", "cuda_host.h.gch"));
            run(work, c);
            List<String> flags = new ArrayList<>(List.of(compiler, "-x", "c++"));
            flags.addAll(kernelFlags);
            Files.write(work.resolve("flags"), flags);
        });
        publish(target, done, work -> {
            for (Library l : LIBRARIES) {
                List<Path> inputs = withHeaders(all.stream().filter(l::compiles).toList());
                Path built = target.resolve(l.name() + "-" + hash(inputs, version + l.command(compiler, inputs)));
                publish(target, built, folder -> {
                    copy(inputs, folder);
                    for (String other : l.after()) {
                        Files.copy(work.resolve(other), folder.resolve(other));
                    }
                    run(folder, l.command(compiler, inputs));
                });
                Files.copy(built.resolve(l.soname()), work.resolve(l.soname()));
            }
            Files.createSymbolicLink(work.resolve("kernels"), Path.of("..", kernels.getFileName().toString()));
        });
        return done;
    }

    /** The files and all of ours that they include. */
    private static List<Path> withHeaders(List<Path> files) throws IOException {
        TreeSet<Path> found = new TreeSet<>();
        ArrayDeque<Path> open = new ArrayDeque<>(files);
        while (!open.isEmpty()) {
            Path f = open.pop();
            if (found.add(f)) {
                INCLUDE.matcher(Files.readString(f)).results().forEach(m -> open.push(f.resolveSibling(m.group(1))));
            }
        }
        return List.copyOf(found);
    }

    private interface Work {
        void in(Path folder) throws IOException;
    }

    /** Does work in a folder of its own, which then takes its name: what has the name is whole. */
    private static void publish(Path parent, Path done, Work work) throws IOException {
        if (Files.isDirectory(done)) {
            return;
        }
        Path folder = Files.createTempDirectory(parent, "build");
        try {
            work.in(folder);
            Files.move(folder, done, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            delete(folder);
        }
    }

    private static void copy(List<Path> files, Path to) throws IOException {
        for (Path f : files) {
            Files.copy(f, to.resolve(f.getFileName()));
        }
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
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while the emulated device was built", e);
        } finally {
            p.destroyForcibly();
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

    private static String hash(List<Path> files, String more) throws IOException {
        try {
            MessageDigest d = MessageDigest.getInstance("SHA-256");
            d.update(more.getBytes(StandardCharsets.UTF_8));
            for (Path f : files) {
                d.update(f.getFileName().toString().getBytes(StandardCharsets.UTF_8));
                d.update(Files.readAllBytes(f));
            }
            return HexFormat.of().formatHex(d.digest(), 0, 8);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);   // every JDK has it
        }
    }

    private static void delete(Path folder) throws IOException {
        if (Files.isDirectory(folder)) {
            try (Stream<Path> files = Files.walk(folder)) {
                for (Path f : files.sorted(Comparator.reverseOrder()).toList()) {
                    Files.deleteIfExists(f);
                }
            }
        }
    }
}
