package dev.graft.kernels.ops;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.graft.kernels.emulator.EmulatedCuda;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.AttentionOp;
import org.junit.jupiter.api.Test;

/** Which attention kernels a chip is given: what does not fit into its shared memory fails at the launch. */
class AttentionPlanTest {
    private static final int TURING = 64 << 10;
    private static final int ADA = 99 << 10;
    private static final int HOPPER = 227 << 10;

    @Test
    void noPlanAsksForMoreSharedMemoryThanThereIs() {
        for (int most : new int[] {TURING, ADA, HOPPER}) {
            for (DType t : new DType[] {DType.F32, DType.F64, DType.BF16, DType.F16}) {
                for (int d = 1; d <= 256; d++) {
                    CudaAttention.Plan p = CudaAttention.plan(t, d, most == TURING ? 75 : 90, most);
                    if (p != null) {
                        assertThat(Math.max(p.forwardShared(), Math.max(p.keysShared(), p.queriesShared())))
                                .as("%s of head size %d with %d bytes", t, d, most).isLessThanOrEqualTo(most);
                    }
                }
            }
        }
    }

    @Test
    void usualHeadsHaveAPlanEverywhere() {
        for (int d : new int[] {32, 64, 80, 128}) {
            assertThat(CudaAttention.plan(DType.F32, d, 75, TURING)).isNotNull();
            assertThat(CudaAttention.plan(DType.F16, d, 75, TURING).plain()).isTrue();     // older tensor cores
            assertThat(CudaAttention.plan(DType.F16, d, 80, ADA).plain()).isFalse();
            assertThat(CudaAttention.plan(DType.F32, d, 90, HOPPER).rows()).isEqualTo(64);
        }
    }

    /** Tensor cores are fed 16 bytes at a time, which a view from an odd place does not allow. */
    @Test
    void viewsFromAnywhereTakeTheOtherKernel() {
        assumeTrue(EmulatedCuda.start(), EmulatedCuda::reason);
        int n = 2 * 5 * 16;
        try (Scope s = Scope.open("test")) {
            Tensor values = Tensor.randn(3 * n + 1).cast(DType.BF16);
            Tensor[] host = new Tensor[3];
            Tensor[] device = new Tensor[3];
            Tensor all = values.to(Device.cuda());
            for (int i = 0; i < 3; i++) {
                host[i] = values.slice(0, 1 + i * n, 1 + (i + 1) * n).reshape(1, 5, 2, 16);
                device[i] = all.slice(0, 1 + i * n, 1 + (i + 1) * n).reshape(1, 5, 2, 16);
            }
            AttentionOp.Attention op = new AttentionOp.Attention(0.25, false);
            long before = EmulatedCuda.launches("attention_forward");
            float[] y = Dispatcher.run(op, device)[0].toFloats();
            assertThat(EmulatedCuda.launches("attention_forward")).isEqualTo(before + 1);
            assertThat(y).containsExactly(Dispatcher.run(op, host)[0].toFloats(), within(0.02f));
            assertThat(CudaAttention.plan(DType.BF16, 16, 0, HOPPER).plain()).isTrue();
        }
    }
}
