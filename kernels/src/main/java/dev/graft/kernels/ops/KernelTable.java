package dev.graft.kernels.ops;

import dev.graft.kernels.CudaDevice;
import dev.graft.kernels.compile.Kernel;
import dev.graft.kernels.compile.KernelSource;
import dev.graft.tensor.DType;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Supplier;

/** A family's kernels by what specialises them: a launch looks one up without putting its macros together again. */
final class KernelTable {
    private final CudaDevice device;
    private final Map<Key, Kernel> kernels = new HashMap<>();

    private record Key(String function, DType type, DType other, int width, int variant) {}

    KernelTable(CudaDevice device) {
        this.device = device;
    }

    /**
     * @param other   a second type, or null
     * @param width   elements that are accessed at once
     * @param variant tells apart what the source says beside these
     */
    Kernel get(String function, DType type, DType other, int width, int variant, Supplier<KernelSource> source) {
        Key key = new Key(function, type, other, width, variant);
        Kernel k = kernels.get(key);
        if (k == null) {
            k = device.kernel(source.get(), function);
            kernels.put(key, k);
        }
        return k;
    }
}
