package dev.graft.kernels.load;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * What the driver says of itself before anything else is loaded.
 *
 * @param version what cuDriverGetVersion gives, such as 13000; 0 when it fails
 * @param status  what cuInit returns, 0 for success
 * @param devices the number of CUDA devices
 */
record DriverProbe(int version, int status, int devices) {
    static final int NO_DEVICE = 100;
    private static final FunctionDescriptor INT_OUT = FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS);
    private static final FunctionDescriptor INT_IN = FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT);

    static DriverProbe of(SharedObject driver) {
        MethodHandle init = driver.function("cuInit", INT_IN).orElse(null);
        try {
            int version = Math.max(0, number(driver, "cuDriverGetVersion"));
            int status = init == null ? -1 : (int) init.invokeExact(0);
            return new DriverProbe(version, status, status == 0 ? number(driver, "cuDeviceGetCount") : 0);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /** The number that a function writes, or -1 when it fails. */
    static int number(SharedObject library, String function) throws Throwable {
        MethodHandle f = library.function(function, INT_OUT).orElse(null);
        if (f == null) {
            return -1;
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.JAVA_INT);
            return (int) f.invokeExact(out) == 0 ? out.get(ValueLayout.JAVA_INT, 0) : -1;
        }
    }

    /** Why this driver cannot be used and what to do, or null. */
    String problem() {
        int oldest = CudaLibraries.CUDA_MAJORS.getLast();
        if (version != 0 && version / 1000 < oldest) {
            return "the driver supports CUDA " + CudaLibraries.version(version) + " at most, and CUDA " + oldest
                    + " is the oldest that can be used: update NVIDIA's driver to " + CudaLibraries.driverFor(oldest);
        }
        if (status == 0) {
            return devices > 0 ? null : "the driver is there but has no device: " + visible();
        }
        return switch (status) {
            case -1 -> "libcuda.so.1 has no function cuInit, so it is not NVIDIA's driver: " + Component.DRIVER.remedy(0);
            case 34 -> says("CUDA_ERROR_STUB_LIBRARY") + "take the toolkit's folder of stubs out of the library path";
            case NO_DEVICE -> says("CUDA_ERROR_NO_DEVICE") + visible();
            case 802 -> says("CUDA_ERROR_SYSTEM_NOT_READY") + "start nvidia-fabricmanager";
            case 803 -> says("CUDA_ERROR_SYSTEM_DRIVER_MISMATCH") + "the library and the kernel module are of different versions;"
                    + " reboot, or remove a CUDA compat folder from the library path";
            case 804 -> says("CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE") + "remove the CUDA compat folder from the library path";
            case 999 -> says("CUDA_ERROR_UNKNOWN") + "load the kernel module nvidia_uvm, or reboot";
            default -> says("error " + status) + "see whether nvidia-smi works";
        };
    }

    private String says(String name) {
        return "the driver is there but cuInit says " + name + (name.startsWith("error") ? "" : " (" + status + ")") + ": ";
    }

    private static String visible() {
        return "see whether nvidia-smi lists a GPU and CUDA_VISIBLE_DEVICES hides it; start a container with --gpus all";
    }
}
