package dev.graft.kernels.compile;

import dev.graft.kernels.driver.Args;
import dev.graft.kernels.driver.Driver;
import dev.graft.kernels.driver.Nvrtc;
import java.lang.System.Logger.Level;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import jcuda.driver.CUmodule;

/** The kernels of one device: compiled when first asked for. */
public final class Kernels {
    private static final System.Logger LOG = System.getLogger(Kernels.class.getName());

    private final List<String> options;
    private final Args args;
    private final Map<KernelSource, CUmodule> modules = new HashMap<>();
    private final Map<Key, Kernel> kernels = new HashMap<>();

    private record Key(KernelSource source, String function) {}

    /** @param computeCapability such as 90 */
    public Kernels(int computeCapability, Args args) {
        options = List.of("--gpu-architecture=sm_" + computeCapability, "--std=c++17", "--extra-device-vectorization");
        this.args = args;
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
            code = Nvrtc.compile(text, source.name(), options);
            LOG.log(Level.DEBUG, "compiled {0} in {1} ms", source, (System.nanoTime() - start) / 1_000_000);
            CodeCache.keep(key, code);
        }
        return Driver.load(code);
    }
}
