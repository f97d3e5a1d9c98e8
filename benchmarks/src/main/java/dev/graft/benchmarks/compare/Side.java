package dev.graft.benchmarks.compare;

import dev.graft.benchmarks.peers.Fingerprint;
import dev.graft.benchmarks.peers.Rows.Peer;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** One engine's processes: how they are started and what they say. */
final class Side {
    /** Settings of the surroundings that change how fast a peer is; one halved OpenBLAS here unnoticed. */
    private static final Pattern INHERITED = Pattern.compile(
            "(OPENBLAS|MKL|DNNL|ONEDNN|ATEN|GOMP|KMP|OMP|GOTO|MALLOC|TORCH|PYTORCH|DJL|GRAFT)_.*"
                    + "|JAVA_TOOL_OPTIONS|JDK_JAVA_OPTIONS");

    private final String name;
    private final Peer peer;
    private final List<String> command;
    private final int threads;
    private String description = "";

    private Side(String name, Peer peer, List<String> command, int threads) {
        this.name = name;
        this.peer = peer;
        this.command = command;
        this.threads = threads;
    }

    /** Graft with the flags of its launcher. */
    static Side ours(int threads) {
        List<String> c = new ArrayList<>(List.of(java()));
        c.addAll(List.of(System.getProperty("bench.flags", "").split(" ")));
        c.removeIf(String::isBlank);
        c.addAll(List.of("-Dgraft.threads=" + threads, "-cp", System.getProperty("java.class.path"),
                GraftEngine.class.getName()));
        return new Side("graft", null, c, threads);
    }

    /** @throws IOException when the peer's module is not built */
    static Side of(Peer peer, Path peers, int threads) throws IOException {
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
        return new Side(name, peer, c, threads);
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

    /** As the engine describes itself, once it has run. */
    String description() {
        return description;
    }

    /** Runs a process for {@code arguments} and adds what it measured. */
    void run(int round, String group, List<String> arguments, Measured into) throws IOException, InterruptedException {
        List<String> all = new ArrayList<>(command);
        all.addAll(arguments);
        ProcessBuilder b = new ProcessBuilder(all).redirectErrorStream(true);
        surroundings(b.environment(), group);
        Process p = b.start();
        Deque<String> last = new ArrayDeque<>();
        try (BufferedReader out = new BufferedReader(new InputStreamReader(p.getInputStream(), StandardCharsets.UTF_8))) {
            for (String line = out.readLine(); line != null; line = out.readLine()) {
                read(line.split("\t"), round, into);
                last.add(line);
                if (last.size() > 5) {
                    last.remove();
                }
            }
        }
        int status = p.waitFor();
        if (status != 0) {
            System.err.println(name + " ended with status " + status + " in " + group + ":\n  " + String.join("\n  ", last));
        }
    }

    private void read(String[] f, int round, Measured into) {
        switch (f[0]) {
            case "engine" -> description = f[1];
            case "row" -> into.add(name, round, f[1], new Sample(Double.parseDouble(f[2]), Fingerprint.parse(f[5])));
            case "peak" -> into.add(name, round, Compare.PEAK + f[1], new Sample(Double.parseDouble(f[2]), null));
            case "failed" -> into.failed(name, f[1], f[2]);
            default -> { }      // remarks of the libraries
        }
    }

    /**
     * Neutral, and what is known to be best for the peer: one thread per core where OpenMP does the work; not bound and
     * without spinning where OpenBLAS brings threads of its own; large blocks kept by the allocator, which otherwise returns
     * them to the system after every op.
     */
    private void surroundings(Map<String, String> e, String group) {
        e.keySet().removeIf(k -> INHERITED.matcher(k).matches());
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
    }
}
