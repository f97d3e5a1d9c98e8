package dev.graft.tensor;

import dev.graft.tensor.op.AttentionOp;
import dev.graft.tensor.op.BinaryFn;
import dev.graft.tensor.op.ConvOp;
import dev.graft.tensor.op.CreateOp;
import dev.graft.tensor.op.ElementwiseOp;
import dev.graft.tensor.op.FusedOp;
import dev.graft.tensor.op.IndexOp;
import dev.graft.tensor.op.LayoutOp;
import dev.graft.tensor.op.LossOp;
import dev.graft.tensor.op.MatMul;
import dev.graft.tensor.op.NormOp;
import dev.graft.tensor.op.Op;
import dev.graft.tensor.op.PoolOp;
import dev.graft.tensor.op.ReduceFn;
import dev.graft.tensor.op.ReduceOp;
import dev.graft.tensor.op.ResizeOp;
import dev.graft.tensor.op.StoredLinearOp;
import dev.graft.tensor.op.UnaryFn;
import java.util.Arrays;
import java.util.function.Supplier;

/**
 * Mixed precision (Micikevicius et al. 2017, arXiv:1710.03740): products, convolutions and attention compute in bfloat16 or
 * float16, ops whose results need the range or the digits in float32, and the others in the type of what they are given.
 * Parameters stay float32, and so do their gradients.
 *
 * <pre>{@code
 * try (var autocast = new Autocast(DType.BF16)) {
 *     Tensor loss = autocast.call(() -> tape.record(() -> loss.of(model.call(x), y)));
 *     Gradients g = tape.backward(loss);       // in the types of the forward pass
 * }
 * }</pre>
 *
 * <table>
 * <caption>What an op computes in</caption>
 * <tr><td>the low type</td><td>matrix products, convolutions, attention, and those fused with bias and activation</td></tr>
 * <tr><td>low x, float32 scale and shift</td><td>batch, layer and group norm</td></tr>
 * <tr><td>float32</td><td>softmax, losses (whose ops read low types), sums and means, exp, log, log1p, pow, square,
 * reciprocal, rsqrt, softplus</td></tr>
 * <tr><td>the type of its inputs</td><td>all others. Where they differ, a smaller tensor (a bias, a mask) follows the one
 * that it is broadcast to, and tensors of one shape become float32</td></tr>
 * </table>
 *
 * <p>float64 is left as it is. One autocast may serve several threads.
 */
public final class Autocast implements Interceptor, AutoCloseable {
    /** Bytes of frozen weights in the low type that are kept unless said otherwise. */
    private static final long KEPT = 8L << 30;

    private final DType low;
    private final WeightCasts weights;

    /** @param low bfloat16 or float16 */
    public Autocast(DType low) {
        this(low, KEPT);
    }

    /** @param kept how many bytes of weights in the low type are kept from step to step, for weights that do not change */
    public Autocast(DType low, long kept) {
        if (low != DType.BF16 && low != DType.F16) {
            throw new GraftException("autocast to " + low + " is not possible: use bfloat16 or float16");
        }
        this.low = low;
        this.weights = new WeightCasts(low, kept);
    }

    /** The type of products and convolutions. */
    public DType low() {
        return low;
    }

    /** Runs {@code body} with this autocast before all other interceptors. */
    public <T> T call(Supplier<T> body) {
        return Context.current().without(Autocast.class).withOutermost(this).call(body);
    }

    /** Frees what was kept of weights that are being trained: to be called when a step's forward pass is done. */
    public void endStep() {
        weights.endStep();
    }

    /**
     * Frees what was kept of weights that tapes train: to be called when an evaluation between training steps is done,
     * because the next step changes them.
     */
    public void endEvaluation() {
        weights.endEvaluation();
    }

    /** Bytes of weights that are kept in the low type. */
    public long keptBytes() {
        return weights.bytes();
    }

    /** Frees what was kept. */
    @Override
    public void close() {
        weights.close();
    }

    @Override
    public boolean allowsCapture() {
        return true;
    }

