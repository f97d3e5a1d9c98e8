package dev.graft.kernels.ops;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.kernels.emulator.EmulatedCuda;
import dev.graft.tensor.DType;
import dev.graft.tensor.Device;
import dev.graft.tensor.Dispatcher;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.LayoutOp;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Moves of random tensors in random ways, against the CPU's: every size of element, every kernel. */
class CudaLayoutTest {
    private static final Device CUDA = Device.cuda();
    private static final List<DType> SIZES = List.of(DType.U8, DType.BF16, DType.F32, DType.F64);
    private Scope scope;

    @BeforeAll
    static void device() {
        OnDevice.open();
    }

    @BeforeEach
    void open() {
        scope = Scope.open("test");
    }

    @AfterEach
    void close() {
        scope.close();
        EmulatedCuda.reset();
    }

    private static Tensor counting(DType type, int... dims) {
        return Tensor.arange(DType.I32, Math.toIntExact(Shape.of(dims).size())).reshape(dims).cast(type);
    }

    private static void same(Tensor x, String what, UnaryOperator<Tensor> move) {
        assertThat(move.apply(x.to(CUDA)).toArray()).as(what + " of " + x.spec()).isEqualTo(move.apply(x).toArray());
    }

    @Test
    void permutations() {
        SplittableRandom r = new SplittableRandom(8);
        for (int i = 0; i < 60; i++) {
            int rank = r.nextInt(2, 6);
            int[] dims = r.ints(rank, 1, rank <= 3 ? 70 : 15).toArray();
            int[] axes = new int[rank];
            for (int a = 0; a < rank; a++) {
                int b = r.nextInt(a + 1);
                axes[a] = axes[b];
                axes[b] = a;
            }
            EmulatedCuda.order(EmulatedCuda.Order.values()[i % 3], i);
            same(counting(SIZES.get(i % 4), dims), "permute " + Arrays.toString(axes), x -> x.permute(axes));
        }
    }

    @Test
    void imagesChangeTheirLayoutThroughTiles() {
        Tensor x = counting(DType.F32, 2, 30, 31, 40);
        x.to(CUDA).permute(0, 3, 1, 2).toFloats();
        long before = EmulatedCuda.launches("transpose");
        same(x, "to channels first", t -> t.permute(0, 3, 1, 2));
        same(counting(DType.BF16, 2, 40, 30, 31), "to channels last", t -> t.permute(0, 2, 3, 1));
        same(counting(DType.BF16, 2, 5, 20, 3, 30), "five axes", t -> t.permute(3, 0, 4, 1, 2));
        assertThat(EmulatedCuda.launches("transpose") - before).isEqualTo(3);
    }

    @Test
    void slicesAndBroadcasts() {
        SplittableRandom r = new SplittableRandom(9);
        for (int i = 0; i < 60; i++) {
            int rank = r.nextInt(1, 5);
            int[] dims = r.ints(rank, 1, 20).toArray();
            int[] begin = new int[rank];
            int[] end = new int[rank];
            int[] step = new int[rank];
            int[] to = dims.clone();
            int[] narrow = dims.clone();
            for (int a = 0; a < rank; a++) {
                begin[a] = r.nextInt(dims[a]);
                end[a] = r.nextInt(begin[a], dims[a]) + 1;
                step[a] = r.nextInt(4) == 0 ? 2 : 1;
                if (r.nextBoolean()) {
                    narrow[a] = 1;
                }
            }
            if (i % 2 == 0) {                                  // whole channels, as images have them
                dims[rank - 1] = to[rank - 1] = narrow[rank - 1] = 32;
                begin[rank - 1] = 16 * (i % 4 / 2);
                end[rank - 1] = 32;
                step[rank - 1] = 1;
            }
            DType type = SIZES.get(i / 2 % 4);
            same(counting(type, dims), "slice " + Arrays.toString(begin) + Arrays.toString(end) + Arrays.toString(step),
                    x -> x.slice(begin, end, step));
            same(counting(type, narrow), "broadcast to " + Arrays.toString(to), x -> x.broadcastTo(Shape.of(to)));
        }
    }

    @Test
    void paddingAndConcatenation() {
        SplittableRandom r = new SplittableRandom(10);
        for (int i = 0; i < 60; i++) {
            int rank = r.nextInt(1, 5);
            int[] dims = r.ints(rank, 1, 12).toArray();
            if (i % 3 == 0) {
                dims[rank - 1] = 16;
            }
            int[] low = new int[rank];
            int[] high = new int[rank];
            int[] interior = new int[rank];
            for (int a = 0; a < rank - (i % 3 == 0 ? 1 : 0); a++) {
                low[a] = r.nextInt(3);
                high[a] = r.nextInt(3);
                interior[a] = r.nextInt(3) == 0 ? r.nextInt(3) : 0;
            }
            DType type = SIZES.get(i % 4);
            same(counting(type, dims), "pad " + Arrays.toString(low) + Arrays.toString(high) + Arrays.toString(interior),
                    x -> Dispatcher.one(new LayoutOp.Pad(low, high, interior, 3), x));
            int axis = r.nextInt(rank);
            int[] other = dims.clone();
            other[axis] = r.nextInt(1, 9);
            Tensor second = counting(type, other);
            same(counting(type, dims), "concat along " + axis + " with " + Arrays.toString(other),
                    x -> Tensor.concat(axis, x, second.to(x.device()), x));
        }
    }
}
