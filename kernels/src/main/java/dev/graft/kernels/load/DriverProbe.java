package dev.graft.kernels.load;

/**
 * What the driver says of itself before anything else is loaded.
 *
 * @param version what cuDriverGetVersion gives, such as 13000; 0 when it fails
 * @param status  what cuInit returns, 0 for success
 * @param devices the number of CUDA devices
 */
record DriverProbe(int version, int status, int devices) {
    private static final int NO_FUNCTION = -1;

    static DriverProbe of(SharedObject driver) {
        int version = driver.number("cuDriverGetVersion").orElse(0);
        int status = driver.call("cuInit", 0).orElse(NO_FUNCTION);
        return new DriverProbe(version, status, status == 0 ? driver.number("cuDeviceGetCount").orElse(0) : 0);
    }

    /** Why this driver cannot be used and what to do, or null. */
    String problem() {
        int oldest = CudaLibraries.CUDA_MAJORS.getLast();
        if (version != 0 && version / 1000 < oldest) {
            return "the driver supports CUDA " + Versions.cuda(version) + " at most, and CUDA " + oldest
                    + " is the oldest that can be used: update NVIDIA's driver to " + CudaLibraries.driverFor(oldest);
        }
        if (status == 0) {
            return devices > 0 ? null : "the driver is there but has no device: " + visible();
        }
        return switch (status) {
            case NO_FUNCTION -> "libcuda.so.1 has no function cuInit, so it is not NVIDIA's driver: "
                    + Component.DRIVER.remedy(0);
            case 34 -> says("CUDA_ERROR_STUB_LIBRARY") + "take the toolkit's folder of stubs out of the library path";
            case 100 -> says("CUDA_ERROR_NO_DEVICE") + visible();
            case 802 -> says("CUDA_ERROR_SYSTEM_NOT_READY") + "start nvidia-fabricmanager";
            case 803 -> says("CUDA_ERROR_SYSTEM_DRIVER_MISMATCH") + "the library and the kernel module are of different"
                    + " versions; reboot, or remove a CUDA compat folder from the library path";
            case 804 -> says("CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE") 
                    + "remove the CUDA compat folder from the library path";
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
