package dev.graft.tensor.op;

import dev.graft.tensor.Shape;
import dev.graft.tensor.TensorSpec;

/**
 * Normalisation with saved statistics. Scale, shift, statistics and their gradients have the type of x, or float32 where x
 * is float16 or bfloat16; dx has the type of x. The statistics are there for the backward op: no gradient passes through
 * them.
 */
public sealed interface NormOp extends PrimitiveOp {

    /**
     * Training-mode batch norm over all axes but the last: y = (x − mean)·invstd·gamma + beta with the batch's biased
     * variance (Ioffe and Szegedy 2015, arXiv:1502.03167). Inputs: x [..., C], gamma [C], beta [C]; outputs: y, mean [C],
     * invstd [C] = 1/sqrt(var + eps).
     */
    record BatchNorm(double eps) implements NormOp {
        @Override
        public String name() {
            return "batch_norm";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 3);
            TensorSpec c = affine(in);
            Check.that(in[0].shape().size() > 0, () -> "input " + in[0].shape() + " is empty: no statistics can be taken");
            return Check.out(in[0], c, c);
        }
    }

    /** eps: that of the forward op. Inputs: dy, x [..., C], gamma, mean, invstd [C]; outputs: dx, dgamma [C], dbeta [C]. */
    record BatchNormBackward(double eps) implements NormOp {
        @Override
        public String name() {
            return "batch_norm_backward";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 5);
            saved(in, Shape.of(in[1].dim(-1)));
            return Check.out(in[1], in[2], in[2]);
        }
    }

    /**
     * Over the last axis: y = (x − mean)·rstd·gamma + beta (Ba et al. 2016, arXiv:1607.06450). Inputs: x [..., C], gamma
     * [C], beta [C]; outputs: y, mean [...], rstd [...].
     */
    record LayerNorm(double eps) implements NormOp {
        @Override
        public String name() {
            return "layer_norm";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 3);
            affine(in);
            Check.that(in[0].dim(-1) > 0, () -> "input " + in[0].shape() + " has an empty last axis");
            TensorSpec rows = new TensorSpec(in[1].dtype(), in[0].shape().without(-1));
            return Check.out(in[0], rows, rows);
        }
    }

    /** eps: that of the forward op. Inputs: dy, x [..., C], gamma [C], mean, rstd [...]; outputs: dx, dgamma, dbeta [C]. */
    record LayerNormBackward(double eps) implements NormOp {
        @Override
        public String name() {
            return "layer_norm_backward";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 5);
            saved(in, in[1].shape().without(-1));
            return Check.out(in[1], in[2], in[2]);
        }
    }

    /**
     * y = activation(batch norm(x) [+ residual]) in training mode. Inputs: x [..., C], gamma [C], beta [C], and residual as
     * x if any; outputs: y, mean [C], invstd [C] as {@link BatchNorm} gives them.
     */
    record BatchNormActivation(double eps, FusedOp.Activation activation) implements NormOp {
        @Override
        public String name() {
            return "batch_norm_activation";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.that(in.length == 3 || in.length == 4, () -> "takes 3 or 4 inputs, got " + in.length);
            activation.checkClamps();
            TensorSpec c = affine(in);
            Check.that(in[0].shape().size() > 0, () -> "input " + in[0].shape() + " is empty: no statistics can be taken");
            if (in.length == 4) {
                Check.shape(in[3], in[0].shape(), "residual");
                Check.sameType(in[0], in[3]);
            }
            return Check.out(in[0], c, c);
        }
    }

    /**
     * eps: that of the forward op. Inputs: dy, x, y [..., C], gamma, mean, invstd [C], and beta [C] if the forward op had no
     * residual and this is no dresidual; outputs: dx, dgamma [C], dbeta [C], and dresidual, as x, if the forward op had a
     * residual. y, the forward op's output, tells where the activation passed; with beta it can be made from x again, which
     * is less to read.
     */
    record BatchNormActivationBackward(double eps, FusedOp.Activation activation, boolean residual) implements NormOp {
        @Override
        public String name() {
            return "batch_norm_activation_backward";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.that(in.length == 6 || in.length == 7 && !residual,
                    () -> "takes 6 inputs, or 7 without a residual, got " + in.length);
            activation.checkClamps();
            Check.shape(in[2], in[1].shape(), "saved output");
            if (in.length == 7) {
                Check.shape(in[6], in[3].shape(), "beta");
            }
            Check.sameType(in[1], in[2]);
            saved(new TensorSpec[] {in[0], in[1], in[3], in[4], in[5]}, Shape.of(in[1].dim(-1)));
            return residual ? Check.out(in[1], in[3], in[3], in[1]) : Check.out(in[1], in[3], in[3]);
        }
    }

    /**
     * As {@link BatchNorm}, but over each image's pixels and the C/groups channels of a group (Wu and He 2018,
     * arXiv:1803.08494). Inputs: x [N, ..., C], gamma [C], beta [C]; outputs: y, mean [N, groups], rstd [N, groups].
     */
    record GroupNorm(int groups, double eps) implements NormOp {
        @Override
        public String name() {
            return "group_norm";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 3);
            affine(in);
            check(groups, in[0]);
            TensorSpec statistics = new TensorSpec(in[1].dtype(), Shape.of(in[0].dim(0), groups));
            return Check.out(in[0], statistics, statistics);
        }

        private static void check(int groups, TensorSpec x) {
            Check.that(x.rank() >= 2, () -> "input has shape " + x.shape() + ", [N, ..., C] is needed");
            Check.that(groups > 0 && x.dim(-1) % groups == 0,
                    () -> x.dim(-1) + " channels of input " + x.shape() + " cannot be split into " + groups + " groups");
            Check.that(x.shape().size() > 0 || x.dim(0) == 0,
                    () -> "input " + x.shape() + " is empty: no statistics can be taken");
        }
    }

    /** As the forward op. Inputs: dy, x [N, ..., C], gamma [C], mean, rstd [N, groups]; outputs: dx, dgamma, dbeta [C]. */
    record GroupNormBackward(int groups, double eps) implements NormOp {
        @Override
        public String name() {
            return "group_norm_backward";
        }

        @Override
        public TensorSpec[] infer(TensorSpec[] in) {
            Check.arity(in, 5);
            GroupNorm.check(groups, in[1]);
            saved(in, Shape.of(in[1].dim(0), groups));
            return Check.out(in[1], in[2], in[2]);
        }
    }

    private static void saved(TensorSpec[] in, Shape statistics) {
        Check.floats(in[1], "input");
        Check.shape(in[0], in[1].shape(), "gradient");
        Check.sameType(in[1], in[0]);
        Check.shape(in[2], Shape.of(in[1].dim(-1)), "scale of input " + in[1].shape());
        Check.shape(in[3], statistics, "mean of input " + in[1].shape());
        Check.shape(in[4], statistics, "inverse deviation of input " + in[1].shape());
        Check.besides(in[1], in[2], "scale");
        Check.sameType(in[2], in[3]);
        Check.sameType(in[2], in[4]);
    }

    private static TensorSpec affine(TensorSpec[] in) {
        Check.floats(in[0], "input");
        Check.that(in[0].rank() > 0, "needs a channel axis, got a scalar");
        Shape c = Shape.of(in[0].dim(-1));
        Check.shape(in[1], c, "scale of input " + in[0].shape());
        Check.shape(in[2], c, "shift of input " + in[0].shape());
        Check.besides(in[0], in[1], "scale");
        Check.sameType(in[1], in[2]);
        return new TensorSpec(in[1].dtype(), c);
    }
}
