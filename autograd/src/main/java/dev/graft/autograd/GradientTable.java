package dev.graft.autograd;

import static dev.graft.tensor.Dispatcher.one;
import static dev.graft.tensor.Dispatcher.run;

import dev.graft.tensor.Shape;
import dev.graft.tensor.Tensor;
import dev.graft.tensor.op.AttentionOp.Attention;
import dev.graft.tensor.op.AttentionOp.AttentionBackward;
import dev.graft.tensor.op.BinaryFn;
import dev.graft.tensor.op.ConvOp;
import dev.graft.tensor.op.ConvOp.Conv2d;
import dev.graft.tensor.op.ConvOp.Conv2dBackwardInput;
import dev.graft.tensor.op.ConvOp.Conv2dBackwardWeight;
import dev.graft.tensor.op.CreateOp;
import dev.graft.tensor.op.ElementwiseOp.Binary;
import dev.graft.tensor.op.ElementwiseOp.BinaryScalar;
import dev.graft.tensor.op.ElementwiseOp.Cast;
import dev.graft.tensor.op.ElementwiseOp.Dropout;
import dev.graft.tensor.op.ElementwiseOp.Unary;
import dev.graft.tensor.op.ElementwiseOp.UnaryBackward;
import dev.graft.tensor.op.ElementwiseOp.Where;
import dev.graft.tensor.op.FusedOp.Activation;
import dev.graft.tensor.op.IndexOp.Take;
import dev.graft.tensor.op.IndexOp.TakeAlong;
import dev.graft.tensor.op.IndexOp.TakeAlongBackward;
import dev.graft.tensor.op.IndexOp.TakeBackward;
import dev.graft.tensor.op.LayoutOp.BroadcastTo;
import dev.graft.tensor.op.LayoutOp.Concat;
import dev.graft.tensor.op.LayoutOp.Pad;
import dev.graft.tensor.op.LayoutOp.Permute;
import dev.graft.tensor.op.LayoutOp.Reshape;
import dev.graft.tensor.op.LayoutOp.Slice;
import dev.graft.tensor.op.LossOp.CrossEntropy;
import dev.graft.tensor.op.LossOp.CrossEntropyBackward;
import dev.graft.tensor.op.MatMul;
import dev.graft.tensor.op.NormOp.BatchNorm;
import dev.graft.tensor.op.NormOp.BatchNormActivation;
import dev.graft.tensor.op.NormOp.BatchNormActivationBackward;
import dev.graft.tensor.op.NormOp.BatchNormBackward;
import dev.graft.tensor.op.NormOp.GroupNorm;
import dev.graft.tensor.op.NormOp.GroupNormBackward;
import dev.graft.tensor.op.NormOp.LayerNorm;
import dev.graft.tensor.op.NormOp.LayerNormBackward;
import dev.graft.tensor.op.PoolOp.AdaptiveAvgPool2d;
import dev.graft.tensor.op.PoolOp.AdaptiveAvgPool2dBackward;
import dev.graft.tensor.op.PoolOp.AvgPool2d;
import dev.graft.tensor.op.PoolOp.AvgPool2dBackward;
import dev.graft.tensor.op.PoolOp.MaxPool2d;
import dev.graft.tensor.op.PoolOp.MaxPool2dBackward;
import dev.graft.tensor.op.PoolOp.MaxPool2dGather;
import dev.graft.tensor.op.PrimitiveOp;
import dev.graft.tensor.op.ReduceFn;
import dev.graft.tensor.op.ReduceOp.ArgReduce;
import dev.graft.tensor.op.ReduceOp.Reduce;
import dev.graft.tensor.op.ReduceOp.Softmax;
import dev.graft.tensor.op.ReduceOp.SoftmaxBackward;
import dev.graft.tensor.op.ResizeOp.Resize2d;
import dev.graft.tensor.op.ResizeOp.Resize2dBackward;
import dev.graft.tensor.op.StoredLinearOp.StoredLinear;
import dev.graft.tensor.op.StoredLinearOp.StoredLinearBackward;

/**
 * The derivative of every op, to be read beside a textbook: x are inputs, y outputs, dy the gradient of the loss by y.
 * {@link #saves} says which values {@link #backward} will read; what it does not name is not kept.
 */
final class GradientTable {
    static final int X0 = 1;
    static final int X1 = 1 << 1;
    private static final int X2 = 1 << 2;
    private static final int X3 = 1 << 3;
    private static final int X6 = 1 << 6;
    static final int Y0 = 1 << 8;
    private static final int Y1 = 1 << 9;
    private static final int Y2 = 1 << 10;

    private GradientTable() {}