    @Override
    public Tensor[] intercept(Op op, Tensor[] in, Next next) {
        for (Tensor t : in) {
            if (t.dtype() == DType.F64) {
                return next.run(op, in);
            }
        }
        if (op instanceof FusedOp.LinearBiasActivation l && in.length == 4 && l.activation() == FusedOp.Activation.NONE) {
            return sum(l, in, next);
        }
        return next.run(op, switch (op) {
            case MatMul m -> low(in, next);
            case ConvOp c -> low(in, next);
            case StoredLinearOp s -> first(in, next);
            case FusedOp.SumOfSquares s -> all(DType.F32, in, next);
            case FusedOp f -> low(in, next);
            case AttentionOp.Attention a -> low(in, next);
            case NormOp n -> norm(n, in, next);
            case ReduceOp.Reduce r -> r.fn() == ReduceFn.SUM || r.fn() == ReduceFn.MEAN ? all(DType.F32, in, next) : in;
            case ReduceOp.Softmax s -> all(DType.F32, in, next);
            case ElementwiseOp.Unary u -> isWide(u.fn()) ? all(DType.F32, in, next) : in;
            case ElementwiseOp.BinaryScalar b -> b.fn() == BinaryFn.POW ? all(DType.F32, in, next) : in;
            case ElementwiseOp.Binary b -> b.fn() == BinaryFn.POW ? all(DType.F32, in, next) : together(op, in, next);
            case ElementwiseOp.Where w -> together(op, in, next);
            case LayoutOp.Concat c -> together(op, in, next);
            case ElementwiseOp e -> in;
            case AttentionOp a -> in;
            case LossOp l -> in;
            case ReduceOp r -> in;
            case LayoutOp l -> in;
            case IndexOp i -> in;
            case PoolOp p -> in;
            case ResizeOp r -> in;
            case CreateOp c -> in;
        });
    }

    private static boolean isWide(UnaryFn fn) {
        return switch (fn) {
            case EXP, EXPM1, LOG, LOG1P, SQUARE, RECIPROCAL, RSQRT, SOFTPLUS -> true;
            default -> false;
        };
    }

    /** The layer in the low type, the sum with the residual in the wider of both, as where it is an op of its own. */
    private Tensor[] sum(FusedOp.LinearBiasActivation op, Tensor[] in, Next next) {
        Tensor y = next.run(op, low(Arrays.copyOf(in, 3), next))[0];
        ElementwiseOp add = new ElementwiseOp.Binary(BinaryFn.ADD);
        return next.run(add, together(add, new Tensor[] {y, in[3]}, next));
    }

    /** Inputs 0 and 3, if there are so many, are values, the others weights. */
    private Tensor[] low(Tensor[] in, Next next) {
        Tensor[] out = in.clone();
        for (int i = 0; i < in.length; i++) {
            if (isHalfOrSingle(in[i]) && in[i].dtype() != low) {
                out[i] = i == 0 || i == 3 ? cast(in[i], low, next) : weights.of(in[i], t -> cast(t, low, next));
            }
        }
        return out;
    }

    /** x in the low type; a stored weight, its scale and a bias as they are. */
    private Tensor[] first(Tensor[] in, Next next) {
        Tensor[] out = in.clone();
        out[0] = cast(in[0], low, next);
        return out;
    }

    /** x and a residual in the low type; scale and shift as they are. */
    private Tensor[] norm(NormOp op, Tensor[] in, Next next) {
        if (op instanceof NormOp.BatchNormBackward || op instanceof NormOp.BatchNormActivationBackward
                || op instanceof NormOp.LayerNormBackward || op instanceof NormOp.GroupNormBackward) {
            return in;
        }
        Tensor[] out = in.clone();
        out[0] = cast(in[0], low, next);
        for (int i = 1; i < in.length; i++) {
            out[i] = cast(in[i], i <= 2 ? DType.F32 : low, next);
        }
        return out;
    }

    private static Tensor[] all(DType type, Tensor[] in, Next next) {
        Tensor[] out = in.clone();
        for (int i = 0; i < in.length; i++) {
            out[i] = cast(in[i], type, next);
        }
        return out;
    }

    /** One type for all: that of the tensors that are not broadcast, float32 where these differ. */
    private static Tensor[] together(Op op, Tensor[] in, Next next) {
        DType one = null;
        boolean differ = false;
        for (Tensor t : in) {
            if (isHalfOrSingle(t)) {
                differ |= one != null && one != t.dtype();
                one = t.dtype();
            }
        }
        if (!differ) {
            return in;
        }
        Shape whole = op instanceof LayoutOp ? null : broadcast(in);
        DType type = null;
        for (Tensor t : in) {
            if (isHalfOrSingle(t) && (whole == null || t.shape().equals(whole))) {
                type = type == null || type == t.dtype() ? t.dtype() : DType.F32;
            }
        }
        return all(type == null ? DType.F32 : type, in, next);
    }

    /** What all are broadcast to. */
    private static Shape broadcast(Tensor[] in) {
        Shape s = in[0].shape();
        for (int i = 1; i < in.length; i++) {
            s = Shape.broadcast(s, in[i].shape());
        }
        return s;
    }

    private static boolean isHalfOrSingle(Tensor t) {
        return t.dtype() == DType.F32 || t.dtype() == DType.BF16 || t.dtype() == DType.F16;
    }

    private static Tensor cast(Tensor t, DType to, Next next) {
        return t.dtype() == to || !isHalfOrSingle(t) ? t : next.run(new ElementwiseOp.Cast(to), new Tensor[] {t})[0];
    }
}
