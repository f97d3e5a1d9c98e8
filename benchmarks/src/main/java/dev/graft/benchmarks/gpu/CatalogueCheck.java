package dev.graft.benchmarks.gpu;

import dev.graft.kernels.CudaBackend;
import dev.graft.tensor.CatalogComparison;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.OpCatalog;
import dev.graft.tensor.Scope;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Every case of the op catalogue, in every element type, on the device against the reference in float64. */
final class CatalogueCheck {
    private static final long SEED = 5;

    private CatalogueCheck() {}

    static void run(CheckLog log, CudaBackend backend) {
        Map<String, List<OpCatalog.Case>> byOp = new LinkedHashMap<>();
        OpCatalog.cases().forEach(c -> byOp.computeIfAbsent(c.op().name(), n -> new ArrayList<>()).add(c));
        byOp.forEach((name, cases) -> log.step("op " + name, () -> {
            List<String> differences = new ArrayList<>();
            int n = 0;
            for (OpCatalog.Case c : cases) {
                for (DType type : CatalogComparison.types(c)) {
                    n++;
                    try (Scope s = Scope.open(c.name())) {
                        CatalogComparison.compare(Device.cuda(), c, type, SEED, differences);
                    } catch (GraftException e) {
                        differences.add(c + " in " + type + ": " + e.getMessage());
                    }
                }
            }
            return verdict(n, differences);
        }));
        log.step("updates", () -> {
            List<String> differences = new ArrayList<>();
            for (OpCatalog.UpdateCase c : OpCatalog.updates()) {
                try (Scope s = Scope.open(c.name())) {
                    CatalogComparison.compare(Device.cuda(), c, DType.F32, SEED, differences);
                }
            }
            return verdict(OpCatalog.updates().size(), differences);
        });
        log.step("ops that ran on the host", () -> backend.fallbacks().toString());
    }

    private static String verdict(int cases, List<String> differences) {
        CheckLog.expect(differences.isEmpty(), differences.size() + " of " + cases + " differ, the first: "
                + (differences.isEmpty() ? "" : differences.getFirst()));
        return cases + " cases";
    }
}