    /** The inputs (low bits) and outputs (from bit 8) that the rule reads, given which inputs need a gradient. */
    static int saves(PrimitiveOp op, boolean[] needs) {
        return switch (op) {
            case Unary u -> u.fn().savesOutput() ? Y0 : X0;
            case UnaryBackward u -> (needs[1] ? X0 : 0) | X1;
            case Binary b -> switch (b.fn()) {
                case MUL -> (needs[0] ? X1 : 0) | (needs[1] ? X0 : 0);
                case DIV -> X1 | (needs[1] ? Y0 : 0);
                case POW -> X0 | X1 | Y0;
                case MAXIMUM, MINIMUM -> X0 | X1;
                case ADD, SUB, EQ, NE, LT, LE, GT, GE, AND, OR -> 0;
            };
            case BinaryScalar b -> switch (b.fn()) {
                case POW, MAXIMUM, MINIMUM -> X0;
                case ADD, SUB, MUL, DIV, EQ, NE, LT, LE, GT, GE, AND, OR -> 0;
            };
            case Where w -> X0;
            case Cast c -> 0;
            case Dropout d -> 0;
            case Reduce r -> r.fn() == ReduceFn.MAX || r.fn() == ReduceFn.MIN ? X0 | Y0 : 0;
            case ArgReduce a -> 0;
            case Softmax s -> Y0;
            case SoftmaxBackward s -> X0 | X1;
            case Reshape r -> 0;
            case Permute p -> 0;
            case BroadcastTo b -> 0;
            case Slice s -> 0;
            case Concat c -> 0;
            case Pad p -> 0;
            case Take t -> X1;
            case TakeBackward t -> X1;
            case TakeAlong t -> X1;
            case TakeAlongBackward t -> X1;
            case MatMul m -> (needs[0] ? X1 : 0) | (needs[1] ? X0 : 0);
            // bfloat16 weights have no scale, and what stands in its place is the bias
            case StoredLinear s -> !needs[0] ? 0 : needs.length > (s.bias() ? 3 : 2) ? X1 | X2 : X1;
            case StoredLinearBackward s -> X1 | X2;
            case ConvOp c -> (needs[0] ? X1 : 0) | (needs[1] ? X0 : 0);
            case MaxPool2d m -> Y1;
            case MaxPool2dBackward m -> X1;
            case MaxPool2dGather m -> X1;
            case AvgPool2d a -> 0;
            case AvgPool2dBackward a -> 0;
            case AdaptiveAvgPool2d a -> 0;
            case AdaptiveAvgPool2dBackward a -> 0;
            case BatchNorm b -> X0 | X1 | Y1 | Y2;
            case BatchNormBackward b -> X0 | X1 | X2;
            case LayerNorm l -> X0 | X1 | Y1 | Y2;
            case LayerNormBackward l -> X0 | X1 | X2;
            case BatchNormActivation b -> X0 | X1 | Y1 | Y2 | (b.activation() == Activation.NONE ? 0 : X2 | Y0);
            case BatchNormActivationBackward b -> X0 | X1 | X2 | X3;
            case GroupNorm g -> X0 | X1 | Y1 | Y2;
            case GroupNormBackward g -> X0 | X1 | X2;
            case CrossEntropy c -> X0 | X1 | Y1;
            case CrossEntropyBackward c -> X0 | X1 | X2;
            case Attention a -> X0 | X1 | X2 | X3 | Y0 | Y1;
            case AttentionBackward a -> X0 | X1 | X2 | X3 | X6;
            case Resize2d r -> 0;
            case Resize2dBackward r -> 0;
            case CreateOp c -> 0;
        };
    }

    /** Gradients by the inputs; null where none is needed or none exists. */
    static Tensor[] backward(PrimitiveOp op, Node n, Tensor[] dys) {
        Tensor dy = dys[0];
        return dy == null && !readsOtherGradients(op) ? new Tensor[n.inputs()] : rule(op, n, dy, dys);
    }

    /** Whether more outputs than the first have a gradient: where gradients by several inputs are one op. */
    private static boolean readsOtherGradients(PrimitiveOp op) {
        return op instanceof BatchNormBackward || op instanceof BatchNormActivationBackward
                || op instanceof LayerNormBackward || op instanceof GroupNormBackward || op instanceof AttentionBackward;
    }

