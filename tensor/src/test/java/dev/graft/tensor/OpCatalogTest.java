package dev.graft.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.tensor.op.FusedOp;
import dev.graft.tensor.op.NormOp;
import dev.graft.tensor.op.Op;
import dev.graft.tensor.op.Update;
import dev.graft.tensor.reference.ReferenceBackend;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** The catalogue is complete, and its inputs are what they claim to be. */
class OpCatalogTest {
    @Test
    void everyOpAndEveryConstantHasACase() {
        Set<String> found = new TreeSet<>();
        OpCatalog.cases().forEach(c -> found.addAll(features(c.op())));
        OpCatalog.updates().forEach(c -> found.addAll(features(c.update())));
        List<Class<?>> kinds = leaves(Op.class);
        kinds.addAll(leaves(Update.class));
        assertThat(kinds).hasSizeGreaterThan(40);
        Set<String> wanted = new TreeSet<>();
        for (Class<?> kind : kinds) {
            wanted.add(kind.getSimpleName());
            for (RecordComponent c : kind.getRecordComponents()) {
                String prefix = kind.getSimpleName() + "." + c.getName() + "=";
                if (c.getType().isEnum()) {
                    Arrays.stream(c.getType().getEnumConstants()).forEach(e -> wanted.add(prefix + ((Enum<?>) e).name()));
                } else if (c.getType() == boolean.class) {
                    wanted.add(prefix + true);
                    wanted.add(prefix + false);
                }
            }
        }
        wanted.removeAll(found);
        wanted.removeIf(OpCatalogTest::isRefused);
        assertThat(wanted).as("ops and constants without a case").isEmpty();
    }

    /** Activations that do more than bound values follow products only. */
    private static boolean isRefused(String constant) {
        return constant.matches("(BatchNormActivation|BatchNormActivationBackward|InvertedResidual)\\.activation=GELU.*");
    }

    @Test
    void normsRefuseActivationsThatDoMoreThanBoundValues() {
        Tensor x = Tensor.ones(2, 3);
        Tensor g = Tensor.ones(3);
        for (FusedOp.Activation a : List.of(FusedOp.Activation.GELU, FusedOp.Activation.GELU_TANH)) {
            assertThatThrownBy(() -> Dispatcher.run(new NormOp.BatchNormActivation(1e-5, a), x, g, g))
                    .isInstanceOf(GraftException.class).hasMessageContaining("activation " + a + " is not one of");
        }
    }

    private static List<Class<?>> leaves(Class<?> kind) {
        List<Class<?>> all = new ArrayList<>();
        if (kind.isRecord()) {
            all.add(kind);
        } else {
            for (Class<?> c : kind.getPermittedSubclasses()) {
                all.addAll(leaves(c));
            }
        }
        return all;
    }

    private static List<String> features(Object op) {
        List<String> all = new ArrayList<>(List.of(op.getClass().getSimpleName()));
        for (RecordComponent c : op.getClass().getRecordComponents()) {
            try {
                Object v = c.getAccessor().invoke(op);
                all.add(op.getClass().getSimpleName() + "." + c.getName() + "=" + (v instanceof Enum<?> e ? e.name() : v));
            } catch (ReflectiveOperationException e) {
                throw new AssertionError(e);
            }
        }
        return all;
    }

    @Test
    void namesAreDistinct() {
        assertThat(OpCatalog.cases().stream().map(OpCatalog.Case::name)).doesNotHaveDuplicates();
        assertThat(OpCatalog.updates().stream().map(OpCatalog.UpdateCase::name)).doesNotHaveDuplicates();
    }

    @Test
    void inputsDependOnSeedOnlyAndAgreeBetweenTypes() {
        for (OpCatalog.Case c : OpCatalog.cases()) {
            if (c.large()) {
                continue;
            }
            Tensor[] once = OpCatalog.inputs(c, DType.F32, 3);
            Tensor[] again = OpCatalog.inputs(c, DType.F32, 3);
            Tensor[] exact = OpCatalog.inputs(c, DType.F64, 3);
            for (int i = 0; i < once.length; i++) {
                assertThat(once[i].toArray()).as(c.name()).isEqualTo(again[i].toArray());
                double[] wide = exact[i].toDoubles();
                double[] narrow = once[i].toDoubles();
                for (int k = 0; k < wide.length; k++) {
                    assertThat(Float.compare((float) wide[k], (float) narrow[k])).as(c.name()).isZero();
                }
            }
        }
        OpCatalog.Case any = OpCatalog.cases().stream().filter(c -> c.name().startsWith("exp{") && c.large()).findFirst()
                .orElseThrow();
        assertThat(OpCatalog.inputs(any, DType.F32, 1)[0].toFloats())
                .isNotEqualTo(OpCatalog.inputs(any, DType.F32, 2)[0].toFloats());
    }

    /** A case whose op refuses its own inputs would test nothing. */
    @Test
    void theReferenceRunsEverySmallCaseAndGivesNumbers() {
        Context.inference().withCpu(new ReferenceBackend()).run(() -> {
            for (OpCatalog.Case c : OpCatalog.cases()) {
                if (c.large()) {
                    continue;
                }
                try (Scope s = Scope.open(c.name())) {
                    for (Tensor out : Dispatcher.run(c.op(), OpCatalog.inputs(c, DType.F32, 1))) {
                        if (!c.special() && out.dtype().isFloat()) {
                            for (double v : out.toDoubles()) {
                                assertThat(Double.isFinite(v)).as(c.name()).isTrue();
                            }
                        }
                    }
                }
            }
        });
    }
}
