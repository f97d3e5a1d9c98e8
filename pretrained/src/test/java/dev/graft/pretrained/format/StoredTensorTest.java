package dev.graft.pretrained.format;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.tensor.DType;
import dev.graft.tensor.Shape;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class StoredTensorTest {
    /** Elements that name their place in the storage. */
    private static final class Counting implements Storage {
        private final float[] values;

        Counting(int n) {
            values = new float[n];
            for (int i = 0; i < n; i++) {
                values[i] = i;
            }
        }

        @Override
        public MemorySegment range(long from, long length) {
            return MemorySegment.ofArray(values).asSlice(from, length);
        }

        @Override
        public long bytes() {
            return 4L * values.length;
        }
    }

    /** Those of 80,000 values at each index of the first axis, or with another first axis, are not read in runs. */
    @ParameterizedTest
    @CsvSource({"5 6 3 3, 0 2 3 1", "4 1 5 5, 0 2 3 1", "1 3 7 7, 0 2 3 1", "3 8 1 1, 0 2 3 1", "6 5 4 1, 0 1 2 3",
        "2 100 20 20, 0 3 1 2", "2 200 20 20, 0 3 1 2", "3 7, 1 0", "300 257, 1 0", "2 3 4 5, 3 0 1 2",
        "3 3 90 100, 3 0 1 2"})
    void axesInAnotherOrder(String dims, String order) throws IOException {
        int[] d = ints(dims);
        int[] axes = ints(order);
        Shape shape = Shape.of(d);
        StoredTensor t = StoredTensor.of(new Refusal(Path.of("file")), "w", ElementType.F32,
                new Counting((int) shape.size()), shape).permute(axes);
        float[] expected = new float[(int) shape.size()];
        int[] at = new int[d.length];
        for (int i = 0; i < expected.length; i++) {
            int from = 0;
            for (int a = 0; a < d.length; a++) {
                from += at[a] * (int) shape.strides()[axes[a]];
            }
            expected[i] = from;
            for (int a = d.length - 1; a >= 0 && ++at[a] == d[axes[a]]; a--) {
                at[a] = 0;
            }
        }
        WeightEntry e = new WeightEntry("w", t.dtype(), t.shape());
        assertThat(Elements.floats(t.read(), e)).containsExactly(expected);
        assertThat(t.holdsFloats()).isTrue();
        assertThat(t.floats()).containsExactly(expected);
        StoredTensor bits = StoredTensor.of(new Refusal(Path.of("file")), "n", ElementType.I32,
                new Counting((int) shape.size()), shape).permute(axes);
        int[] found = (int[]) Elements.carrier(bits.read(), new WeightEntry("n", bits.dtype(), bits.shape()), DType.I32);
        for (int i = 0; i < expected.length; i++) {
            assertThat(found[i]).isEqualTo(Float.floatToRawIntBits(expected[i]));
        }
    }

    /** A file may claim strides of any size: no array is made of all that lies between the elements. */
    @Test
    void elementsFarApartAreReadOneByOne() throws IOException {
        StoredTensor t = StoredTensor.of(new Refusal(Path.of("file")), "w", ElementType.F32, false, new Counting(1 << 20), 5,
                Shape.of(2, 3), new long[] {7, 300_000});
        assertThat(t.holdsFloats()).isFalse();
        assertThat(Elements.floats(t.read(), new WeightEntry("w", t.dtype(), t.shape())))
                .containsExactly(5, 300_005, 600_005, 12, 300_012, 600_012);
    }

    private static int[] ints(String words) {
        return Arrays.stream(words.split(" ")).mapToInt(Integer::parseInt).toArray();
    }
}