    private static Tensor[] rule(PrimitiveOp op, Node n, Tensor dy, Tensor[] dys) {
        return switch (op) {
            case Unary u -> to(one(new UnaryBackward(u.fn(), u.a()), dy, u.fn().savesOutput() ? n.out(0) : n.in(0)));
            case UnaryBackward u -> to(
                    n.needs(0) ? one(u, dy, n.in(1)) : null,
                    n.needs(1) ? SecondDerivative.times(u.fn(), n.in(1), u.a(), dy, n.in(0)) : null);
            case Binary b -> binary(b.fn(), n, dy);
            case BinaryScalar b -> to(scalar(b.fn(), b.value(), n, dy));
            case Where w -> to(null,
                    n.needs(1) ? sumTo(n.in(0).where(dy, zero(dy)), n.shape(1)) : null,
                    n.needs(2) ? sumTo(n.in(0).where(zero(dy), dy), n.shape(2)) : null);
            case Cast c -> to(dy.cast(n.inputSpec(0).dtype()));
            case Dropout d -> to(one(d, dy));
            case Reduce r -> to(reduce(r, n, dy));
            case ArgReduce a -> to((Tensor) null);
            case Softmax s -> to(one(new SoftmaxBackward(s.log()), dy, n.out(0)));
            case SoftmaxBackward s -> softmaxBackward(s, n, dy);

            case Reshape r -> to(dy.reshape(n.shape(0)));
            case Permute p -> to(dy.permute(inverse(p.axes())));
            case BroadcastTo b -> to(sumTo(dy, n.shape(0)));
            case Slice s -> to(one(unslice(s, n.shape(0), dy.shape()), dy));
            case Concat c -> split(c.axis(), n, dy);
            case Pad p -> to(one(unpad(p, n.shape(0)), dy));

            case Take t -> to(one(new TakeBackward(n.shape(0).dim(0)), dy, n.in(1)), null);
            case TakeBackward t -> to(dy.take(n.in(1)), null);
            case TakeAlong t -> to(one(new TakeAlongBackward(t.axis(), n.shape(0).dim(t.axis())), dy, n.in(1)), null);
            case TakeAlongBackward t -> to(dy.takeAlong(t.axis(), n.in(1)), null);

            case MatMul m -> to(
                    !n.needs(0) ? null : sumTo(m.transA() ? one(new MatMul(m.transB(), true), n.in(1), dy)
                            : one(new MatMul(false, !m.transB()), dy, n.in(1)), n.shape(0)),
                    !n.needs(1) ? null : sumTo(m.transB() ? one(new MatMul(true, m.transA()), dy, n.in(0))
                            : one(new MatMul(!m.transA(), false), n.in(0), dy), n.shape(1)));

            case StoredLinear s -> StoredLinears.backward(s, n, dy);
            case StoredLinearBackward s -> StoredLinears.doubleBackward(n, dy);

            case Conv2d c -> to(
                    n.needs(0) ? one(new Conv2dBackwardInput(c.params(), n.shape(0).dim(1), n.shape(0).dim(2)),
                            dy, n.in(1)) : null,
                    n.needs(1) ? one(new Conv2dBackwardWeight(c.params(), n.shape(1).dim(1), n.shape(1).dim(2)),
                            n.in(0), dy) : null);
            case Conv2dBackwardInput c -> to(
                    n.needs(0) ? one(new Conv2d(c.params()), dy, n.in(1)) : null,
                    n.needs(1) ? one(new Conv2dBackwardWeight(c.params(), n.shape(1).dim(1), n.shape(1).dim(2)),
                            dy, n.in(0)) : null);
            case Conv2dBackwardWeight c -> to(
                    n.needs(0) ? one(new Conv2dBackwardInput(c.params(), n.shape(0).dim(1), n.shape(0).dim(2)),
                            n.in(1), dy) : null,
                    n.needs(1) ? one(new Conv2d(c.params()), n.in(0), dy) : null);

            case MaxPool2d m -> to(one(new MaxPool2dBackward(n.shape(0).dim(1), n.shape(0).dim(2), m.params()), dy,
                    n.out(1)));
            case MaxPool2dBackward m -> to(one(new MaxPool2dGather(), dy, n.in(1)), null);
            case MaxPool2dGather m ->
                    to(one(new MaxPool2dBackward(n.shape(0).dim(1), n.shape(0).dim(2)), dy, n.in(1)), null);
            case AvgPool2d a -> to(one(new AvgPool2dBackward(a.params(), a.countPadding(), n.shape(0).dim(1),
                    n.shape(0).dim(2)), dy));
            case AvgPool2dBackward a -> to(one(new AvgPool2d(a.params(), a.countPadding()), dy));
            case AdaptiveAvgPool2d a -> to(one(new AdaptiveAvgPool2dBackward(n.shape(0).dim(1), n.shape(0).dim(2)), dy));
            case AdaptiveAvgPool2dBackward a -> to(one(new AdaptiveAvgPool2d(n.shape(0).dim(1), n.shape(0).dim(2)), dy));

            case BatchNorm b -> run(new BatchNormBackward(b.eps()), dy, n.in(0), n.in(1), n.out(1), n.out(2));
            case BatchNormBackward b -> Normalization.doubleBackward(b, n, dys);
            case BatchNormActivation b -> batchNormActivation(b, n, dy);
            case BatchNormActivationBackward b -> Normalization.doubleBackward(b, n, dys);
            case LayerNorm l -> run(new LayerNormBackward(l.eps()), dy, n.in(0), n.in(1), n.out(1), n.out(2));
            case LayerNormBackward l -> Normalization.doubleBackward(l, n, dys);
            case GroupNorm g -> run(new GroupNormBackward(g.groups(), g.eps()), dy, n.in(0), n.in(1), n.out(1), n.out(2));
            case GroupNormBackward g -> Normalization.doubleBackward(g, n, dys);

            case CrossEntropy c -> to(one(new CrossEntropyBackward(c.labelSmoothing(), c.ignoreIndex()), dy, n.in(0),
                    n.in(1), n.out(1)), null);
            case CrossEntropyBackward c -> Losses.doubleBackward(c, n, dy);
            case Attention a -> Attentions.backward(a, n, dy);
            case AttentionBackward a -> Attentions.doubleBackward(a, n, dys);

            case Resize2d r -> to(one(new Resize2dBackward(r.mode(), n.shape(0).dim(1), n.shape(0).dim(2),
                    r.alignCorners()), dy));
            case Resize2dBackward r -> to(one(new Resize2d(r.mode(), n.shape(0).dim(1), n.shape(0).dim(2),
                    r.alignCorners()), dy));
            case CreateOp c -> new Tensor[0];
        };
    }

