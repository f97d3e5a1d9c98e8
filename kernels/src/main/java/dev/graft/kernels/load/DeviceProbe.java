package dev.graft.kernels.load;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.OptionalLong;

/**
 * One CUDA device as the driver describes it.
 *
 * @param capability ten times the compute capability: 90 is 9.0; 0 when unknown
 * @param total      bytes of memory, when known
 * @param free       bytes that no process uses, when known
 */
record DeviceProbe(int index, String name, int capability, OptionalLong total, OptionalLong free) {
    private static final int CAPABILITY_MAJOR = 75;
    private static final int CAPABILITY_MINOR = 76;
    private static final int LONGEST_NAME = 256;

    /**
     * Asks an initialised driver. Free memory is told only to a context, so the device's primary one is used for a
     * moment.
     */
    static DeviceProbe of(SharedObject driver, int index) {
        int device = driver.number("cuDeviceGet", index).orElse(index);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment name = arena.allocate(LONGEST_NAME + 1L);
            driver.call("cuDeviceGetName", name, LONGEST_NAME, device);
            MemorySegment bytes = arena.allocate(ValueLayout.JAVA_LONG, 2);
            boolean known = driver.call("cuDeviceTotalMem_v2", bytes, device).orElse(-1) == 0;
            OptionalLong total = known ? OptionalLong.of(bytes.get(ValueLayout.JAVA_LONG, 0)) : OptionalLong.empty();
            int capability = 10 * driver.number("cuDeviceGetAttribute", CAPABILITY_MAJOR, device).orElse(0)
                    + driver.number("cuDeviceGetAttribute", CAPABILITY_MINOR, device).orElse(0);
            return new DeviceProbe(index, name.getString(0), capability, total, free(driver, device, bytes));
        }
    }

    private static OptionalLong free(SharedObject driver, int device, MemorySegment out) {
        if (driver.call("cuDevicePrimaryCtxRetain", out, device).orElse(-1) != 0) {
            return OptionalLong.empty();
        }
        MemorySegment context = MemorySegment.ofAddress(out.get(ValueLayout.JAVA_LONG, 0));
        OptionalLong free = OptionalLong.empty();
        if (driver.call("cuCtxPushCurrent_v2", context).orElse(-1) == 0) {
            if (driver.call("cuMemGetInfo_v2", out, out.asSlice(Long.BYTES)).orElse(-1) == 0) {
                free = OptionalLong.of(out.get(ValueLayout.JAVA_LONG, 0));
            }
            driver.call("cuCtxPopCurrent_v2", out);
        }
        driver.call("cuDevicePrimaryCtxRelease_v2", device);
        return free;
    }
}
