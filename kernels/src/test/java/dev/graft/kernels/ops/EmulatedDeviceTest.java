package dev.graft.kernels.ops;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.kernels.CudaDevice;
import dev.graft.kernels.emulator.EmulatedCuda;
import dev.graft.tensor.Scope;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;

/** Tests of an op family on the emulated device: it has nothing to complain about after any of them. */
abstract class EmulatedDeviceTest {
    static CudaDevice device;
    private Scope scope;

    @BeforeAll
    static void device() {
        device = OnDevice.open();
    }

    @BeforeEach
    void open() {
        scope = Scope.open("test");
    }

    @AfterEach
    void close() {
        assertThat(EmulatedCuda.report()).isEmpty();
        scope.close();
        EmulatedCuda.reset();
    }
}