    private static Tensor[] batchNormActivation(BatchNormActivation op, Node n, Tensor dy) {
        boolean residual = n.inputs() == 4;
        if (op.activation() == Activation.NONE) {       // y is not saved, and the residual's gradient is dy itself
            Tensor[] d = run(new BatchNormBackward(op.eps()), dy, n.in(0), n.in(1), n.out(1), n.out(2));
            return residual ? to(d[0], d[1], d[2], dy) : d;
        }
        BatchNormActivationBackward back =
                new BatchNormActivationBackward(op.eps(), op.activation(), residual && n.needs(3));
        return residual ? run(back, dy, n.in(0), n.out(0), n.in(1), n.out(1), n.out(2))
                : run(back, dy, n.in(0), n.out(0), n.in(1), n.out(1), n.out(2), n.in(2));
    }

    private static Tensor[] binary(BinaryFn fn, Node n, Tensor dy) {
        boolean a = n.needs(0);
        boolean b = n.needs(1);
        Tensor da = null;
        Tensor db = null;
        switch (fn) {
            case ADD -> {
                da = dy;
                db = dy;
            }
            case SUB -> {
                da = dy;
                db = b ? dy.neg() : null;
            }
            case MUL -> {
                da = a ? dy.mul(n.in(1)) : null;
                db = b ? dy.mul(n.in(0)) : null;
            }
            case DIV -> {
                da = a ? dy.div(n.in(1)) : null;
                db = b ? dy.mul(n.out(0)).div(n.in(1)).neg() : null;
            }
            case POW -> {
                Tensor x = n.in(0);      // both are 0 where the formula would multiply 0 by infinity
                Tensor y = n.in(1);
                da = a ? dy.mul(y.eq(0).where(zero(dy), y.mul(x.pow(y.sub(1))))) : null;
                db = b ? dy.mul(x.eq(0).and(y.ge(0)).where(zero(dy), n.out(0).mul(x.log()))) : null;
            }
            case MAXIMUM -> {
                da = a ? dy.mul(share(BinaryFn.GT, n)) : null;
                db = b ? dy.mul(share(BinaryFn.LT, n)) : null;
            }
            case MINIMUM -> {
                da = a ? dy.mul(share(BinaryFn.LT, n)) : null;
                db = b ? dy.mul(share(BinaryFn.GT, n)) : null;
            }
            case EQ, NE, LT, LE, GT, GE, AND, OR -> { }
        }
        return to(a && da != null ? sumTo(da, n.shape(0)) : null, b && db != null ? sumTo(db, n.shape(1)) : null);
    }

    /** 1 where the comparison holds, 1/2 where both are equal (PyTorch's choice at the kink), else 0. */
    private static Tensor share(BinaryFn wins, Node n) {
        var type = n.inputSpec(0).dtype();
        return n.in(0).binary(wins, n.in(1)).cast(type).add(n.in(0).eq(n.in(1)).cast(type).mul(0.5));
    }

