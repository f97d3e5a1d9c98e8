package dev.graft.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.fail;

import dev.graft.tensor.backend.Backend;
import dev.graft.tensor.backend.HostBackend;
import dev.graft.tensor.cpu.CpuBackend;
import dev.graft.tensor.cpu.WorkerPool;
import dev.graft.tensor.op.FusedOp;
import dev.graft.tensor.op.Op;
import dev.graft.tensor.op.Update;
import dev.graft.tensor.reference.ReferenceBackend;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/**
 * Every CPU backend computes every case of the catalogue as the reference does in float64, whatever the number of threads
 * and wherever its inputs lie in their arrays.
 */
class BackendCatalogTest {
    private static final ReferenceBackend REFERENCE = new ReferenceBackend();
    /** Other inputs with {@code -Dgraft.test.seed=...}. */
    private static final long SEED = Long.getLong("graft.test.seed", 5);

    /**
     * The backends under test.
     *
     * @param twin must give the same bits, such as the same kernels with another number of threads; or null
     */
    private record Candidate(String name, Backend backend, Backend twin) {}

    private static List<Candidate> candidates() {
        CpuBackend fast = new CpuBackend();
        CpuBackend plain = CpuBackend.plain();
        return List.of(new Candidate("reference in float32", REFERENCE, null),
                new Candidate(fast.name(), fast, new OneThread(fast)),
                new Candidate(plain.name(), plain, new OneThread(plain)));
    }

    /** The same kernels with the calling thread only. */
    private static final class OneThread extends HostBackend {
        private final Backend kernels;

        OneThread(Backend kernels) {
            this.kernels = kernels;
        }

        @Override
        public String name() {
            return kernels.name() + " on one thread";
        }

        @Override
        public void run(Op op, Tensor[] in, Tensor[] out) {
            onOneThread(() -> kernels.run(op, in, out));
        }

        @Override
        public boolean supports(FusedOp op) {
            return kernels.supports(op);
        }

        @Override
        public void update(Update update, Tensor target, Tensor[] in) {
            onOneThread(() -> kernels.update(update, target, in));
        }

        private static void onOneThread(Runnable body) {
            int before = WorkerPool.shared().threads();
            WorkerPool.setThreads(1);
            try {
                body.run();
            } finally {
                WorkerPool.setThreads(Math.max(2, before));
            }
        }
    }

    @TestFactory
    Stream<DynamicContainer> agreesWithTheReference() {
        return candidates().stream().map(b -> DynamicContainer.dynamicContainer(b.name, byOp().entrySet().stream().map(
                e -> DynamicTest.dynamicTest(b.name + " " + e.getKey(), () -> compare(b, e.getValue())))));
    }

    @TestFactory
    Stream<DynamicTest> updatesAgreeWithTheReference() {
        return candidates().stream().flatMap(b -> OpCatalog.updates().stream().map(
                c -> DynamicTest.dynamicTest(b.name + " " + c.name(), () -> compare(b, c))));
    }

    /** One element that is off by a thousandth must not pass. */
    @Test
    void aWrongBackendIsFound() {
        HostBackend wrong = new HostBackend() {
            @Override
            public String name() {
                return "wrong";
            }

            @Override
            public void run(Op op, Tensor[] in, Tensor[] out) {
                REFERENCE.run(op, in, out);
                for (Tensor t : out) {
                    if (t.host().array() instanceof float[] a && t.size() > 0) {
                        a[Math.toIntExact(t.offset() + t.size()) - 1] *= 1.001f;
                    }
                }
            }

            @Override
            public void update(Update update, Tensor target, Tensor[] in) {
                REFERENCE.update(update, target, in);
                target.host().floats()[(int) (target.offset() + target.size()) - 1] += 1e-3f;
            }
        };
        Candidate b = new Candidate("wrong", wrong, null);
        for (String op : List.of("softmax", "batch_norm", "permute", "take", "random")) {
            assertThatThrownBy(() -> compare(b, byOp().get(op))).as(op).isInstanceOf(AssertionError.class);
        }
        OpCatalog.UpdateCase adam = OpCatalog.updates().stream()
                .filter(c -> c.name().startsWith("adam") && c.shape().size() > 1).findFirst().orElseThrow();
        assertThatThrownBy(() -> compare(b, adam)).isInstanceOf(AssertionError.class);
    }

