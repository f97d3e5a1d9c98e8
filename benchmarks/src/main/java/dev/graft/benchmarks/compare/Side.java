package dev.graft.benchmarks.compare;

import dev.graft.benchmarks.peers.Rows.Peer;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** One engine's processes: how they are started and what they say. */
final class Side {
    /** Settings of the surroundings that change how fast a peer is; one halved OpenBLAS here unnoticed. */
    private static final Pattern INHERITED = Pattern.compile(
            "(OPENBLAS|MKL|DNNL|ONEDNN|ATEN|GOMP|KMP|OMP|GOTO|MALLOC|THP|TORCH|PYTORCH|DJL|GRAFT)_.*"
                    + "|GLIBC_TUNABLES|JAVA_TOOL_OPTIONS|JDK_JAVA_OPTIONS");

    /** Far more than any row takes: of the slowest, seconds. */
    static final Duration PATIENCE = Duration.ofMinutes(4);
    private static final String UP_TO_AVX2 = "-XX:UseAVX=2";
    /**
     * What keeps libraries from using more than AVX2, each in its own words: oneDNN, OpenBLAS as on the first processors
     * that had it, MKL, PyTorch's own kernels. Their logs show that they obey (docs/benchmarks.md).
     */
    private static final Map<String, String> AVX2 = new TreeMap<>(Map.of("ONEDNN_MAX_CPU_ISA", "AVX2",
            "OPENBLAS_CORETYPE", "Haswell", "MKL_ENABLE_INSTRUCTIONS", "AVX2", "ATEN_CPU_CAPABILITY", "avx2"));

    private final String name;
    private final Peer peer;
    private final List<String> command;
    private final int threads;
    private final Map<String, String> limits;
    private final Duration patience;
    private final Set<String> broken = new HashSet<>();
    private String description = "";

    private Side(String name, Peer peer, List<String> command, int threads, Map<String, String> limits) {
        this(name, peer, command, threads, limits, PATIENCE);
    }

    /** @param peer null for Graft */
    Side(String name, Peer peer, List<String> command, int threads, Map<String, String> limits, Duration patience) {
        this.patience = patience;
        this.name = name;
        this.peer = peer;
        this.command = command;
        this.threads = threads;
        this.limits = limits;
    }

    /** Graft with the flags of its launcher. */
    static Side ours(int threads, boolean avx2) {
        List<String> c = new ArrayList<>(List.of(java()));
        c.addAll(List.of(System.getProperty("bench.flags", "").split(" ")));
        c.removeIf(String::isBlank);
        if (avx2 && !c.contains(UP_TO_AVX2)) {
            c.add(UP_TO_AVX2);
        }
        c.addAll(List.of("-Dgraft.threads=" + threads, "-cp", System.getProperty("java.class.path"),
                GraftEngine.class.getName()));
        return new Side("graft", null, c, threads, avx2 ? Map.of("GRAFT_JAVA_OPTS", UP_TO_AVX2) : Map.of());
    }

    /** @throws IOException when the peer's module is not built */
    static Side of(Peer peer, Path peers, int threads, boolean avx2) throws IOException {
        String name = peer.name().toLowerCase(Locale.ROOT);
        Path target = peers.resolve(name).resolve("target");
        String jars = Files.readString(target.resolve("class-path.txt")).strip();
        String main = switch (peer) {
            case TORCH -> "torch.TorchEngine";
            case DJL -> "djl.DjlEngine";
            case DL4J -> "dl4j.Dl4jEngine";
            case ONNXRUNTIME -> "onnxruntime.OnnxEngine";
        };
        List<String> c = new ArrayList<>(List.of(java(), "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow",
                "-XX:ErrorFile=" + Path.of(System.getProperty("java.io.tmpdir"), "graft-peer-%p.log"),
                "-Dbench.threads=" + threads, "-Dbench.version=" + version(peer, jars)));
        if (peer == Peer.DL4J) {
            c.addAll(List.of("-Xmx6g", "-Dorg.bytedeco.javacpp.maxbytes=12g", "-Dorg.bytedeco.javacpp.maxphysicalbytes=16g",
                    "--add-opens=java.base/java.nio=ALL-UNNAMED"));
        }
        c.addAll(List.of("-cp", target.resolve("classes") + File.pathSeparator + jars,
                "dev.graft.benchmarks.peers." + main));
        return new Side(name, peer, c, threads, avx2 ? AVX2 : Map.of());
    }

