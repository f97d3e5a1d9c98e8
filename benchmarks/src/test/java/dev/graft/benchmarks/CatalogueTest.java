package dev.graft.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.tensor.Context;
import dev.graft.tensor.DType;
import dev.graft.tensor.OpCatalog;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.backend.Backend;
import dev.graft.tensor.backend.HostBackend;
import dev.graft.tensor.cpu.CpuBackend;
import dev.graft.tensor.op.Op;
import dev.graft.tensor.op.Update;
import dev.graft.tensor.reference.ReferenceBackend;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.openjdk.jmh.annotations.Param;

/** The rows of {@link CatalogueBenchmark}. */
class CatalogueTest {
    private static final String DEFAULT;

    static {
        try {
            DEFAULT = CatalogueBenchmark.class.getDeclaredField("op").getAnnotation(Param.class).value()[0];
        } catch (NoSuchFieldException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void everyOpAndEveryConstantHasARow() {
        Set<String> catalogued = OpCatalog.cases().stream().map(c -> kind(c.op())).collect(Collectors.toSet());
        List<String> rows = CatalogueRow.rows().stream().filter(CatalogueRow.OfOp.class::isInstance)
                .map(r -> kind(((CatalogueRow.OfOp) r).sample().op())).toList();
        assertThat(catalogued).hasSizeGreaterThan(150);
        assertThat(rows).doesNotHaveDuplicates().containsExactlyInAnyOrderElementsOf(catalogued);
    }

    /** Class, name and enum constants: found without {@link CatalogueRow#label}. */
    private static String kind(Op op) {
        StringBuilder s = new StringBuilder(op.getClass().getSimpleName() + " " + op.name());
        for (RecordComponent c : op.getClass().getRecordComponents()) {
            try {
                s.append(c.getType().isEnum() ? " " + c.getAccessor().invoke(op) : "");
            } catch (ReflectiveOperationException e) {
                throw new AssertionError(e);
            }
        }
        return s.toString();
    }

    @Test
    void everyKindOfUpdateHasARow() {
        assertThat(CatalogueRow.rows().stream().filter(CatalogueRow.OfUpdate.class::isInstance).map(CatalogueRow::label))
                .containsExactly("assign", "axpby", "sgd", "adam", "adamw", "rmsprop");
        Set<String> classes = new TreeSet<>();
        for (CatalogueRow r : CatalogueRow.rows()) {
            if (r instanceof CatalogueRow.OfUpdate u) {
                classes.add(u.sample().update().getClass().getSimpleName());
            }
        }
        assertThat(classes).hasSize(Update.class.getPermittedSubclasses().length);
    }

    @Test
    void aRowIsTheLargestOfItsOrdinaryCases() {
        for (CatalogueRow r : CatalogueRow.rows()) {
            if (r instanceof CatalogueRow.OfOp o) {
                assertThat(o.sample().special()).as(r.name()).isFalse();
                boolean large = OpCatalog.cases().stream()
                        .anyMatch(c -> c.large() && kind(c.op()).equals(kind(o.sample().op())));
                assertThat(o.sample().large()).as(r.name()).isEqualTo(large);
                assertThat(r.elements()).as(r.name()).isGreaterThan(large ? 5_000 : 5);
            } else {
                assertThat(r.elements()).as(r.name()).isGreaterThan(100_000);
            }
        }
        assertThat(row("sum").name()).isEqualTo("sum{fn=SUM, axes=[0], keepDims=false} (float[300007])");
        assertThat(row("sgd").cost().bytes()).isEqualTo(5.0 * 4 * row("sgd").elements());       // that with a velocity
        assertThat(row("random NORMAL").name()).contains("float32[");
    }

    private static CatalogueRow row(String label) {
        return CatalogueRow.rows().stream().filter(r -> r.label().equals(label)).findFirst().orElseThrow();
    }

    @Test
    void namesAndLabelsSayWhichRow() {
        assertThat(CatalogueRow.rows()).allSatisfy(r -> assertThat(CatalogueRow.of(r.name())).isEqualTo(r));
        assertThat(CatalogueRow.rows().stream().map(CatalogueRow::label)).doesNotHaveDuplicates()
                .contains("add", "add scalar", "cast float16", "conv2d_bias_activation RELU6", "resize2d BILINEAR");
        assertThat(CatalogueRow.of(DEFAULT)).isEqualTo(row("relu"));
        assertThat(CatalogueRow.chosen(CatalogueRow.QUICK)).hasSizeBetween(5, 15);
        assertThatThrownBy(() -> CatalogueRow.of("relu")).isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("\"relu\"");
    }

    /** Of the user's arguments: JMH would cut a case's name into pieces. */
    @Test
    void aUserNamesOpsOrOneCase() {
        String small = "leaky_relu{fn=LEAKY_RELU, a=0.3} (float[11])";      // no row
        List<String> args = new ArrayList<>(
                List.of("Catalogue", "-p", "op=add,relu", "-p", "shape=1x2", "-p", "op=" + small));
        assertThat(Suite.ops(args)).containsExactly(row("add").name(), row("add scalar").name(), DEFAULT, small);
        assertThat(args).containsExactly("Catalogue", "-p", "shape=1x2");
        assertThatThrownBy(() -> Suite.ops(new ArrayList<>(List.of("-p", "op=relu,nonsense"))))
                .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("\"nonsense\"");
    }

    @Test
    void aWrongResultIsNotTimed() {
        for (String label : List.of("relu", "adamw")) {
            CatalogueBenchmark b = new CatalogueBenchmark();
            b.op = row(label).name();
            b.setup();
            assertThatThrownBy(() -> Context.current().withCpu(new OffByOne()).run(b::setup)).as(label)
                    .isInstanceOf(IllegalStateException.class).hasMessageContaining("wrong result: " + b.op);
        }
    }

    /** The reference, but that one is added to the first element of every result. */
    private static final class OffByOne extends HostBackend {
        private final Backend reference = new ReferenceBackend();

        @Override
        public String name() {
            return "wrong";
        }

        @Override
        public void run(Op op, Tensor[] in, Tensor[] out) {
            reference.run(op, in, out);
            spoil(out[0]);
        }

        @Override
        public void update(Update update, Tensor target, Tensor[] in) {
            reference.update(update, target, in);
            spoil(target);
        }

        private static void spoil(Tensor t) {
            if (t.dtype() == DType.F32) {
                t.host().floats()[Math.toIntExact(t.offset())] += 1;
            }
        }
    }

    @Test
    void workIsDoneOnTheSameTensors() {
        Tensor first = (Tensor) row("adamw").work().get();
        assertThat(first.size()).isEqualTo(row("adamw").elements());
        Tensor[] out = (Tensor[]) row("softmax_backward").work().get();
        assertThat(out).hasSize(1);
        assertThat(out[0].size()).isEqualTo(row("softmax_backward").elements());
    }

    @Test
    void whatTheReferenceComputesIsSeen() {
        CpuBackend cpu = new CpuBackend();
        Context.current().withCpu(cpu).run(() -> {
            Tensor x = Tensor.ones(3);
            x.relu();
            assertThat(cpu.fallbacks()).isZero();
            x.cast(DType.F64).relu();
            assertThat(cpu.fallbacks()).isEqualTo(1);
        });
        assertThat(row("relu").fallsBack()).isFalse();
        assertThat(row("adamw").fallsBack()).isFalse();
        assertThat(CatalogueRow.of("neg{fn=NEG, a=0.0} (int64[4, 5])").fallsBack()).isTrue();
    }
}
