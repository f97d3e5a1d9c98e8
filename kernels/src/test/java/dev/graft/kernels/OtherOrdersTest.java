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
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The op catalogue once more, with threads and blocks in another order, and with streams that work only when somebody waits
 * for them: what a kernel forgets to wait for, or the program, gives other numbers then.
 */
class OtherOrdersTest {
    @BeforeAll
    static void device() {
        assumeTrue(EmulatedCuda.start(), EmulatedCuda::reason);
    }

    @AfterEach
    void again() {
        EmulatedCuda.reset();
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "FORWARD")
    void opsAgreeWithTheReference(EmulatedCuda.Order order) {
        EmulatedCuda.order(order, 11);
        EmulatedCuda.lazy(true);
        List<String> wrong = new ArrayList<>();
        int cases = 0;
        for (OpCatalog.Case c : OpCatalog.cases()) {
            if (cases++ % 2 == order.ordinal() % 2 || c.large()) {
                continue;
            }
            try (Scope s = Scope.open(c.name())) {
                assertThat(s).isNotNull();
                CatalogComparison.compare(Device.cuda(), c, DType.F32, 5, wrong);
            } catch (GraftException e) {
                wrong.add(c + ": " + e.getMessage());
            }
        }
        assertThat(wrong).isEmpty();
        assertThat(EmulatedCuda.report()).isEmpty();
    }
}
