package dev.graft.cli;

import dev.graft.tensor.Context;
import dev.graft.tensor.NanGuard;
import dev.graft.tensor.Profiler;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
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

    void over(Work work) throws IOException {
        Profiler profiler = profile == null ? null : new Profiler();
        Context c = guard ? Context.current().with(new NanGuard()) : Context.current();
        Context all = profiler == null ? c : c.with(profiler);
        try {
            all.run(() -> {
                try {
                    work.run();
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
        } catch (UncheckedIOException e) {
            throw e.getCause();
        } finally {
            if (profiler != null) {
                to.println();
                to.print(profiler.byOp().table(ROWS));
                to.println();
                to.print(profiler.byModule().table(ROWS));
                profiler.writeTrace(profile);
                to.println("Trace: " + profile);
                to.flush();
            }
        }
    }
}
