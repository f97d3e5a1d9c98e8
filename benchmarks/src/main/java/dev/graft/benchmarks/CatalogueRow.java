package dev.graft.benchmarks;

import dev.graft.tensor.CatalogComparison;
import dev.graft.tensor.Context;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.OpCatalog;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.TensorSpec;
import dev.graft.tensor.cpu.CpuBackend;
import dev.graft.tensor.op.ElementwiseOp;
import dev.graft.tensor.op.Op;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Stream;

/**
 * What {@link CatalogueBenchmark} times: a case of the op catalogue in float32. Of every op, of every constant that
 * parameterises one, and of every kind of update there is one row, the case with the most elements.
 */
sealed interface CatalogueRow {
    /** The rows of {@code --quick}. */
    String QUICK = "relu,gelu_backward,add,sum,softmax,layer_norm,permute,conv2d,matmul,adamw";
    long SEED = 5;

    /** As the catalogue has it: the benchmark's parameter. */
    String name();

    /** What is shown of it: the op's name, and what else distinguishes it from other rows. */
    String label();

    Cost cost();

    /** Elements of the largest tensor. */
    long elements();

    /** Adds what is wrong with the result, compared with the reference backend as the catalogue's tests do. */
    void compare(List<String> differences);

    /** The work, each time on the same tensors. */
    Supplier<?> work();

    record OfOp(OpCatalog.Case sample) implements CatalogueRow {
        @Override
        public String name() {
            return sample.name();
        }

        @Override
        public String label() {
            Op op = sample.op();
            StringBuilder s = new StringBuilder(op.name());
            if (op instanceof ElementwiseOp.BinaryScalar) {
                s.append(" scalar");        // has the name of the op with two tensors
            }
            for (RecordComponent c : op.getClass().getRecordComponents()) {
                String constant = c.getType().isEnum() ? value(c, op).toString() : "";
                if (!op.name().startsWith(constant.toLowerCase(Locale.ROOT))) {
                    s.append(' ').append(constant);
                }
            }
            return s.toString();
        }

        private static Object value(RecordComponent c, Op op) {
            try {
                return c.getAccessor().invoke(op);
            } catch (ReflectiveOperationException e) {
                throw new AssertionError(e);
            }
        }

        private TensorSpec[] inputs() {
            return sample.inputs().stream().map(i -> new TensorSpec(i.dtype() == null ? DType.F32 : i.dtype(), i.shape()))
                    .toArray(TensorSpec[]::new);
        }

        private Stream<TensorSpec> tensors() {
            TensorSpec[] in = inputs();
            return Stream.concat(Arrays.stream(in), Arrays.stream(sample.op().infer(in)));
        }

        private boolean isFloat32() {
            return sample.anyFloat() || sample.inputs().isEmpty() && sample.op().infer(inputs())[0].dtype() == DType.F32;
        }

        private long allElements() {
            return tensors().mapToLong(t -> t.shape().size()).sum();
        }

        @Override
        public Cost cost() {
            return OpCost.of(sample.op(), inputs());
        }

        @Override
        public long elements() {
            return tensors().mapToLong(t -> t.shape().size()).max().orElseThrow();
        }

        @Override
        public void compare(List<String> differences) {
            CatalogComparison.compare(Device.CPU, sample, DType.F32, SEED, differences);
        }

        @Override
        public Supplier<?> work() {
            Tensor[] in = OpCatalog.inputs(sample, DType.F32, SEED);
            return () -> Dispatcher.run(sample.op(), in);
        }
    }

    record OfUpdate(OpCatalog.UpdateCase sample) implements CatalogueRow {
        @Override
        public String name() {
            return sample.name();
        }

        @Override
        public String label() {
            return sample.update().name();
        }

        @Override
        public Cost cost() {
            return OpCost.of(sample.update(), new TensorSpec(DType.F32, sample.shape()));
        }

        @Override
        public long elements() {
            return sample.shape().size();
        }

        @Override
        public void compare(List<String> differences) {
            CatalogComparison.compare(Device.CPU, sample, DType.F32, SEED, differences);
        }

        @Override
        public Supplier<?> work() {
            Tensor[] all = OpCatalog.inputs(sample, DType.F32, SEED);
            Tensor[] in = Arrays.copyOfRange(all, 1, all.length);
            return () -> {
                Dispatcher.update(sample.update(), all[0], in);
                return all[0];
            };
        }
    }

    /** All rows, in the catalogue's order. Cases with NaN and the like only of an op that has no other. */
    static Collection<CatalogueRow> rows() {
        Comparator<OfOp> ops = Comparator.<OfOp, Boolean>comparing(r -> !r.sample.special())
                .thenComparing(OfOp::isFloat32).thenComparingLong(OfOp::allElements);
        Map<String, OfOp> ofOps = new LinkedHashMap<>();
        OpCatalog.cases().stream().map(OfOp::new)
                .forEach(r -> ofOps.merge(r.label(), r, (a, b) -> ops.compare(a, b) >= 0 ? a : b));
        Comparator<OfUpdate> updates = Comparator.comparingLong(OfUpdate::elements)
                .thenComparingDouble(r -> r.cost().bytes());
        Map<String, OfUpdate> ofUpdates = new LinkedHashMap<>();
        OpCatalog.updates().stream().map(OfUpdate::new)
                .forEach(r -> ofUpdates.merge(r.label(), r, (a, b) -> updates.compare(a, b) >= 0 ? a : b));
        List<CatalogueRow> all = new ArrayList<>(ofOps.values());
        all.addAll(ofUpdates.values());
        return all;
    }

    /** Any case of the catalogue by its name. */
    static CatalogueRow of(String name) {
        return Stream.concat(OpCatalog.cases().stream().map(OfOp::new), OpCatalog.updates().stream().map(OfUpdate::new))
                .filter(r -> r.name().equals(name)).findFirst()
                .orElseThrow(() -> new IllegalArgumentException("the op catalogue has no case \"" + name + "\""));
    }

    /** The names of the cases that a user asks for: by one such name, or by labels or names of ops with commas between. */
    static List<String> chosen(String given) {
        if (given.contains("{")) {
            return List.of(of(given).name());
        }
        Set<String> names = new LinkedHashSet<>();
        for (String wanted : given.split(",")) {
            List<String> found = rows().stream().filter(r -> r.label().equals(wanted) || r.label().startsWith(wanted + " "))
                    .map(CatalogueRow::name).toList();
            if (found.isEmpty()) {
                throw new IllegalArgumentException("the op catalogue has no op \"" + wanted + "\"");
            }
            names.addAll(found);
        }
        return List.copyOf(names);
    }

    /** Whether some of the work has no kernel in the CPU backend, so that the reference backend does it. */
    default boolean fallsBack() {
        CpuBackend cpu = new CpuBackend();
        try (Scope s = Scope.open()) {
            Context.inference().withCpu(cpu).call(work()::get);
        }
        return cpu.fallbacks() > 0;
    }
}