    private static Tensor scalar(BinaryFn fn, double v, Node n, Tensor dy) {
        return switch (fn) {
            case ADD, SUB -> dy;
            case MUL -> dy.mul(v);
            case DIV -> dy.div(v);
            case POW -> v == 0 ? zero(dy).broadcastTo(dy.shape()) : dy.mul(n.in(0).pow(v - 1)).mul(v);
            case MAXIMUM -> dy.mul(n.in(0).ge(v).cast(dy.dtype()));
            case MINIMUM -> dy.mul(n.in(0).le(v).cast(dy.dtype()));
            case EQ, NE, LT, LE, GT, GE, AND, OR -> null;
        };
    }

    private static Tensor reduce(Reduce r, Node n, Tensor dy) {
        Shape x = n.shape(0);
        Shape kept = x;
        long count = 1;
        for (int a : r.axes()) {
            kept = kept.with(a, 1);
            count *= x.dim(a);
        }
        Tensor d = dy.reshape(kept);
        if (r.fn() == ReduceFn.SUM) {
            return d.broadcastTo(x);
        }
        if (r.fn() == ReduceFn.MEAN) {
            return d.mul(1.0 / count).broadcastTo(x);
        }
        Tensor winners = n.in(0).eq(n.out(0).reshape(kept)).cast(dy.dtype());   // ties share, as in PyTorch's amax
        return winners.mul(d.div(winners.reduce(ReduceFn.SUM, true, r.axes())));
    }

    private static Tensor[] softmaxBackward(SoftmaxBackward op, Node n, Tensor g) {
        Tensor dy = n.in(0);
        Tensor y = n.in(1);
        if (op.log()) {    // dx = dy − e^y·Σdy
            Tensor p = y.exp();
            return to(n.needs(0) ? g.sub(total(g.mul(p))) : null, n.needs(1) ? g.mul(p).mul(total(dy)).neg() : null);
        }                  // dx = y·(dy − Σ dy·y)
        return to(n.needs(0) ? one(op, g, y) : null,
                n.needs(1) ? g.mul(dy.sub(total(dy.mul(y)))).sub(dy.mul(total(g.mul(y)))) : null);
    }

    private static Tensor total(Tensor t) {
        return t.reduce(ReduceFn.SUM, true, -1);
    }

    private static Tensor[] split(int axis, Node n, Tensor dy) {
        Tensor[] dx = new Tensor[n.inputs()];
        int at = 0;
        for (int i = 0; i < dx.length; i++) {
            int size = n.shape(i).dim(axis);
            dx[i] = n.needs(i) ? dy.slice(axis, at, at + size) : null;
            at += size;
        }
        return dx;
    }

    private static Pad unslice(Slice s, Shape x, Shape y) {
        int[] high = new int[x.rank()];
        int[] interior = new int[x.rank()];
        for (int i = 0; i < high.length; i++) {
            int size = y.dim(i);
            interior[i] = s.step()[i] - 1;
            high[i] = x.dim(i) - s.begin()[i] - size - interior[i] * Math.max(0, size - 1);
        }
        return new Pad(s.begin(), high, interior, 0);
    }

    private static Slice unpad(Pad p, Shape x) {
        int[] end = new int[x.rank()];
        int[] step = new int[x.rank()];
        for (int i = 0; i < end.length; i++) {
            step[i] = p.interior()[i] + 1;
            end[i] = p.low()[i] + x.dim(i) + p.interior()[i] * Math.max(0, x.dim(i) - 1);
        }
        return new Slice(p.low(), end, step);
    }

    private static int[] inverse(int[] axes) {
        int[] inv = new int[axes.length];
        for (int i = 0; i < inv.length; i++) {
            inv[axes[i]] = i;
        }
        return inv;
    }

    /** The transpose of broadcasting: sums {@code g} over the axes along which {@code shape} was repeated. */
    static Tensor sumTo(Tensor g, Shape shape) {
        if (g.shape().equals(shape)) {
            return g;
        }
        int extra = g.rank() - shape.rank();
        int[] axes = java.util.stream.IntStream.range(0, g.rank())
                .filter(i -> i < extra || shape.dim(i - extra) == 1 && g.dim(i) != 1).toArray();
        return (axes.length == 0 ? g : g.sum(axes)).reshape(shape);
    }

    private static Tensor zero(Tensor like) {
        return Tensor.fill(new dev.graft.tensor.TensorSpec(like.dtype(), Shape.SCALAR), 0, like.device());
    }

    private static Tensor[] to(Tensor... gradients) {
        return gradients;
    }
}
