package dev.graft.kernels.compile;

import dev.graft.kernels.driver.Args;
import dev.graft.kernels.driver.Driver;
import dev.graft.kernels.driver.Nvrtc;
import dev.graft.tensor.GraftException;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import jcuda.driver.CUmodule;

/**
 * The kernels of one device: compiled when first asked for. Property {@code graft.cuda.dump} names a folder into which the
 * text of every kernel goes, for those who want to read it or give it to nvcc.
 */
public final class Kernels {
    private static final System.Logger LOG = System.getLogger(Kernels.class.getName());

    private static final String DUMP = System.getProperty("graft.cuda.dump");

    private final Target target;
    private final List<String> options;
    private final Args args;
    private final Map<KernelSource, CUmodule> modules = new HashMap<>();
    private final Map<Key, Kernel> kernels = new HashMap<>();

    private record Key(KernelSource source, String function) {}

    /** @param computeCapability such as 90 */
    public Kernels(int computeCapability, Args args) {
        target = Target.of(computeCapability, Nvrtc.architectures());
        options = List.of("--gpu-architecture=" + target.architecture(), "--std=c++17", "--extra-device-vectorization");
        this.args = args;
    }

    /** What NVRTC is asked for: the chip's own code, or for a chip that is newer than it PTX of the newest one it knows. */
    record Target(String architecture, boolean ptx) {
        static Target of(int computeCapability, int[] known) {
            int best = 0;
            for (int k : known) {
                if (k == computeCapability) {
                    return new Target("sm_" + k, false);
                }
                best = k < computeCapability ? Math.max(best, k) : best;
            }
            if (best == 0) {
                throw new GraftException("this GPU has compute capability " + computeCapability / 10 + "."
                        + computeCapability % 10 + ", for which NVRTC " + Nvrtc.version()
                        + " compiles no longer: install CUDA 12 beside it and set graft.cuda.major=12, or use the CPU");
            }
            return new Target("compute_" + best, true);
        }
    }

    public Kernel get(KernelSource source, String function) {
        return kernels.computeIfAbsent(new Key(source, function), k -> new Kernel(
                Driver.function(modules.computeIfAbsent(source, this::load), function), function + " of " + source, args));
    }

    private CUmodule load(KernelSource source) {
        String text = source.text();
        String key = CodeCache.key(text, String.join(" ", options), Nvrtc.version());
        byte[] code = CodeCache.find(key);
        if (code == null) {
            long start = System.nanoTime();
            code = Nvrtc.compile(text, source.name(), target.ptx(), options);
            LOG.log(Level.DEBUG, "compiled {0} in {1} ms", source, (System.nanoTime() - start) / 1_000_000);
            CodeCache.keep(key, code);
        }
        if (DUMP != null) {
            dump(source, key, text);
        }
        return Driver.load(code);
    }

    private static void dump(KernelSource source, String key, String text) {
        try {
            Files.createDirectories(Path.of(DUMP));
            Files.writeString(Path.of(DUMP, source.name().replaceAll("\\W+", "_") + "-" + key.substring(0, 12) + ".cu"),
                    text);
        } catch (IOException e) {
            LOG.log(Level.INFO, "the text of {0} cannot be written to {1}: {2}", source, DUMP, e.getMessage());
        }
    }
}
