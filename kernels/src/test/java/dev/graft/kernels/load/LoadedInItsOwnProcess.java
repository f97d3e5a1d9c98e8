package dev.graft.kernels.load;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import jcuda.jcublas.JCublas2;
import jcuda.jcublas.cublasHandle;
import jcuda.jcudnn.JCudnn;
import jcuda.nvrtc.JNvrtc;

/** What a test starts in a JVM of its own, because JCuda's classes initialise once per process: says what the loader did. */
final class LoadedInItsOwnProcess {
    private LoadedInItsOwnProcess() {}

    public static void main(String[] args) throws InterruptedException {
        String temporary = System.getProperty("java.io.tmpdir");
        Set<LibraryReport> reports = ConcurrentHashMap.newKeySet();
        Thread[] threads = new Thread[4];
        for (int i = 0; i < threads.length; i++) {
            threads[i] = Thread.ofPlatform().start(() -> reports.add(NativeLoader.load()));
        }
        for (Thread t : threads) {
            t.join();
        }
        LibraryReport report = NativeLoader.load();
        say("calls give one report", reports.size() == 1 && reports.iterator().next() == report);
        say("java.io.tmpdir is as before", temporary.equals(System.getProperty("java.io.tmpdir")));
        say("problem", report.problem());
        say("cuda", report.cudaMajor());
        for (Component c : Component.values()) {
            say("has " + c, report.has(c));
            say("missing " + c, report.missing().get(c));
            say("found " + c, report.found().containsKey(c) ? report.found().get(c).path() : null);
        }
        callThroughJCuda(report);
        Doctor.diagnose().lines().forEach(l -> say("doctor", l));
    }

    private static void callThroughJCuda(LibraryReport report) {
        if (report.has(Component.CUBLAS)) {
            int[] version = new int[1];
            JCublas2.cublasGetVersion(new cublasHandle(), version);
            say("cublas", version[0]);
        }
        if (report.has(Component.NVRTC)) {
            int[] major = new int[1];
            int[] minor = new int[1];
            JNvrtc.nvrtcVersion(major, minor);
            say("nvrtc", major[0] + "." + minor[0]);
        }
        if (report.has(Component.CUDNN)) {
            say("cudnn", JCudnn.cudnnGetVersion());
        }
    }

    private static void say(String name, Object value) {
        System.out.println(name + ": " + value);
    }
}
