package dev.graft.tensor.cpu;

/**
 * Whether kernels may use the Vector API. Asked before any class that mentions {@code jdk.incubator.vector} is loaded, so
 * a JVM without that module runs the plain loops. System property {@code graft.simd=false} forces them.
 */
final class Simd {
    static final boolean ENABLED = !"false".equalsIgnoreCase(System.getProperty("graft.simd"))
            && ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent();

    private Simd() {}
}
