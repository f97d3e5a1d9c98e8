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
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.Test;

/**
 * The kernels under checks of every access: the cases of the op catalogue run once more on an emulated device that looks at
 * each load and store for its bounds, its alignment and races between threads, in a JVM of its own.
 */
class CheckedCatalogTest {
    @Test
    void noKernelTouchesWhatIsNotItsOwn() throws Exception {
        assumeTrue(EmulatedCuda.start(), EmulatedCuda::reason);
        List<FutureTask<CheckedProcess.Result>> halves = new ArrayList<>();
        for (String half : List.of("0", "1")) {     // most of the time goes into compiling, on one core each
            halves.add(new FutureTask<>(() -> CheckedProcess.run(CheckedCatalogTest.class, half)));
            Thread.ofVirtual().start(halves.getLast());
        }
        for (FutureTask<CheckedProcess.Result> half : halves) {
            CheckedProcess.Result r = half.get();
            assertThat(r.status()).as(r.output()).isZero();
            System.out.println(r.output().lines().filter(l -> l.startsWith("checked every")).findFirst().orElseThrow());
        }
    }

    /** @param args 0 or 1 for half of the ops, each case in one type by turns; or a pattern of op names, in every type */
    public static void main(String[] args) {
        EmulatedCuda.start();
        int half = args[0].equals("0") ? 0 : args[0].equals("1") ? 1 : -1;
        List<String> wrong = new ArrayList<>();
        int cases = 0;
        for (OpCatalog.Case c : OpCatalog.cases()) {
            String op = c.op().name();
            if (half < 0 ? !op.matches(args[0]) : (op.hashCode() & 1) != half) {
                continue;
            }
            List<DType> types = CatalogComparison.types(c);
            if (half >= 0 && types.size() > 1) {
                types = List.of(cases % 2 == 0 ? DType.F32 : DType.BF16);
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
