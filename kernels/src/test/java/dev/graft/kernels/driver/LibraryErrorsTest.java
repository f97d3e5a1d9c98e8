package dev.graft.kernels.driver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.kernels.CudaBackend;
import dev.graft.kernels.CudaDevice;
import dev.graft.kernels.emulator.EmulatedCuda;
import dev.graft.tensor.Device;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.backend.Backends;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/** Errors of the libraries name the function, the status and what was asked for. */
class LibraryErrorsTest {
    @Test
    void statusesOfBothMajorsOfCudnnHaveNames() {
        assertThat(Cudnn.name(9)).isEqualTo("CUDNN_STATUS_NOT_SUPPORTED");
        assertThat(Cudnn.name(3000)).isEqualTo("CUDNN_STATUS_NOT_SUPPORTED");
        assertThat(Cudnn.name(3007)).isEqualTo("CUDNN_STATUS_NOT_SUPPORTED");
        assertThat(Cudnn.name(2002)).isEqualTo("CUDNN_STATUS_BAD_PARAM");
        assertThat(Cudnn.name(5003)).isEqualTo("CUDNN_STATUS_EXECUTION_FAILED");
        assertThat(Cudnn.name(77)).isEqualTo("error");
        assertThat(Cublas.name(13)).isEqualTo("CUBLAS_STATUS_EXECUTION_FAILED (13)");
    }

    @Test
    void aFailedProductNamesItsSizes() {
        CudaDevice device = open();
        assertThatThrownBy(() -> device.cublas().gemm(GemmType.F32, true, false, 3, 4, 5, 0, 1, 0, 4, false, 0, 4))
                .isInstanceOf(CudaException.class)
                .hasMessage("cublasGemmEx of [3, 5] (stored transposed) x [5, 4] in F32: CUBLAS_STATUS_INVALID_VALUE (7)");
    }

    @Test
    void aRefusedDescriptorSaysWhoRefused() {
        CudaDevice device = open();
        assertThatThrownBy(() -> device.cudnn().tensor(0, 1, 2, 3, 0)).isInstanceOf(CudaException.class)
                .hasMessageStartingWith("cudnnSetTensor4dDescriptor: CUDNN_STATUS_BAD_PARAM (20");
        assertThat(device.cudnn().version()).isGreaterThan(8000);
        assertThat(device.cublas().version()).isGreaterThan(120000);
    }

    @Test
    void aListOfAlgorithmsThatCannotBeMadeIsAStatusToo() {
        Cudnn cudnn = open().cudnn();
        int[] statuses = {0, 3000, 0};
        assertThat(cudnn.algorithms("list", n -> {
            n[0] = statuses.length;
            return 0;
        }, i -> statuses[i], i -> new Cudnn.Algorithm(i, true))).extracting(Cudnn.Algorithm::number).containsExactly(0, 2);
        assertThatThrownBy(() -> cudnn.algorithms("list", n -> 2000, i -> 0, i -> null)).isInstanceOf(CudaException.class)
                .hasMessageStartingWith("list: CUDNN_STATUS_BAD_PARAM (2000)");
        assertThatThrownBy(() -> cudnn.algorithms("list", n -> {
            throw new ArrayIndexOutOfBoundsException(7);
        }, i -> 0, i -> null)).isInstanceOf(CudaException.class).hasMessageStartingWith("list: CUDNN_STATUS_NOT_SUPPORTED")
                .hasCauseInstanceOf(ArrayIndexOutOfBoundsException.class);
    }

    private static CudaDevice open() {
        Assumptions.assumeTrue(EmulatedCuda.start(), () -> EmulatedCuda.reason());
        try (Tensor t = Tensor.zeros(1).to(Device.cuda())) {
            return ((CudaBackend) Backends.of(t.device())).cuda();
        }
    }
}
