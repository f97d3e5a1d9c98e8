package dev.graft.kernels.compile;

import dev.graft.kernels.driver.Args;
import dev.graft.kernels.driver.Driver;
import jcuda.driver.CUfunction;

/** A compiled kernel, ready to be launched on its device's stream. */
public final class Kernel {
    private static final int SHARED_WITHOUT_ASKING = 48 * 1024;

    private final CUfunction function;
    private final String name;
    private final Args args;
    private int shared = SHARED_WITHOUT_ASKING;

    Kernel(CUfunction function, String name, Args args) {
        this.function = function;
        this.name = name;
        this.args = args;
    }

    /** Begins the arguments of a launch; they must be launched before those of another kernel are begun. */
    public Args args() {
        return args.of(function, name);
    }

    /** Must come before a launch with more than 48 KiB of dynamic shared memory. */
    public Kernel allowShared(int bytes) {
        if (bytes > shared) {
            Driver.allowShared(function, bytes);
            shared = bytes;
        }
        return this;
    }

    /** Blocks of this kernel that one multiprocessor holds at a time. */
    public int blocksPerMultiprocessor(int threads, int sharedBytes) {
        return Math.max(1, Driver.activeBlocks(function, threads, sharedBytes));
    }

    @Override
    public String toString() {
        return name;
    }
}
