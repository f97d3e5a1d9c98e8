package dev.graft.cli;

import dev.graft.tensor.Context;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.NanGuard;
import dev.graft.tensor.Profiler;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What looks on while a command computes.
 *
 * @param profile where the times of all ops are written; null for none
 * @param guard   whether the first op that makes NaN or infinity ends the command
 */
record Watch(Path profile, boolean guard, PrintWriter to) {
    private static final int ROWS = 15;

    /** What a command does. */
    interface Work {
        void run() throws IOException;
    }

    /** Fails now rather than after the training when {@code profile}, which may be null, cannot be written. */
    static void check(Path profile) {
        Path folder = profile == null ? null : profile.toAbsolutePath().getParent();
        if (profile != null && (Files.isDirectory(profile) || folder != null && !Files.isDirectory(folder))) {
            throw new GraftException("--profile " + profile + ": " + (Files.isDirectory(profile) ? "this is a folder"
                    : "there is no folder " + folder) + "; give a file in a folder that exists");
        }
    }

    void over(Work work) throws IOException {
        Profiler profiler = profile == null ? null : new Profiler();
        Context c = guard ? Context.current().with(new NanGuard()) : Context.current();
        Context all = profiler == null ? c : c.with(profiler);
        boolean done = false;
        try {
            all.run(() -> {
                try {
                    work.run();
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
            done = true;
        } catch (UncheckedIOException e) {
            throw e.getCause();
        } finally {
            if (profiler != null) {
                report(profiler, done);
            }
        }
    }

    /** @param done false after a failure, which is what is to be told then */
    private void report(Profiler profiler, boolean done) {
        try {
            to.println();
            to.print(profiler.byOp().table(ROWS));
            to.println();
            to.print(profiler.byModule().table(ROWS));
            profiler.writeTrace(profile);
            to.println("Trace: " + profile);
        } catch (RuntimeException e) {
            if (done) {
                throw e;
            }
        } finally {
            to.flush();
        }
    }
}
