package dev.graft.cli;

import dev.graft.tensor.cpu.WorkerPool;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** The option with which commands choose how many threads compute. */
final class Threads {
    @Option(names = "--threads", paramLabel = "N", defaultValue = "0", converter = Count.class,
            description = "Threads that compute on the CPU. Default: property graft.threads, or else one for each core;"
                    + " finetune --resume: as the run was given.")
    int chosen;

    /** A number of threads; 0 has a meaning of its own. */
    static final class Count implements ITypeConverter<Integer> {
        @Override
        public Integer convert(String text) {
            try {
                int n = Integer.parseInt(text);
                if (n >= 0) {
                    return n;
                }
            } catch (NumberFormatException e) {
                // told below, together with negative numbers
            }
            throw new TypeConversionException("'" + text + "' is no number of threads");
        }
    }

    /** Lets so many threads compute from now on, if a number was given. */
    void apply() {
        apply(chosen);
    }

    /** @param threads 0 to leave them as they are */
    static void apply(int threads) {
        if (threads > 0) {
            WorkerPool.setThreads(threads);
        }
    }
}
