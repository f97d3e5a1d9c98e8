package dev.graft.kernels.driver;

import dev.graft.tensor.GraftException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import jcuda.nvrtc.JNvrtc;
import jcuda.nvrtc.nvrtcProgram;

/** The run-time compiler, libnvrtc: the only caller of {@link JNvrtc}. */
public final class Nvrtc {
    private Nvrtc() {}

    /** Such as 13.0. */
    public static String version() {
        int[] major = new int[1];
        int[] minor = new int[1];
        check(JNvrtc.nvrtcVersion(major, minor), "nvrtcVersion");
        return major[0] + "." + minor[0];
    }

    /** The compute capabilities that it compiles for, such as 75 and 90, ascending. */
    public static int[] architectures() {
        int[] count = new int[1];
        check(JNvrtc.nvrtcGetNumSupportedArchs(count), "nvrtcGetNumSupportedArchs");
        int[] all = new int[count[0]];
        check(JNvrtc.nvrtcGetSupportedArchs(all), "nvrtcGetSupportedArchs");
        return all;
    }

    /**
     * Machine code for one chip, or PTX, which the driver compiles.
     *
     * @param name what the compiler's messages call the text
     */
    public static byte[] compile(String text, String name, boolean ptx, List<String> options) {
        nvrtcProgram p = new nvrtcProgram();
        check(JNvrtc.nvrtcCreateProgram(p, text, name, 0, null, null), "nvrtcCreateProgram");
        try {
            int status = JNvrtc.nvrtcCompileProgram(p, options.size(), options.toArray(new String[0]));
            if (status != 0) {
                String[] log = new String[1];
                JNvrtc.nvrtcGetProgramLog(p, log);
                throw new GraftException("kernel " + name + " does not compile with " + options + " ("
                        + JNvrtc.nvrtcGetErrorString(status) + "): " + (log[0] == null ? "" : log[0].strip()));
            }
            if (ptx) {
                String[] out = new String[1];
                check(JNvrtc.nvrtcGetPTX(p, out), "nvrtcGetPTX");
                return (out[0] + "\0").getBytes(StandardCharsets.UTF_8);
            }
            long[] size = new long[1];
            check(JNvrtc.nvrtcGetCUBINSize(p, size), "nvrtcGetCUBINSize");
            byte[] image = new byte[Math.toIntExact(size[0])];
            check(JNvrtc.nvrtcGetCUBIN(p, image), "nvrtcGetCUBIN");
            return image;
        } finally {
            JNvrtc.nvrtcDestroyProgram(p);
        }
    }

    private static void check(int status, String call) {
        if (status != 0) {
            throw new CudaException(call + ": " + JNvrtc.nvrtcGetErrorString(status), status);
        }
    }
}
