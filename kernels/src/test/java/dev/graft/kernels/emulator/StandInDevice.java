package dev.graft.kernels.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.graft.kernels.driver.Driver;
import dev.graft.kernels.driver.Ptr;
import dev.graft.kernels.load.NativeLoader;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import jcuda.driver.CUcontext;
import jcuda.driver.CUstream;
import jcuda.jcudnn.JCudnn;

/** The emulated device as the tests of its cuBLAS and cuDNN use it: memory holding float, half or bfloat16 numbers. */
final class StandInDevice implements AutoCloseable {
    static final int FLOAT = 0;
    static final int DOUBLE = 1;
    static final int HALF = 2;
    static final int BFLOAT16 = 9;

    final Arena arena = Arena.ofConfined();
    final CUcontext context;
    final CUstream stream;
    private final List<Long> allocated = new ArrayList<>();

    StandInDevice() {
        assumeTrue(EmulatedCuda.start(), EmulatedCuda::reason);
        EmulatedCuda.reset();
        NativeLoader.load();
        Driver.init();
        context = Driver.primaryContext(Driver.device(0));
        Driver.makeCurrent(context);
        stream = Driver.stream();
    }

    static int width(int type) {
        return switch (type) {
            case FLOAT -> Float.BYTES;
            case DOUBLE -> Double.BYTES;
            default -> Short.BYTES;
        };
    }

    long allocate(long bytes) {
        long address = Driver.malloc(Math.max(bytes, 1));
        allocated.add(address);
        return address;
    }

    /** Numbers in device memory, rounded to the type. */
    long put(int type, double... values) {
        long address = allocate((long) values.length * width(type));
        MemorySegment host = MemorySegment.ofAddress(Driver.mallocHost((long) values.length * width(type)))
                .reinterpret((long) values.length * width(type));
        for (int i = 0; i < values.length; i++) {
            switch (type) {
                case FLOAT -> host.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) values[i]);
                case DOUBLE -> host.setAtIndex(ValueLayout.JAVA_DOUBLE, i, values[i]);
                case HALF -> host.setAtIndex(ValueLayout.JAVA_SHORT, i, Float.floatToFloat16((float) values[i]));
                default -> host.setAtIndex(ValueLayout.JAVA_SHORT, i, bfloat16((float) values[i]));
            }
        }
        Driver.copyToDevice(address, host.address(), host.byteSize(), stream);
        Driver.synchronize(stream);
        Driver.freeHost(host.address());
        return address;
    }

    double[] get(int type, long address, int n) {
        long bytes = (long) n * width(type);
        MemorySegment host = MemorySegment.ofAddress(Driver.mallocHost(bytes)).reinterpret(bytes);
        Driver.copyToHost(host.address(), address, bytes, stream);
        Driver.synchronize(stream);
        double[] values = new double[n];
        for (int i = 0; i < n; i++) {
            values[i] = switch (type) {
                case FLOAT -> host.getAtIndex(ValueLayout.JAVA_FLOAT, i);
                case DOUBLE -> host.getAtIndex(ValueLayout.JAVA_DOUBLE, i);
                case HALF -> Float.float16ToFloat(host.getAtIndex(ValueLayout.JAVA_SHORT, i));
                default -> Float.intBitsToFloat(host.getAtIndex(ValueLayout.JAVA_SHORT, i) << 16);
            };
        }
        Driver.freeHost(host.address());
        return values;
    }

    private static short bfloat16(float v) {
        int bits = Float.floatToRawIntBits(v);
        return (short) (bits + 0x7fff + (bits >>> 16 & 1) >>> 16);
    }

    /** What a number becomes in that type. */
    static double rounded(int type, double v) {
        return switch (type) {
            case FLOAT -> (float) v;
            case DOUBLE -> v;
            case HALF -> Float.float16ToFloat(Float.floatToFloat16((float) v));
            default -> Float.intBitsToFloat(bfloat16((float) v) << 16);
        };
    }

    /** Repeatable numbers between -1 and 1 which the type can hold. */
    static double[] numbers(int type, int n, long seed) {
        java.util.SplittableRandom random = new java.util.SplittableRandom(seed);
        double[] v = new double[n];
        for (int i = 0; i < n; i++) {
            v[i] = rounded(type, random.nextDouble(-1, 1));
        }
        return v;
    }

    /** A host scalar: double for double data, else float. */
    Ptr scalar(int type, double v) {
        return Ptr.of(type == DOUBLE ? arena.allocateFrom(ValueLayout.JAVA_DOUBLE, v)
                : arena.allocateFrom(ValueLayout.JAVA_FLOAT, (float) v));
    }

    static double tolerance(int type) {
        return switch (type) {
            case FLOAT -> 1e-5;
            case DOUBLE -> 1e-12;
            case HALF -> 2e-3;
            default -> 1.6e-2;
        };
    }

    static void assertClose(double[] actual, double[] expected, double tolerance) {
        assertThat(actual).hasSameSizeAs(expected);
        for (int i = 0; i < actual.length; i++) {
            assertThat(actual[i]).as("element %d", i).isCloseTo(expected[i],
                    org.assertj.core.data.Offset.offset(tolerance * (1 + Math.abs(expected[i]))));
        }
    }

    static void ok(int status) {
        assertThat(status).as(() -> status + " " + JCudnn.cudnnGetErrorString(status)).isZero();
    }

    @Override
    public void close() {
        EmulatedCuda.reset();
        allocated.forEach(Driver::free);
        arena.close();
    }
}
