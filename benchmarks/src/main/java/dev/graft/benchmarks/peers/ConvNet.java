package dev.graft.benchmarks.peers;

import java.util.ArrayList;
import java.util.List;

/**
 * A convolutional network as data, from which each engine builds its own: blocks of convolutions with batch norm, global
 * average pooling, a linear layer. Names of parameters are torchvision's.
 */
public record ConvNet(String name, List<Block> blocks, int features, String head) {
    public static final int CLASSES = 10;
    /** Images of an epoch. */
    public static final int EPOCH = 128;
    public static final double LR = 1e-3;
    public static final double MOMENTUM = 0.9;
    /** Of the batch norms. */
    public static final double EPS = 1e-5;

    /** What follows a batch norm. */
    public enum Act { NONE, RELU, RELU6 }

    /** {@code path} of the convolution and {@code norm} of its batch norm; padding is kernel/2. */
    public record Unit(String path, String norm, int in, int out, int kernel, int stride, int groups, Act act,
                       boolean last) {
        /** He's bound for the fan-in, so that activations keep their size: [O, kH, kW, I/groups]. */
        public float[] weight() {
            double bound = Math.sqrt(6.0 / (kernel * kernel * in / groups));
            return Values.uniform(path + ".weight", out * kernel * kernel * (in / groups), -bound, bound);
        }

        /** Smaller where a residual is added, so that sums keep their size. */
        public float[] gamma() {
            return last ? Values.uniform(norm + ".weight", out, 0.2, 0.4) : Values.uniform(norm + ".weight", out, 0.8, 1.2);
        }

        public float[] beta() {
            return Values.uniform(norm + ".bias", out, -0.1, 0.1);
        }

        public float[] mean() {
            return Values.uniform(norm + ".running_mean", out, -0.1, 0.1);
        }

        public float[] variance() {
            return Values.uniform(norm + ".running_var", out, 0.8, 1.2);
        }

        /** Multiplies the weight by the batch norm's factors, in place, and returns the bias that it leaves. */
        public float[] fold(float[] weight) {
            float[] gamma = gamma();
            float[] mean = mean();
            float[] variance = variance();
            float[] bias = beta();
            int each = weight.length / out;
            for (int o = 0; o < out; o++) {
                double scale = gamma[o] / Math.sqrt(variance[o] + EPS);
                for (int i = 0; i < each; i++) {
                    weight[o * each + i] *= (float) scale;
                }
                bias[o] -= (float) (mean[o] * scale);
            }
            return bias;
        }
    }

    /**
     * The units one after the other; with {@code residual} the input, through {@code shortcut} if there is one, is added
     * before {@code after}; then max pooling 3x3/2 if {@code pool}.
     */
    public record Block(List<Unit> units, boolean residual, Unit shortcut, Act after, boolean pool) {}

    public float[] headWeight(int classes) {
        double bound = 1 / Math.sqrt(features);
        return Values.uniform(head + ".weight", classes * features, -bound, bound);
    }

    public float[] headBias(int classes) {
        return Values.uniform(head + ".bias", classes, -0.1, 0.1);
    }

    /** Takes a tensor by its name in torchvision's files. */
    public interface Sink {
        void take(String name, float[] values, int... dims);
    }

    /** All values in order and PyTorch's layout: of a unit weight [O, I, kH, kW], scale, shift, statistics; the head. */
    public void values(int classes, Sink sink) {
        for (Unit u : units()) {
            int in = u.in() / u.groups();
            float[] weight = Values.channelsFirst(u.weight(), u.out(), u.kernel(), u.kernel(), in);
            sink.take(u.path() + ".weight", weight, u.out(), in, u.kernel(), u.kernel());
            sink.take(u.norm() + ".weight", u.gamma(), u.out());
            sink.take(u.norm() + ".bias", u.beta(), u.out());
            sink.take(u.norm() + ".running_mean", u.mean(), u.out());
            sink.take(u.norm() + ".running_var", u.variance(), u.out());
        }
        sink.take(head + ".weight", headWeight(classes), classes, features);
        sink.take(head + ".bias", headBias(classes), classes);
    }

