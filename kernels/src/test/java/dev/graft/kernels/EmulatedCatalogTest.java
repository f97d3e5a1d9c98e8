package dev.graft.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.graft.kernels.emulator.EmulatedCuda;
import dev.graft.tensor.CatalogComparison;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.OpCatalog;
import dev.graft.tensor.Scope;
import dev.graft.tensor.backend.Backends;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Every case of the op catalogue, in every element type, on the emulated device against the reference in float64. */
class EmulatedCatalogTest {
    private static final long SEED = Long.getLong("graft.test.seed", 5);

    @BeforeAll
    static void device() {
        assumeTrue(EmulatedCuda.start(), EmulatedCuda::reason);
    }

    @TestFactory
    Stream<DynamicTest> opsAgreeWithTheReference() {
        Map<String, List<OpCatalog.Case>> byOp = new LinkedHashMap<>();
        for (OpCatalog.Case c : OpCatalog.cases()) {
            byOp.computeIfAbsent(c.op().name(), n -> new ArrayList<>()).add(c);
        }
        return byOp.entrySet().stream().map(e -> DynamicTest.dynamicTest(e.getKey(), () -> compare(e.getValue())));
    }

    private static void compare(List<OpCatalog.Case> cases) {
        CudaBackend backend = (CudaBackend) Backends.of(Device.cuda());
        Map<String, Integer> before = backend.fallbacks();
        List<String> differences = new ArrayList<>();
        for (OpCatalog.Case c : cases) {
            for (DType type : CatalogComparison.types(c)) {
                try (Scope s = Scope.open(c.name())) {
                    CatalogComparison.compare(Device.cuda(), c, type, SEED, differences);
                } catch (GraftException e) {
                    differences.add(c + " in " + type + ": " + e.getMessage());
                }
            }
        }
        assertThat(differences).isEmpty();
        // what has no kernel is known and small: nothing that training needs
        Map<String, Integer> onHost = new TreeMap<>(backend.fallbacks());
        onHost.entrySet().removeAll(before.entrySet());
        assertThat(onHost.keySet()).noneMatch(k -> k.endsWith("float32") || k.endsWith("bfloat16") || k.endsWith("float16"));
    }

    @TestFactory
    Stream<DynamicTest> updatesAgreeWithTheReference() {
        return OpCatalog.updates().stream().map(c -> DynamicTest.dynamicTest(c.name(), () -> {
            List<String> differences = new ArrayList<>();
            for (DType type : List.of(DType.F32, DType.F64)) {
                try (Scope s = Scope.open(c.name())) {
                    CatalogComparison.compare(Device.cuda(), c, type, SEED, differences);
                }
            }
            assertThat(differences).isEmpty();
        }));
    }
}
