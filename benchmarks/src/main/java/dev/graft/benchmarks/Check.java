package dev.graft.benchmarks;

import dev.graft.tensor.Context;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.reference.ReferenceBackend;
import java.util.Arrays;
import java.util.function.Supplier;

/** What keeps an op's benchmark honest: its results are compared with the reference backend before anything is timed. */
final class Check {
    private Check() {}

    static int[] sizes(String text) {
        return Arrays.stream(text.split("x")).mapToInt(Integer::parseInt).toArray();
    }

    /** @param tolerance largest difference, relative to the largest value */
    static void sameAsReference(Supplier<Tensor> work, double tolerance) {
        sameAsReference(work, work, tolerance);
    }

    /** @param part what {@code work} computes, in another way: for the reference only a part of a large result */
    static void sameAsReference(Supplier<Tensor> work, Supplier<Tensor> part, double tolerance) {
        try (Scope s = Scope.open()) {
            same(work.get(), Context.current().withCpu(new ReferenceBackend()).call(part), tolerance);
        }
    }

    /** Every result of an op that has several. */
    static void allSameAsReference(Supplier<Tensor[]> work, double tolerance) {
        try (Scope s = Scope.open()) {
            Tensor[] fast = work.get();
            Tensor[] slow = Context.current().withCpu(new ReferenceBackend()).call(work);
            for (int i = 0; i < slow.length; i++) {
                same(fast[i], slow[i], tolerance);
            }
        }
    }

    private static void same(Tensor result, Tensor reference, double tolerance) {
        if (!result.shape().equals(reference.shape())) {
            throw new IllegalStateException("wrong result: " + result.shape() + " in place of " + reference.shape());
        }
        double[] fast = result.toDoubles();
        double[] slow = reference.toDoubles();
        double largest = 0;
        double worst = 0;
        for (int i = 0; i < slow.length; i++) {
            largest = Math.max(largest, Math.abs(slow[i]));
            worst = Math.max(worst, Math.abs(fast[i] - slow[i]));
        }
        if (!(worst <= tolerance * largest)) {
            throw new IllegalStateException("wrong result: differs by " + worst + " where the largest value is " + largest);
        }
    }
}