    /** [batch, 224, 224, 3]. */
    public static float[] images(int batch) {
        return Values.of("images", batch, 224, 224, 3);
    }

    public List<Unit> units() {
        List<Unit> all = new ArrayList<>();
        for (Block b : blocks) {
            all.addAll(b.units());
            if (b.shortcut() != null) {
                all.add(b.shortcut());
            }
        }
        return all;
    }

    public static ConvNet resnet18() {
        return resnet("resnet18", false, 2, 2, 2, 2);
    }

    public static ConvNet resnet50() {
        return resnet("resnet50", true, 3, 4, 6, 3);
    }

    private static ConvNet resnet(String name, boolean bottleneck, int... counts) {
        List<Block> blocks = new ArrayList<>();
        Unit stem = new Unit("conv1", "bn1", 3, 64, 7, 2, 1, Act.RELU, false);
        blocks.add(new Block(List.of(stem), false, null, Act.NONE, true));
        int in = 64;
        for (int stage = 0; stage < 4; stage++) {
            int width = 64 << stage;
            int out = bottleneck ? 4 * width : width;
            for (int i = 0; i < counts[stage]; i++) {
                int stride = i == 0 && stage > 0 ? 2 : 1;
                String p = "layer" + (stage + 1) + "." + i + ".";
                List<Unit> units = bottleneck
                        ? List.of(unit(p, 1, in, width, 1, 1, Act.RELU), unit(p, 2, width, width, 3, stride, Act.RELU),
                                unit(p, 3, width, out, 1, 1, Act.NONE))
                        : List.of(unit(p, 1, in, width, 3, stride, Act.RELU), unit(p, 2, width, width, 3, 1, Act.NONE));
                Unit shortcut = stride == 1 && in == out ? null
                        : new Unit(p + "downsample.0", p + "downsample.1", in, out, 1, stride, 1, Act.NONE, false);
                blocks.add(new Block(units, true, shortcut, Act.RELU, false));
                in = out;
            }
        }
        return new ConvNet(name, blocks, in, "fc");
    }

    private static Unit unit(String path, int i, int in, int out, int kernel, int stride, Act act) {
        return new Unit(path + "conv" + i, path + "bn" + i, in, out, kernel, stride, 1, act, act == Act.NONE);
    }

    public static ConvNet mobilenetV2() {
        int[][] stages = {
            {1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
        List<Block> blocks = new ArrayList<>();
        blocks.add(plain(List.of(new Unit("features.0.0", "features.0.1", 3, 32, 3, 2, 1, Act.RELU6, false)), false));
        int in = 32;
        int n = 1;
        for (int[] s : stages) {
            for (int i = 0; i < s[2]; i++) {
                int stride = i == 0 ? s[3] : 1;
                int hidden = in * s[0];
                String p = "features." + n++ + ".conv.";
                List<Unit> units = new ArrayList<>();
                int at = 0;
                if (s[0] != 1) {
                    units.add(new Unit(p + "0.0", p + "0.1", in, hidden, 1, 1, 1, Act.RELU6, false));
                    at = 1;
                }
                units.add(new Unit(p + at + ".0", p + at + ".1", hidden, hidden, 3, stride, hidden, Act.RELU6, false));
                boolean residual = stride == 1 && in == s[1];
                units.add(new Unit(p + (at + 1), p + (at + 2), hidden, s[1], 1, 1, 1, Act.NONE, residual));
                blocks.add(plain(units, residual));
                in = s[1];
            }
        }
        blocks.add(plain(List.of(new Unit("features.18.0", "features.18.1", in, 1280, 1, 1, 1, Act.RELU6, false)), false));
        return new ConvNet("mobilenet_v2", blocks, 1280, "classifier.1");
    }

    private static Block plain(List<Unit> units, boolean residual) {
        return new Block(units, residual, null, Act.NONE, false);
    }
}
