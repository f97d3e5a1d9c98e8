package dev.graft.nn;

import dev.graft.tensor.GraftException;
import dev.graft.tensor.Tensor;

/**
 * Normalises groups of channels within each image (Wu and He 2018, arXiv:1803.08494): [N, ..., C], statistics over all
 * pixels and the C/groups channels of a group. With as many groups as channels it is instance norm.
 */
public final class GroupNorm extends Module {
    private final int groups;
    private final int channels;
    private final double eps;
    private final Parameter weight;
    private final Parameter bias;

    public GroupNorm(int groups, int channels) {
        this(groups, channels, 1e-5);
    }

    public GroupNorm(int groups, int channels, double eps) {
        if (groups < 1 || channels < 1 || channels % groups != 0) {
            throw new GraftException("group_norm: " + channels + " channels cannot be split into " + groups + " groups");
        }
        this.groups = groups;
        this.channels = channels;
        this.eps = eps;
        weight = parameter("weight", Parameter.Kind.NORM_WEIGHT, Init.ones(), channels);
        bias = parameter("bias", Parameter.Kind.BIAS, Init.zeros(), channels);
    }

    public Parameter weight() {
        return weight;
    }

    public Parameter bias() {
        return bias;
    }

    @Override
    protected Tensor forward(Tensor x) {
        if (x.rank() < 2 || x.dim(-1) != channels || x.size() == 0) {
            throw new GraftException("group_norm: input has shape " + x.shape() + ", [N, ..., " + channels
                    + "] is needed, not empty");
        }
        return x.groupNorm(groups, weight.value(), bias.value(), eps);
    }

    @Override
    protected String describe() {
        return groups + " groups of " + channels / groups + (eps == 1e-5 ? "" : ", eps " + eps);
    }
}