    private static String java() {
        return Path.of(System.getProperty("java.home"), "bin", "java").toString();
    }

    /** That of the library's own jar. */
    private static String version(Peer peer, String jars) {
        String jar = switch (peer) {
            case TORCH -> "pytorch";
            case DJL -> "api";
            case DL4J -> "nd4j-native";
            case ONNXRUNTIME -> "onnxruntime";
        };
        Matcher m = Pattern.compile("/" + jar + "-(\\d[^/" + File.pathSeparator + "]*?)\\.jar").matcher(jars);
        return m.find() ? m.group(1) : "unknown";
    }

    String name() {
        return name;
    }

    /** A command in the same surroundings: with {@code main} instead of the engine, or {@code main} null any program. */
    ProcessBuilder command(String main, List<String> arguments) {
        List<String> all = new ArrayList<>(main == null ? List.of() : command.subList(0, command.size() - 1));
        if (main != null) {
            all.add(main);
        }
        all.addAll(arguments);
        ProcessBuilder b = new ProcessBuilder(all);
        surroundings(b.environment(), "");
        return b;
    }

    /** The settings that limit it, "" where there are none. */
    String limits() {
        return peer == null && !limits.isEmpty() ? UP_TO_AVX2
                : limits.entrySet().stream().map(e -> e.getKey() + "=" + e.getValue()).collect(Collectors.joining(" "));
    }

    /**
     * The settings that its processes got, but for products and BERT in libtorch, whose threads are not bound
     * (docs/benchmarks.md); what they inherited of that kind was dropped.
     */
    Map<String, String> settings() {
        Map<String, String> e = new TreeMap<>();
        surroundings(e, "");
        return e;
    }

    /** As the engine describes itself, once it has run. */
    String description() {
        return description;
    }

    /** A process of its own for the works of a group, started when the first is asked for. */
    EngineProcess begin(String group, List<String> arguments, Measured into) {
        List<String> all = new ArrayList<>(command);
        all.addAll(arguments);
        ProcessBuilder b = new ProcessBuilder(all);
        surroundings(b.environment(), group);
        return new EngineProcess(this, b, patience, into);
    }

    void describes(String itself) {
        description = itself;
    }

    /** Works that ended a process: they are not tried again. */
    Set<String> broken() {
        return broken;
    }

    /**
     * Neutral, and what is known to be best for the peer: one thread per core where OpenMP does the work; not bound and
     * without spinning where OpenBLAS brings threads of its own; large blocks kept by the allocator, which otherwise returns
     * them to the system after every op; huge pages, which Graft's processes ask for too, by the settings of PyTorch's own
     * allocator and of glibc's.
     */
    private void surroundings(Map<String, String> e, String group) {
        e.keySet().removeIf(k -> INHERITED.matcher(k).matches());
        e.putAll(limits);
        if (peer == null) {
            return;
        }
        e.put("OMP_NUM_THREADS", Integer.toString(threads));
        if (peer == Peer.TORCH && (group.equals("gemm") || group.equals("bert"))) {
            e.put("OMP_WAIT_POLICY", "passive");
        } else {
            e.put("OMP_PROC_BIND", "true");
            e.put("OMP_PLACES", "cores");
        }
        e.put("MALLOC_MMAP_THRESHOLD_", "8589934592");
        e.put("MALLOC_TRIM_THRESHOLD_", "17179869184");
        e.put("MALLOC_TOP_PAD_", "268435456");
        e.put("THP_MEM_ALLOC_ENABLE", "1");
        e.put("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1");
    }
}
