package dev.graft.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.graft.kernels.emulator.CheckedProcess;
import dev.graft.kernels.emulator.EmulatedCuda;
import dev.graft.tensor.CatalogComparison;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.GraftException;
import dev.graft.tensor.OpCatalog;
import dev.graft.tensor.Scope;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * The kernels under checks of every access: the cases of the op catalogue run once more on an emulated device that looks at
 * each load and store for its bounds, its alignment and races between threads, in a JVM of its own.
 */
class CheckedCatalogTest {
    @Test
    void noKernelTouchesWhatIsNotItsOwn() throws Exception {
        assumeTrue(EmulatedCuda.start(), EmulatedCuda::reason);
        CheckedProcess.Result r = CheckedProcess.run(CheckedCatalogTest.class);
        assertThat(r.status()).as(r.output()).isZero();
        System.out.println(r.output().lines().filter(l -> l.startsWith("checked every")).findFirst().orElseThrow());
    }

    /** @param args a pattern of op names to try alone, in every type; without it each case runs in one type, by turns */
    public static void main(String[] args) {
        EmulatedCuda.start();
        List<String> wrong = new ArrayList<>();
        int cases = 0;
        for (OpCatalog.Case c : OpCatalog.cases()) {
            List<DType> types = CatalogComparison.types(c);
            if (args.length == 0 && types.size() > 1) {
                types = List.of(cases % 2 == 0 ? DType.F32 : DType.BF16);
            } else if (args.length > 0 && !c.op().name().matches(args[0])) {
                continue;
            }
            for (DType type : types) {
                cases++;
                try (Scope s = Scope.open(c.name())) {
                    assertThat(s).isNotNull();
                    CatalogComparison.compare(Device.cuda(), c, type, 3, wrong);
                } catch (GraftException e) {
                    wrong.add(c + " in " + type + ": " + e.getMessage());
                }
                List<String> report = EmulatedCuda.report();
                if (!report.isEmpty()) {    // the device is broken now
                    wrong.add("FAULT of " + c + " in " + type + ": " + String.join("; ", report));
                    finish(wrong, cases);
                }
            }
        }
        finish(wrong, cases);
    }

    private static void finish(List<String> wrong, int cases) {
        wrong.forEach(System.out::println);
        System.out.println("checked every access of " + EmulatedCuda.launches().size() + " kernels in " + cases + " cases");
        System.exit(wrong.isEmpty() ? 0 : 1);
    }
}
