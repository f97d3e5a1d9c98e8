package dev.graft.kernels.ops;

import dev.graft.tensor.DType;
import dev.graft.tensor.op.BinaryFn;
import dev.graft.tensor.op.ElementwiseOp;
import dev.graft.tensor.op.UnaryFn;
import java.util.List;

/**
 * What one generated kernel computes for every element: steps that read the inputs and each other, some of whose values are
 * stored. Two ops whose numbers differ (slopes, scalars, seeds) have equal programs: numbers are arguments of the kernel.
 *
 * @param inputs  the tensors that are read
 * @param steps   in the order of computation
 * @param outputs the steps that are stored
 */
record ElementProgram(List<Input> inputs, List<Step> steps, List<Integer> outputs) {

    /** @param strided whether it is broadcast along some axis; else element i of the output meets element i of the input */
    record Input(DType type, boolean strided) {}

    /**
     * One op.
     *
     * @param op   the op as {@link #shape} gives it
     * @param args where its inputs come from: k ≥ 0 is input k, -1 - j is step j
     * @param from the type of its (last) input
     * @param type the type of its result
     */
    record Step(ElementwiseOp op, List<Integer> args, DType from, DType type) {}

    /** Powers that are computed as products or quotients. */
    static final List<Double> PRODUCTS = List.of(2.0, 3.0, -1.0);

    /** The kinds of numbers a step takes as arguments, in their order. */
    enum Number {
        /** In the type that is computed in. */
        VALUE,
        /** As a double, for integers that are compared with a fraction. */
        FRACTION,
        /** Where to leave an error's number: integer division and powers. */
        ERROR_FLAG,
        /** Threshold, factor, seed, stream and the address of the stream's shift. */
        DROPOUT
    }

    /** {@code op} without its numbers, but for those that change the kernel: powers that are products, and fractions. */
    static ElementwiseOp shape(ElementwiseOp op, DType x) {
        return switch (op) {
            case ElementwiseOp.Unary u -> new ElementwiseOp.Unary(u.fn(), 0);
            case ElementwiseOp.UnaryBackward u -> new ElementwiseOp.UnaryBackward(u.fn(), 0);
            case ElementwiseOp.BinaryScalar b -> new ElementwiseOp.BinaryScalar(b.fn(),
                    !x.isFloat() && b.value() != Math.rint(b.value()) ? 0.5 : product(b, x) ? b.value() : 1);
            case ElementwiseOp.Dropout d -> new ElementwiseOp.Dropout(0, 0, 0);
            case ElementwiseOp.Binary b -> b;
            case ElementwiseOp.Where w -> w;
            case ElementwiseOp.Cast c -> c;
        };
    }

    static boolean product(ElementwiseOp.BinaryScalar b, DType x) {
        return b.fn() == BinaryFn.POW && x.isFloat() && PRODUCTS.contains(b.value());
    }

    /** What numbers {@code s} takes, or null for none. */
    static Number number(Step s) {
        return switch (s.op()) {
            case ElementwiseOp.Unary u -> parameter(u.fn()) ? Number.VALUE : null;
            case ElementwiseOp.UnaryBackward u -> parameter(u.fn()) ? Number.VALUE : null;
            case ElementwiseOp.Binary b -> partial(b.fn(), s.from()) ? Number.ERROR_FLAG : null;
            case ElementwiseOp.BinaryScalar b -> s.from().isFloat() ? b.value() == 1 ? Number.VALUE : null
                    : b.value() == 0.5 ? Number.FRACTION : Number.VALUE;
            case ElementwiseOp.Where w -> null;
            case ElementwiseOp.Cast c -> null;
            case ElementwiseOp.Dropout d -> Number.DROPOUT;
        };
    }

    /** Whether {@code fn} has a parameter a. */
    static boolean parameter(UnaryFn fn) {
        return fn == UnaryFn.LEAKY_RELU || fn == UnaryFn.ELU;
    }

    /** Whether integers have no result for some inputs. */
    static boolean partial(BinaryFn fn, DType x) {
        return !x.isFloat() && (fn == BinaryFn.DIV || fn == BinaryFn.POW);
    }

    /** Elements that a thread computes together: 16-byte accesses for the narrowest type, at most 32 for the widest. */
    int width() {
        int least = 16;
        int most = 1;
        for (Input in : inputs) {
            least = Math.min(least, in.type().bytes());
            most = Math.max(most, in.type().bytes());
        }
        for (int s : outputs) {
            least = Math.min(least, steps.get(s).type().bytes());
            most = Math.max(most, steps.get(s).type().bytes());
        }
        return least == most ? 16 / least : Math.min(8, Math.min(16 / least, 32 / most));
    }

    /** Groups of elements that a thread has on the way at once, so that enough bytes are. */
    int unroll() {
        int bytes = 0;
        for (Input in : inputs) {
            bytes += in.type().bytes() * width();
        }
        return bytes <= 32 ? 2 : 1;
    }

    boolean strided() {
        return inputs.stream().anyMatch(Input::strided);
    }

    /** For profilers: what it computes and in which type. */
    String name() {
        StringBuilder s = new StringBuilder(steps.size() == 1 ? "" : "fused");
        for (Step step : steps) {
            s.append(s.isEmpty() ? "" : "_").append(word(step));
        }
        s.append('_').append(CudaTypes.suffix(steps.getLast().from()));
        return s.append(strided() ? "_broadcast" : "").toString();
    }

    static String word(Step s) {
        return switch (s.op()) {
            case ElementwiseOp.Cast c -> "to_" + CudaTypes.suffix(c.to());
            case ElementwiseOp.BinaryScalar b -> product(b, s.from())
                    ? b.value() == 2 ? "square" : b.value() == 3 ? "cube" : "inverse" : b.name() + "_scalar";
            default -> s.op().name();
        };
    }

    /** Whether no value has more digits than float16. */
    boolean lowPrecision() {
        for (Input in : inputs) {
            if (in.type() == DType.F32 || in.type() == DType.F64) {
                return false;
            }
        }
        for (Step s : steps) {
            if (s.type() == DType.F32 || s.type() == DType.F64) {
                return false;
            }
        }
        return true;
    }
}