    private static Map<String, List<OpCatalog.Case>> byOp() {
        Map<String, List<OpCatalog.Case>> all = new java.util.LinkedHashMap<>();
        for (OpCatalog.Case c : OpCatalog.cases()) {
            all.computeIfAbsent(c.op().name(), n -> new ArrayList<>()).add(c);
        }
        return all;
    }

    private static void compare(Candidate b, List<OpCatalog.Case> cases) {
        List<String> differences = new ArrayList<>();
        for (OpCatalog.Case c : cases) {
            if (c.large() && b.backend == REFERENCE) {
                continue;                               // it has no threads, and large cases cost it seconds
            }
            for (DType type : CatalogComparison.types(c)) {
                try (Scope s = Scope.open(c.name())) {
                    compare(b, c, type, differences);
                } catch (GraftException e) {
                    differences.add(c + " in " + type + ": " + e.getMessage());
                }
            }
        }
        assertThat(differences).isEmpty();
    }

    private static void compare(Candidate b, OpCatalog.Case c, DType type, List<String> differences) {
        Tensor[] in = OpCatalog.inputs(c, type, SEED);
        Tensor[] want = CatalogComparison.expected(c, type, SEED, in);
        Tensor[] got = run(b.backend, c, in);
        assertThat(got).hasSameSizeAs(want);
        for (int i = 0; i < got.length; i++) {
            String difference = CatalogComparison.difference(c, type, got[i], want[i]);
            if (difference != null) {
                differences.add(c + " output " + i + " in " + type + ": " + difference);
            }
        }
        Tensor[] shifted = new Tensor[in.length];
        for (int i = 0; i < in.length; i++) {
            shifted[i] = CatalogComparison.shifted(in[i]);
        }
        CatalogComparison.same(c + " in " + type + " from inputs that begin inside an array", got,
                run(b.backend, c, shifted), differences);
        if (b.twin != null && type == DType.F32) {
            CatalogComparison.same(c + " in " + type + " with another number of threads", got, run(b.twin, c, in),
                    differences);
        }
    }

    private static Tensor[] run(Backend backend, OpCatalog.Case c, Tensor[] in) {
        return Context.inference().withCpu(backend).call(() -> Dispatcher.run(c.op(), in));
    }

    private static void compare(Candidate b, OpCatalog.UpdateCase c) {
        for (DType type : new DType[] {DType.F32, DType.F64}) {
            Tensor[] exact = OpCatalog.inputs(c, type, SEED);
            for (int i = 0; i < exact.length; i++) {
                exact[i] = exact[i].cast(DType.F64);
            }
            exact[0] = exact[0].copy();
            update(REFERENCE, c, exact);
            Tensor[] got = OpCatalog.inputs(c, type, SEED);
            for (int i = 0; i < got.length; i++) {
                got[i] = CatalogComparison.shifted(got[i]);
            }
            update(b.backend, c, got);
            for (int i = 0; i < got.length; i++) {
                double[] x = got[i].toDoubles();
                double[] y = exact[i].toDoubles();
                for (int k = 0; k < x.length; k++) {
                    if (!(Math.abs(x[k] - y[k]) <= (type == DType.F64 ? 1e-12 : c.tolerance()))) {
                        fail(c + " in " + type + ": tensor " + i + " element " + k + " is " + x[k] + ", expected " + y[k]);
                    }
                }
            }
            if (b.twin != null) {
                Tensor[] other = OpCatalog.inputs(c, type, SEED);
                update(b.twin, c, other);
                List<String> differences = new ArrayList<>();
                CatalogComparison.same(c + " with another number of threads", got, other, differences);
                assertThat(differences).isEmpty();
            }
        }
    }

    private static void update(Backend backend, OpCatalog.UpdateCase c, Tensor[] all) {
        Context.inference().withCpu(backend).run(() ->
                Dispatcher.update(c.update(), all[0], java.util.Arrays.copyOfRange(all, 1, all.length)));
    }
}
