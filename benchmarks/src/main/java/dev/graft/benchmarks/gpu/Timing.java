package dev.graft.benchmarks.gpu;

import dev.graft.kernels.CudaBackend;
import dev.graft.tensor.Scope;
import dev.graft.tensor.backend.Backend;
import dev.graft.tensor.backend.Mark;
import java.util.Arrays;

/** Device time of a call: a warm-up, then the median of five rounds, as PyTorch's side takes it. */
final class Timing {
    private Timing() {}

    static double seconds(Backend backend, double budget, Runnable call) {
        repeat(backend, 5, call);
        double once = Math.max(1e-6, round(backend, 1, call));
        int calls = (int) Math.max(3, Math.min(200, budget / 5 / once));
        double[] rounds = new double[5];
        for (int i = 0; i < rounds.length; i++) {
            rounds[i] = round(backend, calls, call);
        }
        Arrays.sort(rounds);
        return rounds[2];
    }

    private static double round(Backend backend, int calls, Runnable call) {
        Mark begin = backend.mark();
        repeat(backend, calls, call);
        return begin.microsTo(backend.mark()) / 1e6 / calls;
    }

    /** Results are launched before they are closed: what nobody holds is not computed. */
    private static void repeat(Backend backend, int calls, Runnable call) {
        for (int i = 0; i < calls; i++) {
            try (Scope s = Scope.open("timing")) {
                call.run();
                if (backend instanceof CudaBackend c) {
                    c.flush();
                }
            }
        }
    }
}
