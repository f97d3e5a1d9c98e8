package dev.graft.tensor.backend;

import dev.graft.tensor.Context;
import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.cpu.CpuBackend;
import dev.graft.tensor.reference.ReferenceBackend;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.concurrent.ConcurrentHashMap;

/** Finds the backend of a device. Property {@code graft.backend=reference} puts the naive one on the CPU. */
public final class Backends {
    private static final Map<Device, Backend> OPEN = new ConcurrentHashMap<>();

    private Backends() {}

    private static final class Cpu {
        static final Backend DEFAULT = choose(System.getProperty("graft.backend", "fast"));

        static Backend choose(String name) {
            return switch (name) {
                case "fast" -> new CpuBackend();
                case "reference" -> new ReferenceBackend();
                default -> throw new GraftException("graft.backend=" + name + " is not known: use fast or reference");
            };
        }
    }

    public static Backend of(Device device) {
        if (device.kind() == Device.Kind.CPU) {
            Backend bound = Context.current().cpu();
            return bound != null ? bound : Cpu.DEFAULT;
        }
        return OPEN.computeIfAbsent(device, Backends::open);
    }

    private static Backend open(Device device) {
        for (BackendProvider p : ServiceLoader.load(BackendProvider.class)) {
            if (p.kind() == device.kind()) {
                return p.open(device);
            }
        }
        throw new GraftException("device " + device + " has no backend on the class path: add graft-kernels, or use cpu");
    }
}
