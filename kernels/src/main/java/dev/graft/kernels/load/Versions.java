package dev.graft.kernels.load;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** The version of an open library in its own words, such as 13.0.1; empty when it does not tell. */
final class Versions {
    private static final int MAJOR_MINOR_PATCH = 3;

    private Versions() {}

    static String of(Component component, SharedObject library) {
        return switch (component) {
            case DRIVER -> "";
            case CUBLAS -> cublas(library);
            case NVRTC -> nvrtc(library);
            // The function gives a size_t, whose lower half holds every version there will be.
            case CUDNN -> library.call("cudnnGetVersion").stream().mapToObj(Versions::cudnn).findFirst().orElse("");
        };
    }

    /** cublasGetProperty(which, out) needs no handle, unlike cublasGetVersion. */
    private static String cublas(SharedObject library) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.JAVA_INT);
            int[] parts = new int[MAJOR_MINOR_PATCH];
            for (int i = 0; i < parts.length; i++) {
                if (library.call("cublasGetProperty", i, out).orElse(-1) != 0) {
                    return "";
                }
                parts[i] = out.get(ValueLayout.JAVA_INT, 0);
            }
            return parts[0] + "." + parts[1] + "." + parts[2];
        }
    }

    private static String nvrtc(SharedObject library) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.JAVA_INT, 2);
            return library.call("nvrtcVersion", out, out.asSlice(Integer.BYTES)).orElse(-1) == 0
                    ? out.getAtIndex(ValueLayout.JAVA_INT, 0) + "." + out.getAtIndex(ValueLayout.JAVA_INT, 1) : "";
        }
    }

    /** 91900 is 9.19.0, and before cuDNN 9 8907 was 8.9.7. */
    private static String cudnn(int number) {
        int unit = number >= 90_000 ? 10_000 : 1000;
        return number / unit + "." + number % unit / 100 + "." + number % 100;
    }

    /** 12040 of CUDA is 12.4. */
    static String cuda(int number) {
        return number / 1000 + "." + number % 1000 / 10;
    }
}
