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
import java.util.HashMap;
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
    /** Results below this are compared as if they were this large: inputs are of the order of 1. */
    private static final double SMALL = 0.03;
    /** Other inputs with {@code -Dgraft.test.seed=...}. */
    private static final long SEED = Long.getLong("graft.test.seed", 5);
    private static final Map<String, Tensor[]> EXPECTED = new HashMap<>();

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
                new Candidate(fast.name(), fast, new OneThread(fast)), new Candidate(plain.name(), plain, new OneThread(plain)));
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
            List<DType> types = !c.anyFloat() || c.large() || c.special() ? List.of(DType.F32)
                    : List.of(DType.F32, DType.F64, DType.F16, DType.BF16);
            for (DType type : types) {
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
        Tensor[] want = expected(c, type, in);
        Tensor[] got = run(b.backend, c, in);
        assertThat(got).hasSameSizeAs(want);
        for (int i = 0; i < got.length; i++) {
            String difference = difference(c, type, got[i], want[i]);
            if (difference != null) {
                differences.add(c + " output " + i + " in " + type + ": " + difference);
            }
        }
        Tensor[] shifted = new Tensor[in.length];
        for (int i = 0; i < in.length; i++) {
            shifted[i] = shifted(in[i]);
        }
        same(c + " in " + type + " from inputs that begin inside an array", got, run(b.backend, c, shifted), differences);
        if (b.twin != null && type == DType.F32) {
            same(c + " in " + type + " with another number of threads", got, run(b.twin, c, in), differences);
        }
    }

    private static Tensor[] run(Backend backend, OpCatalog.Case c, Tensor[] in) {
        return Context.inference().withCpu(backend).call(() -> Dispatcher.run(c.op(), in));
    }

    /** What the reference gives for these inputs in float64; ops without inputs keep their own type. */
    private static Tensor[] expected(OpCatalog.Case c, DType type, Tensor[] in) {
        return EXPECTED.computeIfAbsent(c.name() + type, k -> Scope.persistent(() -> {
            Tensor[] exact = new Tensor[in.length];
            for (int i = 0; i < in.length; i++) {
                int at = i;
                exact[i] = c.inputs().get(i).dtype() != null ? in[i]
                        : Context.inference().withCpu(REFERENCE).call(() -> in[at].cast(DType.F64));
            }
            return run(REFERENCE, c, exact);
        }));
    }

    private static void same(String what, Tensor[] a, Tensor[] b, List<String> differences) {
        for (int i = 0; i < a.length; i++) {
            if (!java.util.Objects.deepEquals(a[i].toArray(), b[i].toArray())) {
                differences.add(what + ": output " + i + " has other bits");
            }
        }
    }

    /** The same values three elements behind others that no result may depend on. */
    private static Tensor shifted(Tensor t) {
        int n = Math.toIntExact(t.size());
        Object wide = java.lang.reflect.Array.newInstance(HostAllocator.carrier(t.dtype()), n + 5);
        System.arraycopy(t.toArray(), 0, wide, 3, n);
        for (int i : new int[] {0, 1, 2, n + 3, n + 4}) {
            switch (wide) {
                case float[] a -> a[i] = Float.NaN;
                case double[] a -> a[i] = Double.NaN;
                case short[] a -> a[i] = (short) 0x7FFF;
                case int[] a -> a[i] = Integer.MIN_VALUE;
                case long[] a -> a[i] = Long.MIN_VALUE;
                default -> { }
            }
        }
        return Tensor.from(t.dtype(), wide, Shape.of(n + 5)).view(t.shape(), 3);
    }

    /** One line about the worst element, or null. */
    private static String difference(OpCatalog.Case c, DType type, Tensor got, Tensor want) {
        if (!got.shape().equals(want.shape()) || !want.dtype().isFloat() && got.dtype() != want.dtype()) {
            return got.spec() + " instead of " + want.spec();
        }
        double tolerance = switch (got.dtype()) {
            case F16 -> 0x1p-9;          // a composed op rounds after each step
            case BF16 -> 0x1p-6;
            case F64 -> type == DType.F64 ? Math.min(c.tolerance(), 1e-12) : c.tolerance();
            case F32 -> c.tolerance() == 0 ? 0 : Math.max(c.tolerance(), 0x1p-24);
            case I8, I16, I32, I64, U8, BOOL -> 0;
        };
        double[] a = got.toDoubles();
        double[] b = want.toDoubles();
        double largest = 0;
        for (double v : b) {
            largest = Double.isFinite(v) ? Math.max(largest, Math.abs(v)) : largest;
        }
        int worst = -1;
        double by = 0;
        for (int i = 0; i < a.length; i++) {
            double exact = got.dtype() == DType.F32 && tolerance == 0 ? (float) b[i] : b[i];
            double scale = Math.max(c.special() ? Math.abs(exact) : largest, SMALL);
            boolean equal = a[i] == exact || a[i] != a[i] && exact != exact;
            double error = equal ? 0 : Double.isFinite(exact) ? Math.abs(a[i] - exact) : Double.POSITIVE_INFINITY;
            boolean bad = !equal && !(Double.isFinite(error) && error <= tolerance * scale);
            if (bad && !(error <= by) || bad && worst < 0) {
                worst = i;
                by = error;
            }
        }
        return worst < 0 ? null : "element " + worst + " is " + a[worst] + ", expected " + b[worst] + " within "
                + tolerance + " of " + (c.special() ? "itself" : "the largest, " + largest + " (at least " + SMALL + ")");
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
                got[i] = shifted(got[i]);
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
                same(c + " with another number of threads", got, other, differences);
                assertThat(differences).isEmpty();
            }
        }
    }

    private static void update(Backend backend, OpCatalog.UpdateCase c, Tensor[] all) {
        Context.inference().withCpu(backend).run(() ->
                Dispatcher.update(c.update(), all[0], java.util.Arrays.copyOfRange(all, 1, all.length)));
    }
}
