package dev.graft.benchmarks;

import dev.graft.tensor.Context;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.reference.ReferenceBackend;
import java.util.Arrays;
import java.util.function.Supplier;

/** What keeps a benchmark honest: its result is compared with the reference backend before anything is timed. */
final class Check {
    private Check() {}

    static int[] sizes(String text) {
        return Arrays.stream(text.split("x")).mapToInt(Integer::parseInt).toArray();
    }

    /** @param tolerance largest difference, relative to the largest value */
    static void sameAsReference(Supplier<Tensor> work, double tolerance) {
        try (Scope s = Scope.open()) {
            double[] fast = work.get().toDoubles();
            double[] slow = Context.current().withCpu(new ReferenceBackend()).call(work).toDoubles();
            double largest = 0;
            double worst = 0;
            for (int i = 0; i < fast.length; i++) {
                largest = Math.max(largest, Math.abs(slow[i]));
                worst = Math.max(worst, Math.abs(fast[i] - slow[i]));
            }
            if (!(worst <= tolerance * largest)) {
                throw new IllegalStateException("wrong result: differs by " + worst + " where the largest value is "
                        + largest);
            }
        }
    }
}
